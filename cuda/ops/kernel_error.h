#pragma once

#include <string>

#include "core/error.h"

namespace cps {

// A kernel that could not be launched, with CUDA's error code (cudaError_t has CUresult's numbers;
// 2: no memory).
struct KernelError : Error {
  KernelError(const char* name, int result, const std::string& why)
      : Error(result == 2 ? ErrorCode::OutOfMemory : ErrorCode::Device, Stage::Process,
              std::string("Launching GPU kernel ") + name + " failed: " + why),
        kernel(name),
        cudaCode(result) {}

  const char* kernel;
  int cudaCode;
};

}  // namespace cps
