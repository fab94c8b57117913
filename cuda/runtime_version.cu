#include <cuda.h>
#include <cuda_runtime.h>

#include "cuda/runtime_version.h"

namespace cps {

KernelBuild kernelBuild() { return {CUDART_VERSION, CPS_CUDA_OLDEST_ARCH}; }

// Its result repeats the error that made it necessary.
void resetCurrentDevice() { static_cast<void>(cudaDeviceReset()); }

}  // namespace cps
