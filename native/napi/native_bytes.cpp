#include "napi/native_bytes.h"

#include <cstring>
#include <utility>
#include <vector>

#include "backend/stack.h"
#include "napi/native_buffer.h"

namespace cps::napi {
namespace {

// A typed array's elements, also over a SharedArrayBuffer.
Bytes copied(const Napi::Value& array) {
  void* data = nullptr;
  size_t count = 0;
  const napi_status status =
      napi_get_typedarray_info(array.Env(), array, nullptr, &count, &data, nullptr, nullptr);
  NAPI_THROW_IF_FAILED(array.Env(), status, Bytes());
  const size_t bytes = count * array.As<Napi::TypedArray>().ElementSize();
  auto copy = std::make_shared<Buffer>(Buffer::allocate(hostMemory(), bytes));
  if (bytes > 0) std::memcpy(copy->data(), data, bytes);
  return {copy->data(), bytes, Device::cpu(), copy->memory(), copy};
}

}  // namespace

const GpuBackend* gpuOf(Environment& environment) {
  const GpuBackend* gpu = environment.context().gpu();
  if (gpu != nullptr) return gpu;
  throw Error(ErrorCode::BackendUnavailable, Stage::Transfer,
              std::string("Memory of a GPU cannot be read: ") + kNoCudaBuild);
}

Bytes readBytes(const Napi::Object& value) {
  const Napi::Value memory = value.Get("memory");
  if (memory.IsTypedArray()) return copied(memory);
  const std::shared_ptr<const Buffer> held = NativeBuffer::shared(memory);
  Bytes all{held->data(), held->bytes(), held->device(), held->memory(), held};
  const double offset = value.Get("byteOffset").ToNumber().DoubleValue();
  const double count = value.Get("byteLength").ToNumber().DoubleValue();
  if (!(offset >= 0 && count >= 0 && offset + count <= static_cast<double>(all.bytes))) {
    throw Error(ErrorCode::InvalidArgument, Stage::Options, "Expected a part of the memory");
  }
  all.data = static_cast<const char*>(all.data) + static_cast<size_t>(offset);
  all.bytes = static_cast<size_t>(count);
  return all;
}

Napi::Value stackTensors(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    const auto list = info[0].As<Napi::Array>();
    const auto total = static_cast<size_t>(info[1].ToNumber().Int64Value());
    std::vector<StackPart> parts;
    std::vector<std::shared_ptr<const void>> owners;
    Device device = Device::cpu();
    size_t end = 0;
    for (uint32_t i = 0; i < list.Length(); ++i) {
      const auto entry = list.Get(i).As<Napi::Object>();
      Bytes bytes = readBytes(entry);
      const auto at = static_cast<size_t>(entry.Get("at").ToNumber().Int64Value());
      if (i == 0) device = bytes.device;
      if (!(bytes.device == device) || at < end || at > total || bytes.bytes > total - at) {
        throw Error(ErrorCode::InvalidArgument, Stage::Options,
                    "Expected parts of one device, in order, that fit into the block");
      }
      end = at + bytes.bytes;
      parts.push_back({bytes.data, bytes.bytes, at, bytes.memory});
      owners.push_back(std::move(bytes.owner));
    }
    auto block = std::make_shared<Buffer>();
    Environment& environment = Environment::of(env);
    const GpuBackend* gpu = device.isCpu() ? nullptr : gpuOf(environment);
    return environment.run(
        env, {std::make_shared<CancelToken>(),
              [parts = std::move(parts), owners = std::move(owners), total, device, block, gpu] {
                *block = device.isCpu() ? stackOnHost(parts, total)
                                        : gpu->stack(device.id, parts, total);
              },
              [block](Napi::Env e) -> Napi::Value {
                return NativeBuffer::create(e, std::move(*block));
              }});
  });
}

}  // namespace cps::napi
