#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/device.h"
#include "core/error.h"
#include "cuda/driver/driver_api.h"

namespace cps {

class Stream;

// One GPU as this process uses it: its primary context, its memory pool, its live streams. Kept
// alive by everything made on it.
//
// Note [Poisoned devices]
// Some CUDA errors (illegal address, launch failure, ECC) are sticky: the context answers every
// later call with them, for every library of the process that shares it, and CUDA's documentation
// offers no way out but a new process. The primary context is not ours to reset (TensorFlow or ONNX
// Runtime may hold memory in it), so the device is marked: explicit GPU calls say what happened and
// that the process must be restarted, and 'auto' goes on with the CPU. All other errors (out of
// memory, a stream NVDEC rejects) leave the context usable and the next call works.
class DeviceContext : public std::enable_shared_from_this<DeviceContext> {
 public:
  // Throws Error(BackendUnavailable) when the primary context cannot be had.
  static std::shared_ptr<DeviceContext> create(std::shared_ptr<const DriverApi> api, int id);
  ~DeviceContext();
  DeviceContext(const DeviceContext&) = delete;
  DeviceContext& operator=(const DeviceContext&) = delete;

  const DriverApi& api() const { return *api_; }
  Device device() const { return Device::cuda(id_); }
  const std::string& name() const { return name_; }
  CUcontext context() const { return context_; }

  // Throws Error(Device) that names the call, or Error(OutOfMemory); notes sticky errors.
  void check(CUresult result, const char* call, Stage stage = Stage::Process) const;
  // What broke the context, or empty.
  std::string poison() const;

  // Makes the context current on this thread for a scope.
  class Current {
   public:
    explicit Current(const DeviceContext& device);
    ~Current();
    Current(const Current&) = delete;
    Current& operator=(const Current&) = delete;

   private:
    const DeviceContext& device_;
  };

  // Stream-ordered allocation: usable at once by work enqueued on `stream` afterwards.
  CUdeviceptr allocate(size_t bytes, CUstream stream);
  // Frees after what is already enqueued on `stream`.
  void free(CUdeviceptr data, CUstream stream) noexcept;
  // Frees after what is already enqueued on any of this device's streams (Note [Shared frames]).
  void freeAfterAll(CUdeviceptr data) noexcept;

 private:
  friend class Stream;
  DeviceContext(std::shared_ptr<const DriverApi> api, int id);
  void open();
  void addStream(CUstream stream);
  void removeStream(CUstream stream) noexcept;
  CUresult tryAllocate(CUdeviceptr* data, size_t bytes, CUstream stream);

  std::shared_ptr<const DriverApi> api_;
  int id_;
  CUdevice device_ = 0;
  CUcontext context_ = nullptr;
  std::string name_;
  CuMemPool pool_ = nullptr;

  // Note [Shared frames]
  // A decoded frame is read by kernels on the streams of the calls, and its last owner may let go
  // (also while an exception unwinds) before those kernels have run. So a frame is freed on a
  // stream of its own which first waits for everything enqueued so far on all live streams.
  std::mutex streamsMutex_;
  std::vector<CUstream> streams_;
  CUstream freeStream_ = nullptr;
  CUevent event_ = nullptr;

  mutable std::mutex poisonMutex_;
  mutable std::string poison_;
};

// A CUDA stream of its own (never the default stream). Work still enqueued when it is destroyed
// runs to its end.
class Stream {
 public:
  explicit Stream(std::shared_ptr<DeviceContext> device);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  CUstream get() const { return stream_; }
  DeviceContext& device() const { return *device_; }
  const std::shared_ptr<DeviceContext>& deviceRef() const { return device_; }
  void synchronize(Stage stage) const;

 private:
  std::shared_ptr<DeviceContext> device_;
  CUstream stream_ = nullptr;
};

}  // namespace cps
