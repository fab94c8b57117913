#pragma once

#include "napi/environment.h"
#include "pipeline/inputs.h"

namespace cps::napi {

// The plan that src/inputs/native-copy.ts makes.
ArrangeRequest readArrangeRequest(const Napi::Value& value);
// { source, byteOffset, count, height, width }
GivenFrames readGivenFrames(const Napi::Value& value);

}  // namespace cps::napi
