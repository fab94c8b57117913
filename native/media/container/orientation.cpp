#include "media/container/orientation.h"

#include <cstdlib>

namespace cps {

Orientation orientationFromMatrix(const int32_t* matrix) {
  // Row-vector convention of libavutil/display.h: x' = a x + c y, y' = b x + d y.
  Orientation orientation;
  if (!matrix) return orientation;
  const int64_t a = matrix[0], b = matrix[1], c = matrix[3], d = matrix[4];
  orientation.swapXY = std::llabs(b) + std::llabs(c) > std::llabs(a) + std::llabs(d);
  orientation.flipX = (orientation.swapXY ? b : a) < 0;
  orientation.flipY = (orientation.swapXY ? c : d) < 0;
  return orientation;
}

}  // namespace cps
