#include "napi/native_session.h"

#include <filesystem>
#include <utility>

#include "napi/native_buffer.h"
#include "napi/native_bytes.h"
#include "napi/options_reader.h"

namespace cps::napi {
namespace {

struct Opened {
  ort::SessionPtr session;
  int64_t modelBytes = 0;
};

Napi::Array dimsToJs(Napi::Env env, const std::vector<int64_t>& dims,
                     const std::vector<std::string>* symbols) {
  Napi::Array array = Napi::Array::New(env, dims.size());
  for (uint32_t i = 0; i < dims.size(); ++i) {
    if (dims[i] < 0 && symbols != nullptr) {
      array.Set(i, (*symbols)[i]);
    } else {
      array.Set(i, static_cast<double>(dims[i]));
    }
  }
  return array;
}

Napi::Array valuesToJs(Napi::Env env, const std::vector<ort::ModelValue>& values) {
  Napi::Array array = Napi::Array::New(env, values.size());
  for (uint32_t i = 0; i < values.size(); ++i) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("name", values[i].name);
    entry.Set("type", values[i].type);
    entry.Set("shape", dimsToJs(env, values[i].dims, &values[i].symbols));
    array.Set(i, entry);
  }
  return array;
}

ort::SessionConfig readConfig(const Napi::Object& value) {
  ort::SessionConfig config;
  const auto providers = value.Get("providers").As<Napi::Array>();
  for (uint32_t i = 0; i < providers.Length(); ++i) {
    const auto entry = providers.Get(i).As<Napi::Object>();
    const std::string name = entry.Get("name").ToString();
    const auto options = entry.Get("options").As<Napi::Object>();
    const Napi::Array keys = options.GetPropertyNames();
    for (uint32_t k = 0; k < keys.Length(); ++k) {
      const std::string key = keys.Get(k).ToString();
      config.providerOptions[name][key] = options.Get(key).ToString();
    }
    config.providers.push_back(name);
  }
  config.deviceId = value.Get("deviceId").ToNumber().Int32Value();
  config.intraOpNumThreads = value.Get("intraOpNumThreads").ToNumber().Int32Value();
  return config;
}

std::vector<ort::Input> readInputs(const Napi::Array& list) {
  std::vector<ort::Input> inputs;
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const auto entry = list.Get(i).As<Napi::Object>();
    ort::Input input;
    input.name = entry.Get("name").ToString();
    input.type = entry.Get("type").ToNumber().Int32Value();
    const auto dims = entry.Get("dims").As<Napi::Array>();
    for (uint32_t k = 0; k < dims.Length(); ++k) {
      input.dims.push_back(dims.Get(k).ToNumber().Int64Value());
    }
    Bytes bytes = readBytes(entry);
    input.data = bytes.data;
    input.bytes = bytes.bytes;
    input.device = bytes.device;
    input.owner = std::move(bytes.owner);
    inputs.push_back(std::move(input));
  }
  return inputs;
}

Napi::Value outputsToJs(Napi::Env env, std::vector<ort::Output>& outputs) {
  Napi::Array array = Napi::Array::New(env, outputs.size());
  for (uint32_t i = 0; i < outputs.size(); ++i) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("name", outputs[i].name);
    entry.Set("type", outputs[i].type);
    entry.Set("dims", dimsToJs(env, outputs[i].dims, nullptr));
    entry.Set("memory", NativeBuffer::create(env, std::move(outputs[i].buffer)));
    array.Set(i, entry);
  }
  return array;
}

}  // namespace

Napi::FunctionReference NativeSession::define(Napi::Env env) {
  return Napi::Persistent(DefineClass(
      env, "NativeSession",
      {InstanceMethod<&NativeSession::inputs>("inputs"),
       InstanceMethod<&NativeSession::outputs>("outputs"),
       InstanceMethod<&NativeSession::device>("device"), InstanceMethod<&NativeSession::run>("run"),
       InstanceMethod<&NativeSession::release>("release")}));
}

NativeSession::NativeSession(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<NativeSession>(info) {}

NativeSession::~NativeSession() { forget(Env()); }

void NativeSession::forget(Napi::Env env) {
  if (modelBytes_ > 0) Napi::MemoryManagement::AdjustExternalMemory(env, -modelBytes_);
  modelBytes_ = 0;
  session_.reset();
}

Napi::Value NativeSession::open(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    const std::string library = info[0].ToString();
    const VideoInput source = readVideoInput(info[1]);  // a path, or bytes that are copied
    const ort::Model model{source.path, source.bytes};
    const ort::SessionConfig config = readConfig(info[2].As<Napi::Object>());
    auto opened = std::make_shared<Opened>();
    return Environment::of(env).run(
        env,
        {readCancel(info[3]),
         [opened, library, model, config] {
           opened->session = ort::Session::create(ort::Library::attach(library), model, config);
           std::error_code none;
           opened->modelBytes = static_cast<int64_t>(
               model.bytes ? model.bytes->size() : std::filesystem::file_size(model.path, none));
           if (none) opened->modelBytes = 0;
         },
         [opened](Napi::Env e) -> Napi::Value {
           const Napi::Object object = Environment::of(e).sessionConstructor.New({});
           NativeSession* const self = Unwrap(object);
           self->session_ = std::move(opened->session);
           self->modelBytes_ = opened->modelBytes;
           Napi::MemoryManagement::AdjustExternalMemory(e, self->modelBytes_);
           return object;
         }});
  });
}

const ort::SessionPtr& NativeSession::held() const {
  if (!session_) throw Error(ErrorCode::Closed, Stage::Process, "The session was released");
  return session_;
}

Napi::Value NativeSession::inputs(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return valuesToJs(info.Env(), held()->inputs()); });
}

Napi::Value NativeSession::outputs(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return valuesToJs(info.Env(), held()->outputs()); });
}

Napi::Value NativeSession::device(const Napi::CallbackInfo& info) {
  return guarded(info.Env(),
                 [&] { return Napi::String::New(info.Env(), held()->device().name()); });
}

Napi::Value NativeSession::run(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    auto inputs = readInputs(info[0].As<Napi::Array>());
    const bool onDevice = info[1].ToBoolean();
    const CancelPtr cancel = readCancel(info[2]);
    auto outputs = std::make_shared<std::vector<ort::Output>>();
    return Environment::of(env).run(
        env, {cancel,
              [session = held(), inputs = std::move(inputs), onDevice, cancel, outputs] {
                *outputs = session->run(inputs, onDevice, cancel);
              },
              [outputs](Napi::Env e) { return outputsToJs(e, *outputs); }});
  });
}

// ONNX Runtime joins threads and frees what may be gigabytes: not on the JS thread.
Napi::Value NativeSession::release(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    auto last = std::make_shared<ort::SessionPtr>(std::move(session_));
    forget(env);
    return Environment::of(env).run(env,
                                    {std::make_shared<CancelToken>(), [last] { last->reset(); },
                                     [](Napi::Env e) { return e.Undefined(); }});
  });
}

}  // namespace cps::napi
