#include <cuda.h>
#include <cuda_runtime.h>

#include "cuda/runtime_version.h"

namespace cps {

KernelBuild kernelBuild() { return {CUDART_VERSION, CPS_CUDA_OLDEST_ARCH}; }

}  // namespace cps
