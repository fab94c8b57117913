#pragma once

#include "ops/hd.h"

namespace cps {

// Note [Antialiased resize]
// What Pillow's resize and torchvision's resize(antialias=True) do to uint8 pictures, to the last
// bit of the latter's CPU path: separable, along the width first, then along the height; rounded
// and clamped to uint8 between the passes; an axis whose length does not change is skipped. Output
// i of m from n samples:
//   centre c = (i + 0.5) n/m, stretch q = max(n/m, 1), radius r q (r of the kernel),
//   taps j = max(0, int(c - r q + 0.5)) ... min(n, int(c + r q + 0.5)) - 1,
//   weight k((j - c + 0.5) / q) over the sum of all, in double.
// Taps beyond the picture are left out, not repeated. Weights then become int16: times 2^b, rounded
// half away, b the largest <= 22 for which the greatest weight of the axis stays below 2^15. Sums
// are integers, so their order does not matter and every device gives the same bits.
constexpr int32_t kMostResampleBits = 22;

CPS_HD uint8_t resampled(int32_t sum, int32_t bits) {
  return clip8((sum + (1 << (bits - 1))) >> bits);
}

}  // namespace cps
