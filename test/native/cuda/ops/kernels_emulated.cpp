// makeKernels() of ops_common.h over the GPU's programs. Enqueued work runs at once here, since
// these tests read results without waiting; waiting is tested in driver/lifetime_test.cpp.

#include "cuda/cuda_device.h"
#include "ops/ops_common.h"

namespace ops_test {

std::unique_ptr<cps::Kernels> makeKernels() {
  static const cps::GpuBackend backend = cuda_test::backend();
  fake::control().immediate = true;
  return backend.makeKernels(0, nullptr);
}

}  // namespace ops_test
