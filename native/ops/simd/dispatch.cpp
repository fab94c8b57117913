#include "ops/cpu_features.h"
#include "ops/simd/table.h"

#if defined(CPS_SIMD_X86)
#include <cpuid.h>
#endif

namespace cps {
namespace {

#if defined(CPS_SIMD_X86)
// clang 14 does not know __builtin_cpu_supports("f16c").
bool hasF16c() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}
#endif

OpsTables detect() {
  OpsTables tables{};
#if defined(CPS_SIMD_X86)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && hasF16c();
  // Only processors with VNNI and VBMI: the ones before them slow down in 512-bit code.
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni") &&
                      __builtin_cpu_supports("avx512vbmi");
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
