#pragma once

#include "core/profile.h"
#include "napi/environment.h"
#include "pipeline/inputs.h"
#include "pipeline/pipeline.h"

namespace cps::napi {

// Results as src/native/binding.ts describes them (NativePatchResult, NativeFramesResult,
// NativeOpened).
Napi::Value toJs(Napi::Env env, PatchResult& result, const Profile& profile);
Napi::Value toJs(Napi::Env env, FramesResult& result, const Profile& profile);
Napi::Value toJs(Napi::Env env, OpenedVideo& result, const Profile& profile);

// NativeArranged and NativeResized.
Napi::Value toJs(Napi::Env env, ResizedFrames& result, const Profile& profile);
Napi::Value toJs(Napi::Env env, ArrangedPixels& result, const Profile& profile);

}  // namespace cps::napi
