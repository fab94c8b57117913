#pragma once

#include "ops/geometry_math.h"
#include "ops/hd.h"

namespace cps {

// One axis of a resize, in the displayed picture's coordinates.
struct ResampleAxis {
  int32_t length = 0;       // of the whole picture
  int32_t sourceBegin = 0;  // the part of it that is resized; it alone is looked at
  int32_t sourceCount = 0;
  int32_t size = 0;   // what that part is resized to
  int32_t begin = 0;  // the part of the result that is wanted
  int32_t count = 0;
  bool reversed = false;  // wanted back to front (a mirrored picture)

  // All of `length`, resized to `size`.
  static ResampleAxis whole(int32_t length, int32_t size) {
    return {length, 0, length, size, 0, size, false};
  }
};

// The taps of wanted sample i without antialiasing, as positions of the whole axis.
CPS_HD BilinearTap bilinearTap(int32_t i, const ResampleAxis& axis) {
  const int32_t wanted = axis.begin + (axis.reversed ? axis.count - 1 - i : i);
  BilinearTap tap = bilinearTap(wanted, axis.sourceCount, axis.size);
  tap.i0 += axis.sourceBegin;
  tap.i1 += axis.sourceBegin;
  return tap;
}

}  // namespace cps
