#pragma once

#include <cstdint>
#include <functional>
#include <span>

namespace cps {

// What is known of a video's frames without decoding them: what a sampling rule chooses from. It
// lives as long as the source that gave it.
struct Timeline {
  int64_t frames = 0;                                    // in display order
  double fps = 0;                                        // average
  std::span<const double> timestampsSec;                 // [frames], the container's own
  std::function<bool(int64_t displayIndex)> isKeyFrame;  // by the container's flags
};

}  // namespace cps
