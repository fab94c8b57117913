#pragma once

#include "ops/energy/reference_math.h"
#include "ops/simd/table.h"

// Energy 'reference' at the target size, a row at a time. Plain loops: compiled with each variant's
// instruction set they become vectors and real fused multiply-adds.
namespace cps {

static inline void lerpColumnsPlain(const float* row, const int32_t* i0, const int32_t* i1,
                                    const float* w0, const float* w1, int32_t count, float* out) {
  for (int32_t i = 0; i < count; i++) out[i] = fmaf(row[i1[i]], w1[i], row[i0[i]] * w0[i]);
}

// The arithmetic of referenceEnergyTarget, the columns' share of it done.
static inline void energyRowPlain(const EnergyRow& row) {
  const EnergyRow r = row;
  float* __restrict out = r.out;
  const auto full = [&r](int a, int64_t i) {
    return clampUnit(
        fmaf(r.columns[a][1][i], r.cellWeight[a][1], r.columns[a][0][i] * r.cellWeight[a][0]));
  };
  for (int32_t i = 0; i < r.count; i++) {
    const int64_t left = i, right = int64_t{r.count} + i;
    out[i] = bilinear(full(0, left), full(0, right), full(1, left), full(1, right), r.wx0[i],
                      r.wx1[i], r.w0, r.w1);
  }
}

}  // namespace cps
