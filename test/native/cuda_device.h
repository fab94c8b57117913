#pragma once

// Where the GPU tests find a device: the fake driver with emulated kernels (built by default, runs
// anywhere), or with CPS_TEST_REAL_GPU the machine's own driver and the real kernels (skips, saying
// why, where there is none).

#include <gtest/gtest.h>

#include <string>

#include "cuda/gpu_backend.h"
#include "ops/kernels.h"
#ifndef CPS_TEST_REAL_GPU
#include "fake_driver/fake_driver.h"
#endif

namespace cuda_test {

inline cps::GpuBackend backend() {
#ifdef CPS_TEST_REAL_GPU
  return cps::makeGpuBackend();
#else
  return cps::makeGpuBackend({CPS_FAKE_DRIVER, CPS_FAKE_DRIVER});
#endif
}

inline std::string whyNoDevice() { return backend().whyNotProcess(0); }

#ifdef CPS_TEST_REAL_GPU
#define CPS_NEEDS_GPU()                                       \
  do {                                                        \
    const std::string why = cuda_test::whyNoDevice();         \
    if (!why.empty()) GTEST_SKIP() << "no GPU here: " << why; \
  } while (false)
#else
#define CPS_NEEDS_GPU() fake::reset()
#endif

}  // namespace cuda_test
