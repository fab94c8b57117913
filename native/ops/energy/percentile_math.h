#pragma once

#include "ops/hd.h"

namespace cps {

// The rank rule (DESIGN section 4, step 6), the one place of it: the percentile of n values is the
// value with this 0-based rank in ascending order. n >= 1.
CPS_HD int64_t percentileRank(double pct, int64_t n) {
  const double p = pct < 1.0 ? 1.0 : pct > 100.0 ? 100.0 : pct;
  return static_cast<int64_t>(llround(p / 100.0 * static_cast<double>(n - 1)));
}

// The value with that rank when counts[v] values equal v.
CPS_HD int32_t histogramPercentile(const int32_t* counts, int32_t bins, int64_t rank) {
  int64_t seen = 0;
  for (int32_t v = 0; v < bins; v++) {
    seen += counts[v];
    if (seen > rank) return v;
  }
  return bins - 1;
}

// Order of floats as unsigned integers; -0 counts as 0, NaN below everything.
CPS_HD uint32_t orderedBits(float v) {
  if (v != v) return 0;
  const uint32_t bits = floatBits(v + 0.0f);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

}  // namespace cps
