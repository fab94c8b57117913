#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "core/options.h"
#include "media/decode/frame_source.h"

namespace cps {

// Note [Damaged frames]
// Option `damaged`. A call decodes the sampled frames as ever; when some of them cannot be had, the
// sample is chosen anew from what is known by then and decoded again, until everything it asks for
// comes. 'skip' leaves out what cannot be had. 'nearest' takes the nearest frame that can, by
// display index, of two the earlier; frames around the lost ones are decoded for that, without
// being kept, in windows that double until each lost frame has its neighbour: every frame is looked
// at once at most, and a damaged group of pictures costs a few decodes of itself. Whether a frame
// can be had depends on the frame alone, so the result depends on nothing else either.
//
// Damage is what a decoder or this package notices. Bytes that were changed inside a picture often
// decode to something without a complaint; then it is the picture that FFmpeg gives.
//
// Energies 'block' and 'reference' compare each frame of the result with the one before it in the
// result: across a gap with the last one that is there ('skip'); a frame that also stands in for
// its neighbour is like any frame that is sampled twice ('nearest'). Frames that only an energy
// needs are left out of it when they cannot be had (EnergyRequest::isLost).

// Which frames of the video can be had, as far as is known.
class KnownFrames {
 public:
  explicit KnownFrames(int64_t totalFrames) : states_(static_cast<size_t>(totalFrames)) {}

  // Of one decode: what it was asked for, and what did not come.
  void learn(std::span<const int64_t> frames, const std::map<int64_t, Error>& lost);
  bool isLost(int64_t frame) const { return states_[static_cast<size_t>(frame)] == kLost; }

  // The nearest frame that can be had to each of `lost` (ascending, distinct); no map where there
  // is no such frame at all.
  std::optional<std::map<int64_t, int64_t>> nearest(std::span<const int64_t> lost,
                                                    FrameSource& source);

 private:
  enum State : uint8_t { kUnknown, kHad, kLost };
  std::vector<int64_t> unknownAround(std::span<const int64_t> frames, int64_t window) const;

  std::vector<uint8_t> states_;  // [totalFrames]
};

// A frame that another one stands in for.
struct ReplacedFrame {
  int32_t position = 0;  // among the sampled frames
  int64_t wanted = 0, given = 0;
};

// What is delivered for the frames that were sampled.
struct SampledFrames {
  std::vector<int64_t> ids;  // [T], in the order of the sample
  std::vector<ReplacedFrame> replaced;
  std::vector<int64_t> skipped;  // ids that were sampled and are not among `ids`
};

// The sample that `known` leaves of `wanted`; nothing when no frame at all can be had.
std::optional<SampledFrames> chooseFrames(std::span<const int64_t> wanted, Damaged damaged,
                                          KnownFrames& known, FrameSource& source);

// What a result says of it.
void noteDamage(const SampledFrames& sampled, Notes& notes);

}  // namespace cps
