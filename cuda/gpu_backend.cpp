#include "cuda/gpu_backend.h"

#include <memory>
#include <vector>

#include "cuda/cuda_kernels.h"
#include "cuda/driver/registry.h"
#include "cuda/nvdec/nvdec_source.h"
#include "cuda/transfer.h"

namespace cps {
namespace {

SourceFrame transferFrame(GpuRegistry& registry, const SourceFrame& frame, Device to) {
  if (frame.device == to) return frame;
  if (frame.device.isCpu()) return uploadFrame(frame, registry.device(to.id));
  SourceFrame host = downloadFrame(frame, registry.device(frame.device.id));
  return to.isCpu() ? host : uploadFrame(host, registry.device(to.id));
}

// The device of memory that is read, after a look at whether the memory is still there. Memory of
// others (outputs of ONNX Runtime) is in the primary context, as ours is.
std::shared_ptr<GpuDevice> deviceOf(GpuRegistry& registry, Device where,
                                    const MemoryResource* memory) {
  std::shared_ptr<GpuDevice> device;
  try {
    device = registry.device(where.id);
  } catch (const Error& error) {
    throw Error(ErrorCode::Device, Stage::Transfer,
                std::string("This memory cannot be read: ") + error.what());
  }
  const DeviceContext* context = contextOf(memory);
  if (context != nullptr && context != device->context.get()) {
    throw Error(ErrorCode::Device, Stage::Transfer,
                "This memory was lost with all memory of " + where.name() + " when " +
                    context->poison() + "; make the call that filled it again");
  }
  return device;
}

Buffer downloadBuffer(GpuRegistry& registry, const Buffer& buffer) {
  const auto device = deviceOf(registry, buffer.device(), buffer.memory());
  // The call that filled the buffer has waited for its stream, so a new one may read it.
  const Stream stream(device->context);
  Buffer host = Buffer::allocate(hostMemory(), buffer.bytes());
  downloadThrough(device->pinned, stream, host.data(), buffer.data(), buffer.bytes());
  return host;
}

// Memory of the pool and pinned memory as a call needs them, and one kernel: its launch loads what
// the build has for this device.
void warmUp(const std::shared_ptr<GpuDevice>& device) {
  constexpr int32_t kSide = 16;
  constexpr size_t kBytes = size_t{1} << 20;
  const auto kernels = makeCudaKernels(device, nullptr);
  const Buffer memory = Buffer::allocate(kernels->memory(), kBytes);
  kernels->fillZero(memory.data(), kBytes);
  FrameView view;
  view.width = view.height = kSide;
  view.planes = 1;
  view.plane[0] = {memory.as<uint8_t>(), kSide, 1, 0};
  kernels->toRgb(view, kSide, kSide, memory.as<uint8_t>() + kBytes / 2);
  std::vector<uint8_t> host(kBytes);
  kernels->download(host.data(), memory.data(), kBytes);
}

Buffer stackOnDevice(GpuRegistry& registry, int id, const std::vector<StackPart>& parts,
                     size_t bytes) {
  const auto device = registry.device(id);
  for (const StackPart& part : parts) deviceOf(registry, Device::cuda(id), part.memory);
  DeviceContext& context = *device->context;
  const auto stream = std::make_shared<Stream>(device->context);
  Buffer block = Buffer::allocate(streamMemory(stream), bytes);
  const DeviceContext::Current current(context);
  try {
    for (const StackPart& part : parts) {
      if (part.bytes == 0) continue;
      context.check(
          context.api().memcpyDtoDAsync(devicePointer(block.as<char>() + part.at),
                                        devicePointer(part.data), part.bytes, stream->get()),
          "cuMemcpyDtoDAsync", Stage::Transfer);
    }
    forGaps(parts, bytes, [&](size_t at, size_t count) {
      context.check(context.api().memsetD8Async(devicePointer(block.as<char>() + at), 0, count,
                                                stream->get()),
                    "cuMemsetD8Async", Stage::Transfer);
    });
  } catch (...) {
    // Copies already enqueued still read the parts.
    context.api().streamSynchronize(stream->get());
    throw;
  }
  stream->synchronize(Stage::Transfer);
  return block;
}

}  // namespace

GpuBackend makeGpuBackend(const DriverPaths& paths) {
  const auto registry = std::make_shared<GpuRegistry>(paths);
  GpuBackend backend;
  backend.whyNotProcess = [registry](int id) { return registry->whyNotProcess(id); };
  backend.whyNotDecode = [registry](int id) { return registry->whyNotDecode(id); };
  backend.warmUp = [registry](int id) { warmUp(registry->device(id)); };
  backend.openSource = [registry](const VideoInput& input, const CallContext& call,
                                  const MediaServices& services, const DevicesOptions& devices) {
    const auto device = registry->device(devices.decodeDeviceId);
    const std::shared_ptr<NvdecDevice> nvdec(device, device->nvdec.get());  // holds the lease
    return openNvdecSource(input, call, services, nvdec, devices);
  };
  backend.makeKernels = [registry](int id, const CancelPtr& cancel) {
    return makeCudaKernels(registry->device(id), cancel);
  };
  backend.transfer = [registry](const SourceFrame& frame, Device to) {
    return transferFrame(*registry, frame, to);
  };
  backend.downloadPinned = [registry](const Buffer& buffer) {
    return downloadBuffer(*registry, buffer);
  };
  backend.checkMemory = [registry](const Buffer& buffer) {
    deviceOf(*registry, buffer.device(), buffer.memory());
  };
  backend.settle = [registry](int id) {
    const auto device = registry->device(id);
    const DeviceContext::Current current(*device->context);
    device->context->check(device->context->api().ctxSynchronize(), "cuCtxSynchronize");
  };
  backend.stack = [registry](int id, const std::vector<StackPart>& parts, size_t bytes) {
    return stackOnDevice(*registry, id, parts, bytes);
  };
  return backend;
}

std::optional<GpuBackend> makeGpuBackend() { return makeGpuBackend(DriverPaths{}); }

}  // namespace cps
