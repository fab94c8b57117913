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

std::unique_ptr<Kernels> cpuKernels(const CancelPtr& cancel, Context& context) {
  return makeCpuKernels({context.media().pool.get(), context.media().pool->threads(), cancel});
}

// 'auto' is where the frames are: to take each of them to another device costs more than it saves.
std::unique_ptr<Kernels> makeKernels(const CancelPtr& cancel, const DevicesOptions& devices,
                                     Context& context, std::string& why) {
  if (devices.processBackend == Backend::Cpu) return cpuKernels(cancel, context);
  const GpuBackend* gpu = context.gpu();
  why = gpu ? gpu->whyNotProcess(devices.processDeviceId) : kNoCudaBuild;
  if (why.empty()) return gpu->makeKernels(devices.processDeviceId, cancel);
  if (devices.processBackend == Backend::Gpu) throwUnavailable("processBackend", why);
  return cpuKernels(cancel, context);
}

std::string joined(const std::string& a, const std::string& b) {
  return a.empty() || b.empty() ? a + b : a + "; " + b;
}

// Makes what processes the source's frames, and says why where that is not what was hoped for.
void processFrames(Backends& backends, const CancelPtr& cancel, const DevicesOptions& devices,
                   Context& context, const std::string& decodeReason) {
  std::string why;
  if (devices.processBackend == Backend::Auto && backends.source->device().isCpu()) {
    backends.kernels = cpuKernels(cancel, context);
    why = "the frames are decoded there";
  } else if (!backends.kernels) {
    backends.kernels = makeKernels(cancel, devices, context, why);
  }
  backends.fallbackReason = joined(decodeReason, why.empty() ? "" : "process on the CPU: " + why);
}

}  // namespace

Backends openBackends(const VideoInput& input, const CallContext& call,
                      const DevicesOptions& devices, Context& context) {
  Backends backends;
  // An explicit device that is missing is said before a file is touched.
  std::string reason;
  if (devices.processBackend == Backend::Gpu) {
    backends.kernels = makeKernels(call.cancel, devices, context, reason);
  }
  backends.source = openSource(input, call, devices, context, reason);
  processFrames(backends, call.cancel, devices, context, reason);
  return backends;
}

void fallBackToCpu(Backends& backends, const VideoInput& input, const CallContext& call,
                   const DevicesOptions& devices, Context& context, const Error& why) {
  if (devices.decodeBackend == Backend::Gpu) throwUnavailable("decodeBackend", why.what());
  backends.source = openCpuSource(input, call, context.media());
  processFrames(backends, call.cancel, devices, context, decodeFallback(why.what()));
}

SourceFrame onDevice(SourceFrame frame, const Device& device, Context& context) {
  if (frame.device == device) return frame;
  return context.gpu()->transfer(frame, device);
}

}  // namespace cps
