#include <cuda.h>
#include <cuda_runtime.h>

#include "cuda/runtime_version.h"

namespace cps {

// CPS_CUDA_ARCHS: CPS_ARCH(75) CPS_ARCH(86) ...
#define CPS_ARCH(arch) arch,
static constexpr int kArchs[] = {CPS_CUDA_ARCHS};
KernelBuild kernelBuild() { return {CUDART_VERSION, kArchs, sizeof kArchs / sizeof kArchs[0]}; }

// Its result repeats the error that made it necessary.
void resetCurrentDevice() { static_cast<void>(cudaDeviceReset()); }

}  // namespace cps
