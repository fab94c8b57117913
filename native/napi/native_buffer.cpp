#include "napi/native_buffer.h"

#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "napi/native_bytes.h"

namespace cps::napi {

// One block and its place in the statistics; shared by the wrapper and by the ArrayBuffer over it.
struct NativeBuffer::Shared {
  Shared(Buffer b, std::shared_ptr<BufferCounters> c)
      : buffer(std::move(b)), counters(std::move(c)), bytes(static_cast<int64_t>(buffer.bytes())) {
    ++counters->buffers;
    counters->bytes += bytes;
  }
  ~Shared() {
    --counters->buffers;
    counters->bytes -= bytes;
  }

  Buffer buffer;
  std::shared_ptr<BufferCounters> counters;
  int64_t bytes;
};

namespace {

// The constructor is reachable from JS through any instance; only create() may use it.
struct Handover {
  Buffer buffer;
};

}  // namespace

Napi::FunctionReference NativeBuffer::define(Napi::Env env) {
  const Napi::Function constructor =
      DefineClass(env, "NativeBuffer",
                  {InstanceAccessor<&NativeBuffer::byteLength>("byteLength"),
                   InstanceAccessor<&NativeBuffer::device>("device"),
                   InstanceAccessor<&NativeBuffer::address>("address"),
                   InstanceMethod<&NativeBuffer::arrayBuffer>("arrayBuffer"),
                   InstanceMethod<&NativeBuffer::copyTo>("copyTo"),
                   InstanceMethod<&NativeBuffer::toHost>("toHost"),
                   InstanceMethod<&NativeBuffer::release>("release")});
  return Napi::Persistent(constructor);
}

Napi::Object NativeBuffer::create(Napi::Env env, Buffer buffer) {
  Handover handover{std::move(buffer)};
  return Environment::of(env).bufferConstructor.New(
      {Napi::External<Handover>::New(env, &handover)});
}

std::shared_ptr<const Buffer> NativeBuffer::shared(const Napi::Value& value) {
  const Napi::Function constructor = Environment::of(value.Env()).bufferConstructor.Value();
  if (!value.IsObject() || !value.As<Napi::Object>().InstanceOf(constructor)) {
    throw Error(ErrorCode::InvalidArgument, Stage::Options, "Expected memory of the addon");
  }
  const std::shared_ptr<Shared>& held = Unwrap(value.As<Napi::Object>())->shared_;
  if (!held) throw Error(ErrorCode::Closed, Stage::Process, "The memory was released by close()");
  return {held, &held->buffer};
}

NativeBuffer::NativeBuffer(const Napi::CallbackInfo& info) : Napi::ObjectWrap<NativeBuffer>(info) {
  if (info.Length() != 1 || !info[0].IsExternal()) {
    throw Napi::TypeError::New(info.Env(), "NativeBuffer cannot be constructed");
  }
  Buffer buffer = std::move(info[0].As<Napi::External<Handover>>().Data()->buffer);
  bytes_ = buffer.bytes();
  device_ = buffer.device().name();
  shared_ = std::make_shared<Shared>(std::move(buffer), Environment::of(info.Env()).counters());
  accounted_ = true;
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), static_cast<int64_t>(bytes_));
}

NativeBuffer::~NativeBuffer() {
  if (accounted_) {
    Napi::MemoryManagement::AdjustExternalMemory(Env(), -static_cast<int64_t>(bytes_));
  }
}

const std::shared_ptr<NativeBuffer::Shared>& NativeBuffer::held(Napi::Env env) const {
  if (!shared_) {
    throw toJsError(env, std::make_exception_ptr(Error(ErrorCode::Closed, Stage::Process,
                                                       "The memory was released by close()")));
  }
  return shared_;
}

Napi::Value NativeBuffer::byteLength(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(bytes_));
}

Napi::Value NativeBuffer::device(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), device_);
}

