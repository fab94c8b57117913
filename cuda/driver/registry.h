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
  // The device with a lease on its context, held as long as the result (or a copy) is. Where an
  // earlier error broke the context it is opened anew (Note [Poisoned devices]). Throws
  // Error(BackendUnavailable) when there is no such device or no way to go on with it.
  std::shared_ptr<GpuDevice> device(int id);
  std::shared_ptr<const DriverApi> api();

 private:
  std::string whyNotDevice(int id);
  std::shared_ptr<GpuDevice> open(int id);
  void dropBroken(int id, std::shared_ptr<GpuDevice>& device);

  DriverPaths paths_;
  std::mutex mutex_;
  std::shared_ptr<const DriverApi> api_;
  std::map<int, std::shared_ptr<GpuDevice>> devices_;
  std::map<int, std::string> broken_;  // errors whose context was given up and not replaced
};

}  // namespace cps
