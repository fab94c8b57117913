#pragma once

#include <string>

#include "backend/gpu_backend.h"

namespace cps {

// The libraries of the NVIDIA driver, opened on first use. Tests pass a stand-in.
struct DriverPaths {
  std::string cuda = "libcuda.so.1";
  std::string nvcuvid = "libnvcuvid.so.1";
};

// The GPU backend over that driver. Never throws and touches no device: what is missing is said by
// whyNotProcess and whyNotDecode. Everything it hands out keeps what it needs alive.
GpuBackend makeGpuBackend(const DriverPaths& paths);

}  // namespace cps
