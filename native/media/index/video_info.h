#pragma once

#include <cstdint>
#include <string>

namespace cps {

// What is known of the video before anything is decoded.
struct VideoInfo {
  int32_t width = 0, height = 0;  // display size
  int64_t totalFrames = 0;        // frames in display order
  double fps = 0;                 // average frame rate
  double durationSec = 0;
  std::string codec;   // FFmpeg's decoder name, for messages and summaries
  std::string format;  // demuxer name
};

}  // namespace cps
