#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "cuda/driver/driver_api.h"
#include "media/indexed_video.h"

namespace cps {

// What a decoder must be able to do for a stream, and what its surfaces look like.
struct NvdecFormat {
  cudaVideoCodec codec = cudaVideoCodec_NumCodecs;
  cudaVideoChromaFormat chroma = cudaVideoChromaFormat_420;
  int bitDepth = 8;
  bool operator==(const NvdecFormat&) const = default;

  // NV12, P016, YUV444 or YUV444_16Bit.
  cudaVideoSurfaceFormat surface() const;
  bool is444() const { return chroma == cudaVideoChromaFormat_444; }
  int sampleBytes() const { return bitDepth > 8 ? 2 : 1; }
  // "hevc, 4:2:0, 10 bit".
  std::string describe() const;
};

// What pictures say of themselves once decoded. Containers do not tell, or tell something else than
// the bitstream, so the first picture is decoded on the CPU: colours are then the CPU's by
// construction, and the decoder's abilities can be asked before it is needed.
struct StreamTags {
  AVPixelFormat format = AV_PIX_FMT_NONE;
  AVColorSpace space = AVCOL_SPC_UNSPECIFIED;
  AVColorRange range = AVCOL_RANGE_UNSPECIFIED;
};

// The tags of recently opened videos, as long as their frame index lives.
class StreamTagsCache {
 public:
  // Throws Error(BackendUnavailable) when the first picture cannot be decoded.
  StreamTags get(const IndexedVideo& video);

 private:
  std::mutex mutex_;
  std::vector<std::pair<std::weak_ptr<const FrameIndex>, StreamTags>> known_;
};

// Throws Error(BackendUnavailable) for streams that NVDEC has no way to decode.
NvdecFormat nvdecFormatOf(const FrameIndex& index, const StreamTags& tags);
// Throws the same for a codec NVDEC does not know, and where timestamps do not tell the pictures
// apart (Note [Trust] in frame_index.h).
void checkNvdecStream(const FrameIndex& index);

}  // namespace cps
