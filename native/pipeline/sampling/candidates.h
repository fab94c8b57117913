#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "media/index/timeline.h"

namespace cps {

// A half-open range of a video's frames, by time on screen or by display index; what is not given
// is the first and the last. Indices as in JavaScript's slice: negative ones count from the end,
// and none is out of range.
struct FrameRange {
  std::optional<double> fromSec, toSec;
  std::optional<int64_t> from, to;
};

// Which frames a rule chooses among.
struct Among {
  bool onlyKeyFrames = false;
  FrameRange range = {};
  // Off both ends, where more seconds than trimLongerThan are left.
  double trimSec = 0;
  double trimLongerThan = -std::numeric_limits<double>::infinity();
};

// The frames among which a rule chooses, by position: 0 is the first that is not left out.
class Candidates {
 public:
  // Throws Error(InvalidArgument) naming what it was when there are none. Expects a rate where
  // `among` trims.
  Candidates(const Timeline& timeline, const Among& among);

  // > 0
  int64_t size() const { return keys_.empty() ? count_ : static_cast<int64_t>(keys_.size()); }
  int64_t frameAt(int64_t position) const {
    return keys_.empty() ? first_ + position : keys_[static_cast<size_t>(position)];
  }
  // Frames in the range, before others were left out.
  int64_t inRange() const { return inRange_; }

 private:
  void cut(const Timeline& timeline, const FrameRange& range);
  void trim(double rate, const Among& among);

  int64_t first_ = 0, count_ = 0;
  int64_t inRange_ = 0;
  std::vector<int64_t> keys_;  // the key frames of these, where only they count
};

}  // namespace cps
