#pragma once

namespace cps {
class Context;
}

namespace cps::napi {

// Composition root: hands the GPU backend to the context when this build has one.
void configureGpu(Context& context);

}  // namespace cps::napi
