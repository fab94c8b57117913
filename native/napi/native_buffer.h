#pragma once

#include <memory>

#include "core/buffer.h"
#include "napi/environment.h"

namespace cps::napi {

// NativeBuffer of src/native/binding.ts. Memory is freed by release() unless an ArrayBuffer over it
// was handed out; then the engine's garbage collector frees it, so that JS never sees freed memory.
class NativeBuffer : public Napi::ObjectWrap<NativeBuffer> {
 public:
  static Napi::FunctionReference define(Napi::Env env);
  static Napi::Object create(Napi::Env env, Buffer buffer);
  // The memory that `value` stands for, held beyond its release(). Throws Error(InvalidArgument)
  // where it stands for none, Error(Closed) where it was released.
  static std::shared_ptr<const Buffer> shared(const Napi::Value& value);

  explicit NativeBuffer(const Napi::CallbackInfo& info);
  ~NativeBuffer() override;

 private:
  struct Shared;

  Napi::Value byteLength(const Napi::CallbackInfo& info);
  Napi::Value device(const Napi::CallbackInfo& info);
  Napi::Value address(const Napi::CallbackInfo& info);
  Napi::Value arrayBuffer(const Napi::CallbackInfo& info);
  void copyTo(const Napi::CallbackInfo& info);
  Napi::Value toHost(const Napi::CallbackInfo& info);
  void release(const Napi::CallbackInfo& info);
  void drop(Napi::Env env);
  const std::shared_ptr<Shared>& held(Napi::Env env) const;

  std::shared_ptr<Shared> shared_;
  size_t bytes_ = 0;
  std::string device_;
  bool accounted_ = false;  // our bytes are counted as external memory of the engine
  Napi::ObjectReference arrayBuffer_;
};

}  // namespace cps::napi
