#include "ops/cpu_features.h"
#include "ops/simd/table.h"

#if defined(CPS_SIMD_X86)
#include <cpuid.h>
#endif

namespace cps {
namespace {

#if defined(CPS_SIMD_X86)
struct Features {
  bool avx2 = false;
  bool avx512 = false;
};

// Asked for here: __builtin_cpu_supports is always false in what zig links (its runtime has no
// model of the processor), and clang 14's does not know "f16c".
Features features() {
  unsigned a = 0, b1 = 0, c1 = 0, d = 0, b7 = 0, c7 = 0;
  if (__get_cpuid(1, &a, &b1, &c1, &d) == 0) return {};
  if (__get_cpuid_count(7, 0, &a, &b7, &c7, &d) == 0) return {};
  const auto all = [](unsigned value, unsigned bits) { return (value & bits) == bits; };
  if (!all(c1, bit_OSXSAVE | bit_AVX | bit_FMA | bit_F16C)) return {};
  // Which registers the system keeps: XMM and YMM, and for AVX-512 masks and ZMM.
  unsigned low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  Features found;
  found.avx2 = all(low, 0x06) && all(b7, bit_AVX2);
  // Only processors with VNNI and VBMI: the ones before them slow down in 512-bit code.
  found.avx512 = found.avx2 && all(low, 0xe6) &&
                 all(b7, bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_AVX512DQ) &&
                 all(c7, bit_AVX512VNNI | bit_AVX512VBMI);
  return found;
}
#endif

OpsTables detect() {
  OpsTables tables{};
#if defined(CPS_SIMD_X86)
  const auto [avx2, avx512] = features();
  if (avx512) tables.table[tables.count++] = &kAvx512Ops;
  if (avx2) tables.table[tables.count++] = &kAvx2Ops;
#endif
  tables.table[tables.count++] = &kScalarOps;
  return tables;
}

}  // namespace

const OpsTables& opsTables() {
  static const OpsTables tables = detect();
  return tables;
}

const char* simdName() { return opsTables().table[0]->name; }

}  // namespace cps
