#include "napi/native_video.h"

#include <utility>
#include <vector>

#include "core/error.h"

namespace cps::napi {
namespace {

// A typed array of `count` values.
template <typename Array, typename Value>
Napi::Value arrayOf(Napi::Env env, size_t count, const Value& value) {
  Array array = Array::New(env, count);
  for (size_t i = 0; i < count; ++i) array[i] = value(i);
  return array;
}

Napi::Value textOrNull(Napi::Env env, const std::string& text) {
  if (text.empty()) return env.Null();
  return Napi::String::New(env, text);
}

}  // namespace

Napi::FunctionReference NativeVideo::define(Napi::Env env) {
  return Napi::Persistent(DefineClass(
      env, "NativeVideo",
      {InstanceMethod<&NativeVideo::info>("info"),
       InstanceMethod<&NativeVideo::timestampsSec>("timestampsSec"),
       InstanceMethod<&NativeVideo::secondsFromStart>("secondsFromStart"),
       InstanceMethod<&NativeVideo::keyFrameIndices>("keyFrameIndices"),
       InstanceMethod<&NativeVideo::packetBytes>("packetBytes"),
       InstanceMethod<&NativeVideo::reader>("reader"), InstanceMethod<&NativeVideo::part>("part"),
       InstanceMethod<&NativeVideo::release>("release")}));
}

NativeVideo::NativeVideo(const Napi::CallbackInfo& info) : Napi::ObjectWrap<NativeVideo>(info) {}

Napi::Object NativeVideo::create(Napi::Env env, std::shared_ptr<const HeldVideo> video) {
  const Napi::Object object = Environment::of(env).videoConstructor.New({});
  Unwrap(object)->video_ = std::move(video);
  return object;
}

std::optional<VideoInput> NativeVideo::inputOf(const Napi::Value& value) {
  if (!value.IsObject()) return std::nullopt;
  const auto object = value.As<Napi::Object>();
  if (!object.InstanceOf(Environment::of(value.Env()).videoConstructor.Value())) {
    return std::nullopt;
  }
  const NativeVideo& self = *Unwrap(object);
  self.held();
  VideoInput input;
  input.opened = self.video_;
  input.part = self.part_;
  return input;
}

const HeldVideo& NativeVideo::held() const {
  if (!video_) throw Error(ErrorCode::Closed, Stage::Open, "The video is closed");
  return *video_;
}

Napi::Value NativeVideo::info(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    const FrameIndexPtr index = held().index();
    const VideoInfo& video = index->info;
    const VideoDetails& details = held().details();
    Napi::Object out = Napi::Object::New(env);
    out.Set("codec", video.codec);
    out.Set("format", video.format);
    out.Set("width", video.width);
    out.Set("height", video.height);
    out.Set("rotation", details.rotation);
    out.Set("mirrored", details.mirrored);
    Napi::Object color = Napi::Object::New(env);
    color.Set("matrix", textOrNull(env, details.matrix));
    color.Set("range", textOrNull(env, details.range));
    color.Set("primaries", textOrNull(env, details.primaries));
    color.Set("transfer", textOrNull(env, details.transfer));
    const bool known = details.bitDepth > 0;
    color.Set("bitDepth", known ? Napi::Number::New(env, details.bitDepth) : env.Null());
    out.Set("color", color);
    out.Set("totalFrames", static_cast<double>(video.totalFrames));
    out.Set("fps", video.fps);
    out.Set("durationSec", video.durationSec);
    return Napi::Value(out);
  });
}

Napi::Value NativeVideo::timestampsSec(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const FrameIndexPtr index = held().index();
    return arrayOf<Napi::Float64Array>(info.Env(), index->display.size(),
                                       [&](size_t d) { return index->timestampsSec[d]; });
  });
}

Napi::Value NativeVideo::secondsFromStart(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const FrameIndexPtr index = held().index();
    return arrayOf<Napi::Float64Array>(info.Env(), index->display.size(), [&](size_t d) {
      return index->secondsFromStart(static_cast<int64_t>(d));
    });
  });
}

Napi::Value NativeVideo::keyFrameIndices(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const FrameIndexPtr index = held().index();
    std::vector<int32_t> keys;
    for (size_t d = 0; d < index->display.size(); ++d) {
      if (index->packets[static_cast<size_t>(index->display[d])].key) {
        keys.push_back(static_cast<int32_t>(d));
      }
    }
    return arrayOf<Napi::Int32Array>(info.Env(), keys.size(), [&](size_t i) { return keys[i]; });
  });
}

Napi::Value NativeVideo::packetBytes(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const FrameIndexPtr index = held().index();
    return arrayOf<Napi::Int32Array>(info.Env(), index->display.size(), [&](size_t d) {
      return index->packets[static_cast<size_t>(index->display[d])].size;
    });
  });
}

Napi::Value NativeVideo::reader(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return Napi::Value(create(info.Env(), held().reader())); });
}

Napi::Value NativeVideo::part(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const FramePart part{info[0].ToNumber().Int64Value(), info[1].ToNumber().Int64Value()};
    const int64_t frames = held().index()->info.totalFrames;
    if (part.from < 0 || part.from >= part.to || part.to > frames) {
      throw Error(ErrorCode::InvalidArgument, Stage::Options, "part is out of range");
    }
    Napi::Object object = create(info.Env(), video_);
    Unwrap(object)->part_ = part;
    return Napi::Value(object);
  });
}

void NativeVideo::release(const Napi::CallbackInfo& /*info*/) { video_.reset(); }

}  // namespace cps::napi
