#pragma once

#include <gtest/gtest.h>

#include "ops/simd/table.h"
#if defined(CPS_SIMD_X86)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace ops_test {

// Note [Upper halves]
// A loop that uses 256 or 512 bits has to end with vzeroupper. Where it does not, changes between
// SSE and AVX in what the thread does next may stall: FFmpeg's H.264 decoder took 8 to 9 % longer
// after matchRow on a processor with AVX-512. Compilers add the instruction and now and then forget
// it (GCC 12 in matchRow for AVX2 and AVX-512), so the tests look after each call of a loop: XGETBV
// with 1 says which registers are in use.

#if defined(CPS_SIMD_X86)

inline bool tellsRegistersInUse() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_OSXSAVE) == 0 || (c & bit_AVX) == 0)
    return false;
  return __get_cpuid_count(0xD, 1, &a, &b, &c, &d) != 0 && (a & 4) != 0;
}

// Bits 2 and 6: the upper halves of YMM and ZMM registers 0 to 15.
inline unsigned upperHalvesInUse() {
  unsigned low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(1));
  return low & 0x44;
}

// A loop of one variant, and whether it leaves the registers as it should.
template <int variant, auto member>
struct Checked;
template <int variant, typename... Args, void (*cps::OpsTable::*member)(Args...)>
struct Checked<variant, member> {
  static inline void (*loop)(Args...) = nullptr;
  static void call(Args... args) {
    __asm__ volatile("vzeroupper" ::: "memory");
    loop(args...);
    const unsigned inUse = upperHalvesInUse();
    if (inUse != 0) ADD_FAILURE() << "upper halves of registers are left in use: " << inUse;
  }
  static void into(cps::OpsTable& table) {
    loop = table.*member;
    table.*member = &call;
  }
};

template <int variant, auto... members>
const cps::OpsTable* checkedLoops(const cps::OpsTable& original) {
  static cps::OpsTable table;
  table = original;
  (Checked<variant, members>::into(table), ...);
  return &table;
}

template <int variant>
const cps::OpsTable* checkedTable(const cps::OpsTable& original) {
  using T = cps::OpsTable;
  return checkedLoops<variant, &T::cells8, &T::cells16, &T::matchRow, &T::refineRow,
                      &T::addDifferences, &T::rgbRow, &T::resizeRows, &T::resizeLuma,
                      &T::castValues, &T::referenceMatchRow, &T::lerpColumns, &T::energyRow,
                      &T::resampleAcross, &T::resampleDown, &T::resampleBlock>(original);
}

// The same loops, each looked at after each call.
inline const cps::OpsTable* checked(const cps::OpsTable* table) {
  if (!tellsRegistersInUse()) return table;
  if (table == &cps::kAvx512Ops) return checkedTable<512>(*table);
  if (table == &cps::kAvx2Ops) return checkedTable<256>(*table);
  return table;
}

#else

inline const cps::OpsTable* checked(const cps::OpsTable* table) { return table; }

#endif

}  // namespace ops_test
