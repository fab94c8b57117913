#pragma once

#include <memory>

#include "core/options.h"
#include "media/decode/held_video.h"
#include "napi/environment.h"

namespace cps::napi {

// NativeVideo of src/native/contract.ts: a video that is held open, all of it or a part.
class NativeVideo : public Napi::ObjectWrap<NativeVideo> {
 public:
  static Napi::FunctionReference define(Napi::Env env);
  static Napi::Object create(Napi::Env env, std::shared_ptr<const HeldVideo> video);
  // Nothing where `value` is none; throws Error(Closed) where it was released.
  static std::optional<VideoInput> inputOf(const Napi::Value& value);

  explicit NativeVideo(const Napi::CallbackInfo& info);

 private:
  Napi::Value info(const Napi::CallbackInfo& info);
  Napi::Value timestampsSec(const Napi::CallbackInfo& info);
  Napi::Value secondsFromStart(const Napi::CallbackInfo& info);
  Napi::Value keyFrameIndices(const Napi::CallbackInfo& info);
  Napi::Value packetBytes(const Napi::CallbackInfo& info);
  Napi::Value reader(const Napi::CallbackInfo& info);
  Napi::Value part(const Napi::CallbackInfo& info);
  void release(const Napi::CallbackInfo& info);
  const HeldVideo& held() const;

  std::shared_ptr<const HeldVideo> video_;
  std::optional<FramePart> part_;
};

}  // namespace cps::napi
