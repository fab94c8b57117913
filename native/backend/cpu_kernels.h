#pragma once

#include <memory>

#include "backend/kernels.h"
#include "core/cancel.h"
#include "core/task_pool.h"
#include "ops/simd/table.h"

namespace cps {

// CPU implementation: SIMD variants chosen once at run time, large operations split over the pool.
struct CpuKernelsConfig {
  TaskPool* pool = nullptr;  // null: everything on the calling thread
  int maxThreads = 1;
  CancelPtr cancel;
};
std::unique_ptr<Kernels> makeCpuKernels(const CpuKernelsConfig& config);
// The same with a chosen variant, for tests and benchmarks that compare them.
std::unique_ptr<Kernels> makeCpuKernels(const CpuKernelsConfig& config, const OpsTable& ops);

}  // namespace cps
