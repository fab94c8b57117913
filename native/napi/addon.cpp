#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "core/error.h"
#include "ffmpeg/version.h"
#include "napi/adoption.h"
#include "napi/arrange.h"
#include "napi/caller_source.h"
#include "napi/environment.h"
#include "napi/native_buffer.h"
#include "napi/native_bytes.h"
#include "napi/native_session.h"
#include "napi/native_video.h"
#include "napi/options_reader.h"
#include "napi/results.h"
#include "ops/cpu_features.h"
#include "pipeline/context.h"
#include "pipeline/pipeline.h"

namespace cps::napi {
namespace {

constexpr int kMostThreads = 1024;  // as decodeThreads

// NativeCancel of src/native/binding.ts.
class NativeCancel : public Napi::ObjectWrap<NativeCancel> {
 public:
  static Napi::FunctionReference define(Napi::Env env) {
    return Napi::Persistent(DefineClass(env, "NativeCancel",
                                        {InstanceMethod<&NativeCancel::cancel>("cancel"),
                                         InstanceMethod<&NativeCancel::timeOut>("timeOut")}));
  }
  explicit NativeCancel(const Napi::CallbackInfo& info) : Napi::ObjectWrap<NativeCancel>(info) {}

  void cancel(const Napi::CallbackInfo& info) {
    token->cancel();
    Environment::of(info.Env()).withdraw(info.Env(), token);
  }
  void timeOut(const Napi::CallbackInfo& info) {
    token->timeOut();
    Environment::of(info.Env()).withdraw(info.Env(), token);
  }

  const CancelPtr token = std::make_shared<CancelToken>();
};

// One that is held open, a caller's own source, or one to open.
VideoInput videoOf(const Napi::Value& value) {
  if (std::optional<VideoInput> opened = NativeVideo::inputOf(value)) return std::move(*opened);
  if (!isCallerSource(value)) return readVideoInput(value);
  VideoInput input;
  input.source = makeCallerSource(value.As<Napi::Object>());
  return input;
}

double millisSince(Profile::Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Profile::Clock::now() - start).count();
}

// A call of the addon, (video, records, cancel) -> promise: `of` takes what it is about, `read` the
// records, `run` does the work as a job. Measures the time in the queue and in all, and applies
// timeoutMs from the moment of the call. Calls in latency mode run one at a time (Note [Modes] in
// media/decode/media_services.h).
template <auto read, auto run, auto of = videoOf>
Napi::Value call(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const auto called = Profile::Clock::now();
    const CancelPtr cancel = readCancel(info[2]);
    const auto options = read(info[1]);
    Context& context = Environment::of(env).context();
    const auto input = of(info[0]);
    if (options.call.timeoutMs > 0) {
      cancel->setDeadline(called + std::chrono::milliseconds(options.call.timeoutMs));
    }
    struct State {
      Profile profile;
      decltype(run(input, options, context, cancel, std::declval<Profile&>())) result;
    };
    auto state = std::make_shared<State>();
    const std::string name = input.describe();
    const auto start = options.source.decodeMode == DecodeMode::Latency
                           ? TaskPool::Start::OneAtATime
                           : TaskPool::Start::Freely;
    return Environment::of(env).run(
        env,
        {cancel,
         [state, cancel, called, name, input, options, &context] {
           state->profile.set("queueMs", millisSince(called));
           namingInput([&] { return name; }, [&] { cancel->check(Stage::Open); });
           state->result = run(input, options, context, cancel, state->profile);
           state->profile.set("totalMs", millisSince(called));
         },
         [state](Napi::Env e) { return toJs(e, state->result, state->profile); }, name, start});
  });
}

// Memory of our own with the bytes of a Uint8Array, which the caller may change from then on.
Napi::Value copyIn(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    if (!info[0].IsTypedArray() ||
        info[0].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
      throw Error(ErrorCode::InvalidArgument, Stage::Options, "Expected a Uint8Array");
    }
    const auto bytes = info[0].As<Napi::Uint8Array>();
    Buffer copy = Buffer::allocate(hostMemory(), bytes.ElementLength());
    std::copy_n(bytes.Data(), bytes.ElementLength(), copy.as<uint8_t>());
    return NativeBuffer::create(env, std::move(copy));
  });
}

Napi::Value createCancel(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return Environment::of(info.Env()).cancelConstructor.New({}); });
}

Napi::Value stats(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Environment& environment = Environment::of(env);
  Napi::Object out = Napi::Object::New(env);
  out.Set("liveBuffers", static_cast<double>(environment.counters()->buffers));
  out.Set("liveBytes", static_cast<double>(environment.counters()->bytes));
  out.Set("callsInFlight", environment.callsInFlight());
  out.Set("threads", environment.context().media().pool->threads());
  return out;
}

