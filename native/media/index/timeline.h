#pragma once

#include <cstdint>
#include <functional>

namespace cps {

// What is known of a video's frames without decoding them: what a sampling rule chooses from. It
// lives as long as the source that gave it.
struct Timeline {
  int64_t frames = 0;      // in display order
  double fps = 0;          // average; 0 where nothing is known
  double durationSec = 0;  // the last frame's time on screen included
  // When a frame is shown, since the first one: ascending, also where the container's clock
  // restarts.
  std::function<double(int64_t displayIndex)> seconds;
  std::function<bool(int64_t displayIndex)> isKeyFrame;  // by the container's flags
};

// Frames [from, to) as if they were the whole video.
Timeline partOf(const Timeline& whole, int64_t from, int64_t to);

}  // namespace cps
