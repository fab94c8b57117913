#include "media/index/timeline.h"

namespace cps {

Timeline partOf(const Timeline& whole, int64_t from, int64_t to) {
  const double start = whole.seconds(from);
  const double end = to < whole.frames ? whole.seconds(to) : whole.durationSec;
  return {to - from, whole.fps, end - start,
          [seconds = whole.seconds, from, start](int64_t d) { return seconds(from + d) - start; },
          [isKeyFrame = whole.isKeyFrame, from](int64_t d) { return isKeyFrame(from + d); }};
}

}  // namespace cps
