#pragma once

namespace cps {

// What the kernels in this build ask of a machine. Defined with the kernels.
struct KernelBuild {
  int runtimeVersion;  // of CUDA, e.g. 13000; the driver must support it
  int oldestArch;      // e.g. 75: lowest compute capability with code in the binary
};
KernelBuild kernelBuild();

// Destroys the primary context of the current context's device with all that is in it, also for the
// CUDA runtime of this build (Note [Poisoned devices]).
void resetCurrentDevice();

}  // namespace cps
