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
  if (frame.device.isCpu()) return uploadFrame(frame, *registry.device(to.id));
  SourceFrame host = downloadFrame(frame, *registry.device(frame.device.id));
  return to.isCpu() ? host : uploadFrame(host, *registry.device(to.id));
}

Buffer downloadBuffer(GpuRegistry& registry, const Buffer& buffer) {
  const auto device = registry.device(buffer.device().id);
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
                                  const MediaServices& services) {
    return openNvdecSource(input, call, services,
                           registry->device(call.options.decodeDeviceId)->nvdec);
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

}  // namespace cps