Napi::Value NativeBuffer::address(const Napi::CallbackInfo& info) {
  const auto value = shared_ ? reinterpret_cast<uintptr_t>(shared_->buffer.data()) : uintptr_t{0};
  return Napi::BigInt::New(info.Env(), static_cast<uint64_t>(value));
}

Napi::Value NativeBuffer::arrayBuffer(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto& shared = held(env);
  if (!shared->buffer.device().isCpu()) {
    throw Napi::TypeError::New(env, "Memory of " + device_ + " has no ArrayBuffer; use toHost()");
  }
  if (!arrayBuffer_.IsEmpty()) return arrayBuffer_.Value();
  auto hold = std::make_unique<std::shared_ptr<Shared>>(shared);
  const Napi::ArrayBuffer array = Napi::ArrayBuffer::New(
      env, shared->buffer.data(), bytes_,
      [](Napi::Env, void*, std::shared_ptr<Shared>* data) { delete data; }, hold.get());
  hold.release();  // the ArrayBuffer's now; where it could not be made, nobody else frees it
  // From here on the engine counts the bytes itself, with the ArrayBuffer.
  if (accounted_) {
    Napi::MemoryManagement::AdjustExternalMemory(env, -static_cast<int64_t>(bytes_));
    accounted_ = false;
  }
  arrayBuffer_ = Napi::Persistent(array.As<Napi::Object>());
  return array;
}

void NativeBuffer::copyTo(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto& shared = held(env);
  if (!shared->buffer.device().isCpu()) {
    throw Napi::TypeError::New(env, "Memory of " + device_ + " cannot be copied; use toHost()");
  }
  if (info.Length() != 2 || !info[0].IsTypedArray() || !info[1].IsNumber()) {
    throw Napi::TypeError::New(env, "Expected copyTo(target, byteOffset)");
  }
  // The elements' own address: a SharedArrayBuffer below them is no ArrayBuffer to Node 20.
  void* to = nullptr;
  size_t bytes = 0;
  const napi_status status =
      napi_get_typedarray_info(env, info[0], nullptr, &bytes, &to, nullptr, nullptr);
  NAPI_THROW_IF_FAILED_VOID(env, status);
  bytes *= info[0].As<Napi::TypedArray>().ElementSize();
  const double offset = info[1].As<Napi::Number>().DoubleValue();
  if (!(offset >= 0) || offset + static_cast<double>(bytes) > static_cast<double>(bytes_)) {
    throw Napi::RangeError::New(
        env, "Expected a part of the memory's " + std::to_string(bytes_) + " bytes for the copy");
  }
  if (bytes == 0) return;
  const auto* from = static_cast<const uint8_t*>(shared->buffer.data());
  std::memcpy(to, from + static_cast<size_t>(offset), bytes);
}

Napi::Value NativeBuffer::toHost(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto shared = held(env);
  if (shared->buffer.device().isCpu()) {
    const auto deferred = Napi::Promise::Deferred::New(env);
    deferred.Resolve(arrayBuffer(info));
    return deferred.Promise();
  }
  auto host = std::make_shared<Buffer>();
  Environment& environment = Environment::of(env);
  const GpuBackend* gpu = guarded(env, [&] { return gpuOf(environment); });
  return environment.run(
      env, {std::make_shared<CancelToken>(),
            [shared, host, gpu] { *host = gpu->downloadPinned(shared->buffer); },
            [host](Napi::Env e) -> Napi::Value {
              const Napi::Object wrapper = create(e, std::move(*host));
              return wrapper.Get("arrayBuffer").As<Napi::Function>().Call(wrapper, {});
            }});
}

void NativeBuffer::release(const Napi::CallbackInfo& info) { drop(info.Env()); }

void NativeBuffer::drop(Napi::Env env) {
  arrayBuffer_.Reset();
  shared_.reset();
  if (accounted_) {
    Napi::MemoryManagement::AdjustExternalMemory(env, -static_cast<int64_t>(bytes_));
    accounted_ = false;
  }
}

}  // namespace cps::napi
