#include "napi/adoption.h"

#include <utility>

#include "napi/native_bytes.h"
#include "tf/adoption.h"

namespace cps::napi {
namespace {

Napi::Value attach(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    const tf::Attached attached = tf::attach(info[0].ToBoolean());
    Napi::Object out = Napi::Object::New(env);
    out.Set("version", attached.version);
    out.Set("op", attached.op);
    return out;
  });
}

Napi::Value offer(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    tf::Offer offer;
    offer.type = info[0].ToNumber().Int32Value();
    const auto dims = info[1].As<Napi::Array>();
    for (uint32_t i = 0; i < dims.Length(); ++i) {
      offer.dims.push_back(dims.Get(i).ToNumber().Int64Value());
    }
    Bytes bytes = readBytes(info[2].As<Napi::Object>());
    if (!bytes.device.isCpu()) {
      if (bytes.device.id != 0) {
        throw Error(ErrorCode::InvalidArgument, Stage::Process, "Expected memory of device 0");
      }
      const GpuBackend* const gpu = gpuOf(Environment::of(env));
      offer.settle = [settle = gpu->settle] { settle(0); };
    }
    offer.data = const_cast<void*>(bytes.data);
    offer.bytes = bytes.bytes;
    offer.owner = std::move(bytes.owner);
    return Napi::Number::New(env, tf::offer(std::move(offer)));
  });
}

Napi::Value withdraw(const Napi::CallbackInfo& info) {
  tf::withdraw(info[0].ToNumber().Int32Value());
  return info.Env().Undefined();
}

}  // namespace

Napi::Object makeAdoption(Napi::Env env) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("attach", Napi::Function::New<attach>(env, "attach"));
  out.Set("offer", Napi::Function::New<offer>(env, "offer"));
  out.Set("withdraw", Napi::Function::New<withdraw>(env, "withdraw"));
  return out;
}

}  // namespace cps::napi
