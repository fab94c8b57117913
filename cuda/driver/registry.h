#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "cuda/driver/memory.h"
#include "cuda/nvdec/session.h"

namespace cps {

// What is shared by all calls on one GPU.
struct GpuDevice {
  std::shared_ptr<DeviceContext> context;
  std::shared_ptr<PinnedMemory> pinned;
  std::shared_ptr<NvdecDevice> nvdec;
};

// The driver and the devices in use; one per GpuBackend. Everything is opened on first use.
class GpuRegistry {
 public:
  explicit GpuRegistry(DriverPaths paths) : paths_(std::move(paths)) {}

  // Empty, or what is missing for kernels (driver, device, version) or for NVDEC.
  std::string whyNotProcess(int id);
  std::string whyNotDecode(int id);
  // Throws Error(BackendUnavailable) when there is no such device.
  std::shared_ptr<GpuDevice> device(int id);
  std::shared_ptr<const DriverApi> api();

 private:
  std::string whyNotDevice(int id);

  DriverPaths paths_;
  std::mutex mutex_;
  std::shared_ptr<const DriverApi> api_;
  std::map<int, std::shared_ptr<GpuDevice>> devices_;
};

}  // namespace cps
