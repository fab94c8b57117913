#pragma once

#include "ops/hd.h"

namespace cps {

// Order of floats as unsigned integers; -0 counts as 0, NaN below everything.
CPS_HD uint32_t orderedBits(float v) {
  if (v != v) return 0;
  const uint32_t bits = floatBits(v + 0.0f);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

// One integer that orders units as DESIGN section 4 does: units of I frames first, then the higher
// score, then the lower index. All keys of one selection differ, so the k largest are unique.
// Bits: 63 isI, 62..31 score, 30..0 inverted index.
CPS_HD uint64_t unitKey(bool isI, float score, int32_t index) {
  return static_cast<uint64_t>(isI ? 1 : 0) << 63 |
         static_cast<uint64_t>(orderedBits(score)) << 31 |
         static_cast<uint64_t>(0x7fffffff - index);
}
CPS_HD int32_t unitIndex(uint64_t key) {
  return 0x7fffffff - static_cast<int32_t>(key & 0x7fffffff);
}

// Sum of the four patch scores of block (row, col) of 2x2 patches.
CPS_HD float block2x2Score(const float* scores, int32_t cols, int32_t row, int32_t col) {
  const float* top = scores + static_cast<int64_t>(2 * row) * cols + 2 * col;
  const float* bottom = top + cols;
  return ((top[0] + top[1]) + bottom[0]) + bottom[1];
}

}  // namespace cps
