#include "cuda/gpu_backend.h"

#include <memory>

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

Buffer downloadBuffer(GpuRegistry& registry, const Buffer& buffer) {
  const DeviceContext* context = contextOf(buffer.memory());
  std::shared_ptr<GpuDevice> device;
  try {
    device = registry.device(buffer.device().id);
  } catch (const Error& error) {
    throw Error(ErrorCode::Device, Stage::Transfer,
                std::string("This memory cannot be read: ") + error.what());
  }
  if (context != device->context.get()) {
    throw Error(ErrorCode::Device, Stage::Transfer,
                "This memory was lost with all memory of " + buffer.device().name() + " when " +
                    (context ? context->poison() : "its context ended") +
                    "; make the call that filled it again");
  }
  // The call that filled the buffer has waited for its stream, so a new one may read it.
  const Stream stream(device->context);
  Buffer host = Buffer::allocate(hostMemory(), buffer.bytes());
  downloadThrough(device->pinned, stream, host.data(), buffer.data(), buffer.bytes());
  return host;
}

}  // namespace

GpuBackend makeGpuBackend(const DriverPaths& paths) {
  const auto registry = std::make_shared<GpuRegistry>(paths);
  GpuBackend backend;
  backend.whyNotProcess = [registry](int id) { return registry->whyNotProcess(id); };
  backend.whyNotDecode = [registry](int id) { return registry->whyNotDecode(id); };
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
  return backend;
}

std::optional<GpuBackend> makeGpuBackend() { return makeGpuBackend(DriverPaths{}); }

}  // namespace cps
