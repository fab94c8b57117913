#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/options.h"
#include "napi/environment.h"

namespace cps::napi {

// Records as src/options/records.ts makes them: complete, checked. A missing or mistyped field is a
// bug of the TypeScript side and throws Error(InvalidArgument) naming it.
PatchStreamOptions readPatchStreamOptions(const Napi::Value& records);
DecodeOnlyOptions readDecodeOnlyOptions(const Napi::Value& records);

// A path, or bytes (copied here: the caller may change them while the call runs).
VideoInput readVideoInput(const Napi::Value& value);

// Names of the fields that are read, by record.
std::map<std::string, std::vector<std::string>> recordFieldNames();

}  // namespace cps::napi
