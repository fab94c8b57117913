#pragma once

#include <string>

namespace cps {

// What the kernels in this build ask of a machine. Defined with the kernels, so without anything
// of std (Note [Kernels without a C++ library]).
struct KernelBuild {
  int runtimeVersion;  // of CUDA, e.g. 13000; the driver must support it
  const int* archs;    // ascending, e.g. 75, 86: compute capabilities with code in the binary
  int archCount;       // at least one

  // Code runs on its own major version from its minor version on; the newest is there as PTX too,
  // which the driver translates for all that came later.
  bool runsOn(int arch) const;
  // "7.5, 8.6 and later": for people.
  std::string describe() const;
};
KernelBuild kernelBuild();

// Destroys the primary context of the current context's device with all that is in it, also for the
// CUDA runtime of this build (Note [Poisoned devices]).
void resetCurrentDevice();

}  // namespace cps
