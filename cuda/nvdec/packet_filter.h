#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "ffmpeg/handles.h"
#include "media/index/frame_index.h"

namespace cps {

// Packets of a container in the form NVDEC's parser reads: H.264 and HEVC with start codes, MPEG-4
// without packed B-frames; other codecs pass through.
class PacketFilter {
 public:
  explicit PacketFilter(const FrameIndex& index);

  // Parameter sets and sequence headers that may be missing from the packets; empty for codecs
  // that carry them in every key frame. Some encoders, NVENC among them, write AV1's into the
  // container alone.
  std::span<const uint8_t> headers() const;
  using Output = std::function<void(std::span<const uint8_t> data)>;
  void convert(AVPacket& packet, const Output& output);
  // Ready for packets from anywhere else.
  void reset();

 private:
  const CodecRules& rules_;
  UniqueAVBSFContext filter_;  // null: pass through
  const AVCodecParameters* parameters_;
};

}  // namespace cps
