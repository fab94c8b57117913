#include "cuda/driver/registry.h"

#include <algorithm>
#include <utility>

#include "cuda/runtime_version.h"

namespace cps {
namespace {

std::string versionText(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string archText(int arch) {
  return std::to_string(arch / 10) + "." + std::to_string(arch % 10);
}

// What the driver was asked and did not answer.
std::string failedText(const DriverApi& driver, const char* call, CUresult result) {
  return std::string(call) + " failed with " + driver.describe(result);
}

}  // namespace

bool KernelBuild::runsOn(int arch) const {
  return arch >= archs[archCount - 1] || std::any_of(archs, archs + archCount, [&](int built) {
           return built / 10 == arch / 10 && built <= arch;
         });
}

std::string KernelBuild::describe() const {
  std::string text;
  for (int i = 0; i < archCount; i++) text += (i == 0 ? "" : ", ") + archText(archs[i]);
  return text + " and later";
}

std::shared_ptr<const DriverApi> GpuRegistry::api() {
  const std::lock_guard lock(mutex_);
  if (!api_ || api_->mayStartLater) api_ = DriverApi::load(paths_);
  return api_;
}

std::string GpuRegistry::whyNotDevice(int id) {
  const auto driver = api();
  if (!driver->cudaProblem.empty()) return driver->cudaProblem;
  int count = 0;
  if (const CUresult result = driver->deviceGetCount(&count); result != CUDA_SUCCESS) {
    return failedText(*driver, "cuDeviceGetCount", result);
  }
  if (id < 0 || id >= count) {
    return "there is no CUDA device " + std::to_string(id) + ": this machine has " +
           std::to_string(count) + (count == 1 ? " (device 0)" : "");
  }
  try {
    device(id);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::string GpuRegistry::whyNotProcess(int id) {
  if (std::string why = whyNotDevice(id); !why.empty()) return why;
  const auto driver = api();
  const KernelBuild build = kernelBuild();
  int version = 0;
  if (const CUresult result = driver->driverGetVersion(&version); result != CUDA_SUCCESS) {
    return failedText(*driver, "cuDriverGetVersion", result);
  }
  // Within a major version any driver runs any runtime (CUDA's minor version compatibility).
  if (version / 1000 < build.runtimeVersion / 1000) {
    return "the NVIDIA driver supports CUDA " + versionText(version) +
           " but this build's kernels need " + versionText(build.runtimeVersion) +
           "; update the driver";
  }
  int major = 0, minor = 0;
  CUdevice handle = 0;
  if (const CUresult result = driver->deviceGet(&handle, id); result != CUDA_SUCCESS) {
    return failedText(*driver, "cuDeviceGet", result);
  }
  for (const auto& [value, attribute] :
       {std::pair{&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR},
        std::pair{&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR}}) {
    const CUresult result = driver->deviceGetAttribute(value, attribute, handle);
    if (result != CUDA_SUCCESS) return failedText(*driver, "cuDeviceGetAttribute", result);
  }
  if (!build.runsOn(major * 10 + minor)) {
    return Device::cuda(id).name() + " has compute capability " + archText(major * 10 + minor) +
           " but this build's kernels are for " + build.describe();
  }
  return "";
}

std::string GpuRegistry::whyNotDecode(int id) {
  if (std::string why = whyNotDevice(id); !why.empty()) return why;
  return api()->nvcuvidProblem;
}

std::shared_ptr<GpuDevice> GpuRegistry::device(int id) {
  const auto driver = api();
  if (!driver->cudaProblem.empty()) {
    throw Error(ErrorCode::BackendUnavailable, Stage::Open,
                Device::cuda(id).name() + " cannot be used: " + driver->cudaProblem);
  }
  const std::lock_guard lock(mutex_);
  std::shared_ptr<GpuDevice>& device = devices_[id];
  if (device) dropBroken(id, device);
  if (!device) device = open(id);
  device->context->enter();
  const auto leave = [kept = device](GpuDevice* leased) { leased->context->leave(); };
  return std::shared_ptr<GpuDevice>(device.get(), leave);
}

std::shared_ptr<GpuDevice> GpuRegistry::open(int id) {
  const auto before = broken_.find(id);
  try {
    auto opened = std::make_shared<GpuDevice>();
    opened->context = DeviceContext::create(api_, id);
    opened->pinned = std::make_shared<PinnedMemory>(opened->context);
    opened->nvdec = std::make_shared<NvdecDevice>(opened->context);
    if (before != broken_.end()) broken_.erase(before);
    return opened;
  } catch (const Error& error) {
    if (before == broken_.end()) throw;
    throw Error(ErrorCode::BackendUnavailable, Stage::Open,
                "an earlier CUDA error made " + Device::cuda(id).name() +
                    " unusable for this process (" + before->second +
                    ") and it cannot be opened anew (" + error.what() + "); restart the process");
  }
}

// Gives a broken context up, so that it is opened anew.
void GpuRegistry::dropBroken(int id, std::shared_ptr<GpuDevice>& device) {
  const std::string poison = device->context->poison();
  if (poison.empty()) return;
  if (device->context->inUse()) {
    throw Error(ErrorCode::BackendUnavailable, Stage::Open,
                Device::cuda(id).name() + " is lost (" + poison +
                    ") and calls that began before that have not ended yet; try again when they "
                    "have");
  }
  const std::shared_ptr<DeviceContext> context = device->context;
  device.reset();  // idle decoders and pinned memory
  context->abandon();
  broken_[id] = poison;
}

}  // namespace cps
