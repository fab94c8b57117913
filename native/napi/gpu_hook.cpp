#include "napi/gpu_hook.h"

#include "pipeline/context.h"
#ifdef CPS_HAVE_CUDA
#include "cuda/gpu_backend.h"
#endif

namespace cps::napi {

void configureGpu(Context& context) {
#ifdef CPS_HAVE_CUDA
  context.setGpu(makeGpuBackend());
#else
  static_cast<void>(context);
#endif
}

}  // namespace cps::napi
