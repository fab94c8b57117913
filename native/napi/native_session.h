#pragma once

#include "napi/environment.h"
#include "ort/session.h"

namespace cps::napi {

// NativeSession of src/native/contract.ts: a session of ONNX Runtime.
class NativeSession : public Napi::ObjectWrap<NativeSession> {
 public:
  static Napi::FunctionReference define(Napi::Env env);
  explicit NativeSession(const Napi::CallbackInfo& info);
  ~NativeSession() override;

  // openSession() of src/native/contract.ts.
  static Napi::Value open(const Napi::CallbackInfo& info);

 private:
  Napi::Value inputs(const Napi::CallbackInfo& info);
  Napi::Value outputs(const Napi::CallbackInfo& info);
  Napi::Value device(const Napi::CallbackInfo& info);
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value release(const Napi::CallbackInfo& info);
  const ort::SessionPtr& held() const;
  void forget(Napi::Env env);

  ort::SessionPtr session_;
  int64_t modelBytes_ = 0;  // what the collector is told, since it cannot see a session's memory
};

// The token of a NativeCancel; throws Error(InvalidArgument) for anything else.
CancelPtr readCancel(const Napi::Value& value);

}  // namespace cps::napi
