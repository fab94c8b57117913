#include "napi/results.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "napi/native_buffer.h"
#include "napi/native_video.h"

namespace cps::napi {
namespace {

template <typename T>
Napi::Array numbers(Napi::Env env, const std::vector<T>& values) {
  Napi::Array array = Napi::Array::New(env, values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    array.Set(static_cast<uint32_t>(i), Napi::Number::New(env, static_cast<double>(values[i])));
  }
  return array;
}

Napi::Float64Array doubles(Napi::Env env, const std::vector<double>& values) {
  Napi::Float64Array array = Napi::Float64Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

Napi::Array flags(Napi::Env env, const std::vector<uint8_t>& values) {
  Napi::Array array = Napi::Array::New(env, values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    array.Set(static_cast<uint32_t>(i), Napi::Boolean::New(env, values[i] != 0));
  }
  return array;
}

Napi::Array notes(Napi::Env env, const std::vector<Note>& values) {
  Napi::Array array = Napi::Array::New(env, values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    Napi::Object note = Napi::Object::New(env);
    note.Set("code", std::string(values[i].code.text()));
    note.Set("message", values[i].message);
    if (!values[i].frames.empty()) note.Set("frames", numbers(env, values[i].frames));
    array.Set(static_cast<uint32_t>(i), note);
  }
  return array;
}

Napi::Object timings(Napi::Env env, const Profile& profile) {
  Napi::Object out = Napi::Object::New(env);
  for (const auto& [key, value] : profile.values()) out.Set(key, value);
  return out;
}

Napi::Value augmentation(Napi::Env env, const std::optional<DrawnAugmentation>& drawn) {
  if (!drawn) return env.Null();
  Napi::Object crop = Napi::Object::New(env);
  crop.Set("top", drawn->crop.top);
  crop.Set("left", drawn->crop.left);
  crop.Set("height", drawn->crop.height);
  crop.Set("width", drawn->crop.width);
  Napi::Object out = Napi::Object::New(env);
  out.Set("crop", crop);
  out.Set("flipped", drawn->flipped);
  return out;
}

Napi::Object sampleToJs(Napi::Env env, const SampleInfo& sample, const Profile& profile) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("sampledFrameIds", numbers(env, sample.frameIds));
  out.Set("timestampsSec", numbers(env, sample.timestampsSec));
  out.Set("secondsFromStart", doubles(env, sample.secondsFromStart));
  out.Set("isKeyFrame", flags(env, sample.isKeyFrame));
  out.Set("fps", sample.video.fps);
  out.Set("durationSec", sample.video.durationSec);
  out.Set("width", sample.video.width);
  out.Set("height", sample.video.height);
  out.Set("totalFrames", static_cast<double>(sample.video.totalFrames));
  out.Set("codec", sample.video.codec);
  out.Set("format", sample.video.format);
  Napi::Object backend = Napi::Object::New(env);
  backend.Set("decode", sample.decodeBackend);
  backend.Set("process", sample.processBackend);
  out.Set("backend", backend);
  out.Set("fallbackReason", sample.fallbackReason);
  out.Set("notes", notes(env, sample.notes));
  Napi::Array replaced = Napi::Array::New(env, sample.replaced.size());
  for (size_t i = 0; i < sample.replaced.size(); ++i) {
    const ReplacedFrame& frame = sample.replaced[i];
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("seqPos", frame.position);
    entry.Set("wantedId", static_cast<double>(frame.wanted));
    entry.Set("givenId", static_cast<double>(frame.given));
    replaced.Set(static_cast<uint32_t>(i), entry);
  }
  out.Set("replacedFrames", replaced);
  out.Set("skippedFrameIds", numbers(env, sample.skipped));
  out.Set("augmentation", augmentation(env, sample.augmentation));
  out.Set("timings", timings(env, profile));
  return out;
}

// What every call reports, of work on the host.
Napi::Object hostWork(Napi::Env env, const Profile& profile) {
  Napi::Object out = Napi::Object::New(env);
  Napi::Object backend = Napi::Object::New(env);
  backend.Set("decode", "cpu");
  backend.Set("process", "cpu");
  out.Set("backend", backend);
  out.Set("notes", Napi::Array::New(env));
  out.Set("timings", timings(env, profile));
  return out;
}

}  // namespace

Napi::Value toJs(Napi::Env env, PatchResult& result, const Profile& profile) {
  Napi::Object out = sampleToJs(env, result.sample, profile);
  out.Set("patches", NativeBuffer::create(env, std::move(result.patches)));
  out.Set("count", static_cast<double>(result.count));
  out.Set("fields", NativeBuffer::create(env, std::move(result.fields)));
  out.Set("scores", NativeBuffer::create(env, std::move(result.scores)));
  out.Set("frameScores", NativeBuffer::create(env, std::move(result.frameScores)));
  if (result.maps) {
    Napi::Object maps = Napi::Object::New(env);
    maps.Set("rows", result.maps->rows);
    maps.Set("cols", result.maps->cols);
    if (result.maps->motion2) {
      maps.Set("motion2", NativeBuffer::create(env, std::move(result.maps->motion2)));
    }
    maps.Set("residual", NativeBuffer::create(env, std::move(result.maps->residual)));
    maps.Set("energy", NativeBuffer::create(env, std::move(result.maps->energy)));
    out.Set("maps", maps);
  }
  out.Set("isI", flags(env, result.isI));
  Napi::Object grid = Napi::Object::New(env);
  grid.Set("t", static_cast<double>(result.isI.size()));
  grid.Set("h", result.grid.rows);
  grid.Set("w", result.grid.cols);
  out.Set("grid", grid);
  if (result.letterbox) {
    Napi::Object bars = Napi::Object::New(env);
    bars.Set("top", result.letterbox->top);
    bars.Set("bottom", result.letterbox->bottom);
    bars.Set("left", result.letterbox->left);
    bars.Set("right", result.letterbox->right);
    out.Set("letterbox", bars);
  }
  out.Set("targetWidth", result.grid.targetWidth);
  out.Set("targetHeight", result.grid.targetHeight);
  return out;
}

Napi::Value toJs(Napi::Env env, ArrangedPixels& result, const Profile& profile) {
  Napi::Object out = hostWork(env, profile);
  out.Set("data", NativeBuffer::create(env, std::move(result.data)));
  return out;
}

Napi::Value toJs(Napi::Env env, ResizedFrames& result, const Profile& profile) {
  Napi::Object out = hostWork(env, profile);
  out.Set("frames", NativeBuffer::create(env, std::move(result.frames)));
  out.Set("height", result.height);
  out.Set("width", result.width);
  return out;
}

Napi::Value toJs(Napi::Env env, OpenedVideo& result, const Profile& profile) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("video", NativeVideo::create(env, std::move(result.video)));
  Napi::Object backend = Napi::Object::New(env);
  backend.Set("decode", "cpu");
  backend.Set("process", "cpu");
  out.Set("backend", backend);
  out.Set("notes", notes(env, result.notes));
  out.Set("timings", timings(env, profile));
  return out;
}

Napi::Value toJs(Napi::Env env, FramesResult& result, const Profile& profile) {
  Napi::Object out = sampleToJs(env, result.sample, profile);
  out.Set("frames", NativeBuffer::create(env, std::move(result.frames)));
  out.Set("framesWidth", result.width);
  out.Set("framesHeight", result.height);
  return out;
}

}  // namespace cps::napi
