#pragma once

#include <cstdint>

namespace cps {

// What a stream says of a block of a picture: where its reference shows it. Stored picture, as
// decoded; the vector in quarter samples, from here to there.
struct MotionBlock {
  int32_t top = 0, left = 0, height = 0, width = 0;
  int32_t my = 0, mx = 0;
};

}  // namespace cps
