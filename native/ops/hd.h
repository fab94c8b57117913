#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

// Note [Shared arithmetic]
// Everything in ops/X_math.h is compiled twice: by the C++ compiler for the CPU and by nvcc for the
// GPU. The headers hold plain functions over plain structs, no std:: containers, and every
// floating-point expression is written in the order in which it has to be evaluated; contraction is
// off on both sides (-ffp-contract=off, -fmad=false), so both devices give the same bits.
//
// The functions are `static`: the CPU's SIMD variants are compiled with wider instruction sets, and
// an inline function with external linkage emitted there could be the copy the linker keeps for
// everybody, which would crash older processors.
#if defined(__CUDACC__)
#define CPS_HD __host__ __device__ static inline
#else
#define CPS_HD static inline
#endif

namespace cps {

CPS_HD int32_t minInt(int32_t a, int32_t b) { return a < b ? a : b; }
CPS_HD int32_t maxInt(int32_t a, int32_t b) { return a > b ? a : b; }
CPS_HD int64_t minInt64(int64_t a, int64_t b) { return a < b ? a : b; }
CPS_HD int64_t maxInt64(int64_t a, int64_t b) { return a > b ? a : b; }
CPS_HD int32_t clampInt(int32_t v, int32_t lo, int32_t hi) { return v < lo ? lo : v > hi ? hi : v; }
CPS_HD uint8_t clip8(int32_t v) { return static_cast<uint8_t>(clampInt(v, 0, 255)); }

CPS_HD uint32_t floatBits(float v) {
  uint32_t bits;
  memcpy(&bits, &v, sizeof bits);
  return bits;
}
CPS_HD float bitsFloat(uint32_t bits) {
  float v;
  memcpy(&v, &bits, sizeof v);
  return v;
}

}  // namespace cps
