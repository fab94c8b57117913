#pragma once

#include <memory>

#include "core/device.h"
#include "napi/environment.h"

namespace cps::napi {

// Memory that a call reads on other threads (NativeBytes of src/native/contract.ts): the addon's
// own is held, JavaScript's is copied now, since it may be changed, transferred or freed meanwhile.
struct Bytes {
  const void* data = nullptr;
  size_t bytes = 0;
  Device device;
  const MemoryResource* memory = nullptr;
  std::shared_ptr<const void> owner;
};

Bytes readBytes(const Napi::Object& value);

// For memory of a GPU, which libraries of others may have made in a build that has no CUDA itself:
// then Error(BackendUnavailable).
const GpuBackend* gpuOf(Environment& environment);

// stack() of src/native/contract.ts.
Napi::Value stackTensors(const Napi::CallbackInfo& info);

}  // namespace cps::napi
