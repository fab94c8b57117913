#include <cuda.h>
#include <cuda_runtime.h>

#include "cuda/runtime_version.h"

namespace cps {

// CPS_CUDA_ARCHS: CPS_ARCH(75) CPS_ARCH(86) ...
#define CPS_ARCH(arch) arch,
KernelBuild kernelBuild() { return {CUDART_VERSION, {CPS_CUDA_ARCHS}}; }

// Its result repeats the error that made it necessary.
void resetCurrentDevice() { static_cast<void>(cudaDeviceReset()); }

}  // namespace cps
