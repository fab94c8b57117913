#include "pipeline/backends.h"

#include <utility>

#include "backend/cpu_kernels.h"

namespace cps {
namespace {

[[noreturn]] void throwUnavailable(const char* option, const std::string& why) {
  throw Error(ErrorCode::BackendUnavailable, Stage::Open,
              std::string(option) + " 'gpu' is not available: " + why +
                  "; use 'cpu', or 'auto' to take the GPU only where it works");
}

std::string decodeFallback(const std::string& why) { return "decode on the CPU: " + why; }

std::unique_ptr<FrameSource> openSource(const VideoInput& input, const CallContext& call,
                                        const DevicesOptions& devices, Context& context,
                                        std::string& fallbackReason) {
  if (devices.decodeBackend != Backend::Cpu) {
    const bool required = devices.decodeBackend == Backend::Gpu;
    const GpuBackend* gpu = context.gpu();
    std::string why = gpu ? gpu->whyNotDecode(devices.decodeDeviceId) : kNoCudaBuild;
    if (why.empty()) {
      try {
        return gpu->openSource(input, call, context.media(), devices);
      } catch (const Error& error) {
        if (error.code() != ErrorCode::BackendUnavailable) throw;
        why = error.what();
      }
    }
    if (required) throwUnavailable("decodeBackend", why);
    fallbackReason = decodeFallback(why);
  }
  return openCpuSource(input, call, context.media());
}

std::unique_ptr<Kernels> makeKernels(const CancelPtr& cancel, const DevicesOptions& devices,
                                     Context& context, std::string& fallbackReason) {
  if (devices.processBackend != Backend::Cpu) {
    const GpuBackend* gpu = context.gpu();
    const std::string why = gpu ? gpu->whyNotProcess(devices.processDeviceId) : kNoCudaBuild;
    if (why.empty()) return gpu->makeKernels(devices.processDeviceId, cancel);
    if (devices.processBackend == Backend::Gpu) throwUnavailable("processBackend", why);
    if (!fallbackReason.empty()) fallbackReason += "; ";
    fallbackReason += "process on the CPU: " + why;
  }
  return makeCpuKernels({context.media().pool.get(), context.media().pool->threads(), cancel});
}

void addFallback(Backends& backends, const std::string& reason) {
  backends.fallbackReason =
      backends.fallbackReason.empty() ? reason : reason + "; " + backends.fallbackReason;
}

}  // namespace

Backends openBackends(const VideoInput& input, const CallContext& call,
                      const DevicesOptions& devices, Context& context) {
  Backends backends;
  // Kernels first: an explicit device that is missing is said before a file is touched.
  backends.kernels = makeKernels(call.cancel, devices, context, backends.fallbackReason);
  std::string decodeReason;
  backends.source = openSource(input, call, devices, context, decodeReason);
  if (!decodeReason.empty()) addFallback(backends, decodeReason);
  return backends;
}

void fallBackToCpu(Backends& backends, const VideoInput& input, const CallContext& call,
                   const DevicesOptions& devices, Context& context, const Error& why) {
  if (devices.decodeBackend == Backend::Gpu) throwUnavailable("decodeBackend", why.what());
  backends.source = openCpuSource(input, call, context.media());
  addFallback(backends, decodeFallback(why.what()));
}

SourceFrame onDevice(SourceFrame frame, const Device& device, Context& context) {
  if (frame.device == device) return frame;
  return context.gpu()->transfer(frame, device);
}

}  // namespace cps
