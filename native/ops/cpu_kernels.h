#pragma once

#include <memory>

#include "ops/kernels.h"
#include "ops/simd/table.h"

namespace cps {

// makeCpuKernels with a chosen variant, for tests and benchmarks that compare them.
std::unique_ptr<Kernels> makeCpuKernels(const CpuKernelsConfig& config, const OpsTable& ops);

}  // namespace cps
