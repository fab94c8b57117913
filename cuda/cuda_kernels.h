#pragma once

#include <memory>

#include "backend/kernels.h"
#include "cuda/driver/registry.h"

namespace cps {

// The operations on one GPU: each enqueues its programs (cuda/ops) on the call's own stream and
// returns; download and synchronize wait. Callers are serialised here.
std::unique_ptr<Kernels> makeCudaKernels(std::shared_ptr<GpuDevice> device, CancelPtr cancel);

}  // namespace cps
