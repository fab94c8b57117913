#pragma once

#include <memory>

#include "core/caller_bytes.h"
#include "napi/environment.h"

namespace cps::napi {

// NativeSource of src/native/source.ts: an object with size, name and read(offset, length, settle).
bool isCallerSource(const Napi::Value& value);

// Its function is called on the JS thread alone, and let go of there, whatever thread asks.
std::shared_ptr<CallerBytes> makeCallerSource(const Napi::Object& source);

}  // namespace cps::napi
