#include "pipeline/sampling/candidates.h"

#include <algorithm>
#include <string>

#include "core/error.h"
#include "pipeline/sampling/places.h"
#include "pipeline/sampling/texts.h"

namespace cps {
namespace {

// As slice takes it.
int64_t clamped(int64_t index, int64_t frames) {
  return index < 0 ? std::max<int64_t>(0, index + frames) : std::min(index, frames);
}

}  // namespace

Candidates::Candidates(const Timeline& timeline, const Among& among) {
  cut(timeline, among.range);
  inRange_ = count_;
  if (among.trimSec > 0) trim(timeline.fps, among);
  if (!among.onlyKeyFrames) return;
  for (int64_t d = first_; d < first_ + count_; ++d) {
    if (timeline.isKeyFrame(d)) keys_.push_back(d);
  }
  if (keys_.empty()) {
    throw badSample("a video with key frames", "sample.only",
                    "'key-frames', and none of " + frameText(count_) + " from " +
                        std::to_string(first_) + " on is one by the container's flags");
  }
}

void Candidates::cut(const Timeline& timeline, const FrameRange& range) {
  const int64_t frames = timeline.frames;
  int64_t end = frames;
  if (range.fromSec || range.toSec) {
    if (range.fromSec) first_ = firstFrom(frames, timeline.seconds, *range.fromSec);
    if (range.toSec) end = firstFrom(frames, timeline.seconds, *range.toSec);
  } else {
    if (range.from) first_ = clamped(*range.from, frames);
    if (range.to) end = clamped(*range.to, frames);
  }
  count_ = end - first_;
  if (count_ > 0) return;
  const bool timed = range.fromSec || range.toSec;
  const std::string asked = timed ? numberText(range.fromSec.value_or(0)) + " s to " +
                                        (range.toSec ? numberText(*range.toSec) + " s" : "the end")
                                  : std::to_string(range.from.value_or(0)) + " to " +
                                        (range.to ? std::to_string(*range.to) : "the end");
  const std::string has = timed
                              ? "frames at 0 to " + numberText(timeline.seconds(frames - 1)) + " s"
                              : frameText(frames);
  throw badSample("a range with a frame in it", "sample.range", asked + ", and there are " + has);
}

// Whole frames, cut towards zero.
void Candidates::trim(double rate, const Among& among) {
  const auto frames = static_cast<double>(count_);
  const double cut = among.trimSec * rate;
  if (!(frames / rate - 2 * among.trimSec > among.trimLongerThan) || cut >= frames) return;
  const auto from = static_cast<int64_t>(cut);
  const int64_t to = std::min(static_cast<int64_t>(frames - cut), count_ - 1);
  if (from >= to) return;
  first_ += from;
  count_ = to - from + 1;
}

}  // namespace cps
