#pragma once

#include "ops/pixels/resample_math.h"
#include "ops/simd/table.h"

// Note [Antialiased resize] in pixels/resample_math.h, sample by sample.
namespace cps {

static inline void resampleAcrossPlain(const ResampleRow& r, int32_t begin) {
  for (int32_t i = begin; i < r.count; i++) {
    const int16_t* weights = r.weights + static_cast<int64_t>(i) * r.stride;
    const uint8_t* in = r.in + static_cast<int64_t>(r.first[i]) * 3;
    int32_t sum[3] = {0, 0, 0};
    for (int32_t j = 0; j < r.used[i]; j++, in += 3) {
      for (int32_t c = 0; c < 3; c++) sum[c] += weights[j] * in[c];
    }
    for (int32_t c = 0; c < 3; c++) r.out[3 * i + c] = resampled(sum[c], r.bits);
  }
}

static inline void resampleDownPlain(const ResampleColumn& r, int32_t begin) {
  for (int32_t i = begin; i < r.count; i++) {
    const uint8_t* in = r.in + i;
    int32_t sum = 0;
    for (int32_t j = 0; j < r.used; j++, in += r.inStride) sum += r.weights[j] * *in;
    r.out[i] = resampled(sum, r.bits);
  }
}

}  // namespace cps