// (device, open, cancel): drivers take long to start, so they are asked on a thread of our own.
Napi::Value askDevice(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const int device = info[0].ToNumber().Int32Value();
    const bool open = info[1].ToBoolean();
    struct WhyNot {
      std::string decode = kNoCudaBuild, process = kNoCudaBuild;
    };
    const auto whyNot = std::make_shared<WhyNot>();
    Context& context = Environment::of(env).context();
    return Environment::of(env).run(env, {readCancel(info[2]),
                                          [device, open, whyNot, &context] {
                                            const GpuBackend* gpu = context.gpu();
                                            if (gpu == nullptr) return;
                                            whyNot->decode = gpu->whyNotDecode(device);
                                            whyNot->process = gpu->whyNotProcess(device);
                                            if (open && whyNot->process.empty())
                                              gpu->warmUp(device);
                                          },
                                          [whyNot](Napi::Env e) {
                                            Napi::Object out = Napi::Object::New(e);
                                            out.Set("decode", whyNot->decode);
                                            out.Set("process", whyNot->process);
                                            return out;
                                          }});
  });
}

Napi::Array strings(Napi::Env env, const std::vector<std::string>& values) {
  Napi::Array array = Napi::Array::New(env, values.size());
  for (size_t i = 0; i < values.size(); ++i) array.Set(static_cast<uint32_t>(i), values[i]);
  return array;
}

Napi::Object recordFields(Napi::Env env) {
  Napi::Object out = Napi::Object::New(env);
  for (const auto& [record, names] : recordFieldNames()) out.Set(record, strings(env, names));
  return out;
}

Napi::Array errorCodes(Napi::Env env) {
  std::vector<std::string> names;
  for (int code = 0; code <= static_cast<int>(ErrorCode::Aborted); ++code) {
    names.emplace_back(errorCodeName(static_cast<ErrorCode>(code)));
  }
  return strings(env, names);
}

Napi::Array noteCodes(Napi::Env env) {
  return strings(env, {kNoteCodes.begin(), kNoteCodes.end()});
}

Napi::Object build(Napi::Env env) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("version", CPS_VERSION);
  out.Set("ffmpeg", ffmpegVersion());
#ifdef CPS_CUDA_VERSION
  out.Set("cuda", CPS_CUDA_VERSION);
#else
  out.Set("cuda", env.Null());
#endif
  out.Set("simd", simdName());
  return out;
}

Napi::Value setThreads(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    const int threads = info[0].ToNumber().Int32Value();
    if (threads < 0 || threads > kMostThreads) {
      throw Error(ErrorCode::InvalidArgument, Stage::Options, "threads is out of range");
    }
    Environment::of(env).context().setThreads(threads);
    return env.Undefined();
  });
}

Napi::Value allocate(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    const auto bytes = static_cast<size_t>(info[0].ToNumber().Int64Value());
    return NativeBuffer::create(env, Buffer::allocate(hostMemory(), bytes));
  });
}

Napi::Object fill(Napi::Env env, Napi::Object exports) {
  auto owned = std::make_unique<Environment>(env);
  Environment* const environment = owned.get();
  env.SetInstanceData(owned.release());
  environment->bufferConstructor = NativeBuffer::define(env);
  environment->cancelConstructor = NativeCancel::define(env);
  environment->videoConstructor = NativeVideo::define(env);
  environment->sessionConstructor = NativeSession::define(env);
  exports.Set("recordFields", recordFields(env));
  exports.Set("errorCodes", errorCodes(env));
  exports.Set("noteCodes", noteCodes(env));
  exports.Set("build", build(env));
  exports.Set("stats", Napi::Function::New<stats>(env, "stats"));
  exports.Set("askDevice", Napi::Function::New<askDevice>(env, "askDevice"));
  exports.Set("createCancel", Napi::Function::New<createCancel>(env, "createCancel"));
  exports.Set("patchStream", Napi::Function::New<call<readPatchStreamOptions, runPatchStream>>(
                                 env, "patchStream"));
  exports.Set("openVideo",
              Napi::Function::New<call<readDecodeOnlyOptions, runOpenVideo>>(env, "openVideo"));
  exports.Set("decodeOnly",
              Napi::Function::New<call<readDecodeOnlyOptions, runDecodeOnly>>(env, "decodeOnly"));
  exports.Set("openSession", Napi::Function::New<NativeSession::open>(env, "openSession"));
  exports.Set("adoption", makeAdoption(env));
  exports.Set("allocate", Napi::Function::New<allocate>(env, "allocate"));
  exports.Set("stack", Napi::Function::New<stackTensors>(env, "stack"));
  exports.Set("copyIn", Napi::Function::New<copyIn>(env, "copyIn"));
  exports.Set("resizeFrames",
              Napi::Function::New<call<readDecodeOnlyOptions, runResize, readGivenFrames>>(
                  env, "resizeFrames"));
  exports.Set("arrange",
              Napi::Function::New<call<readDecodeOnlyOptions, runArrange, readArrangeRequest>>(
                  env, "arrange"));
  exports.Set("setThreads", Napi::Function::New<setThreads>(env, "setThreads"));
  return exports;
}

// Loading may fail as any call may, with a code.
Napi::Object init(Napi::Env env, Napi::Object exports) {
  return guarded(env, [&] { return fill(env, exports); });
}

}  // namespace

CancelPtr readCancel(const Napi::Value& value) {
  if (!value.IsObject() || !value.As<Napi::Object>().InstanceOf(
                               Environment::of(value.Env()).cancelConstructor.Value())) {
    throw Error(ErrorCode::InvalidArgument, Stage::Options, "cancel must come from createCancel()");
  }
  return NativeCancel::Unwrap(value.As<Napi::Object>())->token;
}

NODE_API_MODULE(codec_patch_stream, init)

}  // namespace cps::napi
