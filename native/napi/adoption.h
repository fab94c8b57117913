#pragma once

#include "napi/environment.h"

namespace cps::napi {

// NativeAdoption of src/native/contract.ts: our memory as tensors of TensorFlow.
Napi::Object makeAdoption(Napi::Env env);

}  // namespace cps::napi
