#include "napi/gpu_hook.h"

#include "pipeline/context.h"

namespace cps::napi {

void configureGpu(Context& context) { static_cast<void>(context); }

}  // namespace cps::napi
