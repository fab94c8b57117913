#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ffmpeg/handles.h"
#include "media/codec/bitstream.h"

namespace cps {

// Note [Parameter sets]
// What an H.264 or HEVC decoder was told by a parameter set stays with it, over a flush too:
// another stream's set of the same number, and colours where a later set says nothing of them
// (FFmpeg keeps those of the set before). A decoder that saw sets other than those it was opened
// with is therefore not used for anything else; sets that repeat those in the stream's headers do
// no harm. The same holds for the build of x264 that a message names.
class ParameterSets {
 public:
  // Those in the extradata. Other codecs: none, and every packet is known.
  ParameterSets(const AVCodecParameters& parameters, int x264Build);

  // Whether every set in front of the packet's first slice is one of them, byte for byte.
  bool knows(std::span<const uint8_t> packet) const;

 private:
  void add(std::span<const uint8_t> unit);

  const BitstreamFormat format_;
  const NalRules* const nal_;  // null: a codec without them
  const int x264Build_;
  std::vector<std::vector<uint8_t>> sets_;
};

}  // namespace cps
