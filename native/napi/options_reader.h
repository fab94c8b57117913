#pragma once

#include <string>
#include <vector>

#include "core/options.h"
#include "napi/environment.h"

namespace cps::napi {

// Records as src/options/schema.ts makes them: complete, checked. A missing or mistyped field is a
// bug of the TypeScript side and throws Error(InvalidArgument) naming it.
DecodeOptions readDecodeOptions(const Napi::Value& record);
PatchOptions readPatchOptions(const Napi::Value& record);
FrameOptions readFrameOptions(const Napi::Value& record);

// A path, or bytes (copied here: the caller may change them while the call runs).
VideoInput readVideoInput(const Napi::Value& value);

// Names of the fields each of the above reads.
std::vector<std::string> decodeFieldNames();
std::vector<std::string> patchFieldNames();
std::vector<std::string> frameFieldNames();

}  // namespace cps::napi
