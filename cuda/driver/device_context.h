#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
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
// later call with them, and all memory in it is lost. What we do about it:
//  - The call that meets the error fails with ERR_CPS_DEVICE and the name of the CUDA call; so do
//    all others that use this context. `poison()` remembers the first error.
//  - The next call that wants the device (GpuRegistry::device) waits for nobody: while calls still
//    hold a lease on the old context it says so; else the pool, the idle decoders, the pinned
//    memory and the context are given up (`abandon`) and everything is opened anew.
//  - The primary context is only reset when it was not active before we retained it: another
//    library that was here first may know better. One that came later lost its memory as well.
//  - CUDA's documentation promises nothing after such an error but a new process. So the new
//    context is tried out, and where it does not work the device is given up for good: 'gpu' says
//    what happened and that the process must be restarted, 'auto' goes on with the CPU.
//  - Buffers that JavaScript still holds stay valid objects: reading one says that it is lost,
//    freeing one does nothing, for an abandoned context is never touched again.
//  - A context that cannot be made current when something is to be freed is given up too.
// All other errors (out of memory, a stream that NVDEC rejects) leave the context as it was.
// Whether they did is asked before the next call: an unknown error may mean that the device is
// gone.
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
  // Whether the result says that the device does not do such a thing, not that something failed.
  // NVDEC says "no device" where there is none for a codec.
  static bool refuses(CUresult result);
  // Notes sticky errors of a call that cannot throw or that threw already.
  void note(int result, const char* call) const noexcept;
  // The context is of no more use: what lives in it can no longer be freed but with it.
  void lose(int result, const char* call) const noexcept;
  // What broke the context, or empty. Tries the context out after an error that was not sticky.
  std::string poison() const;

  // Leases: calls that work with the context at present.
  void enter();
  void leave() noexcept;
  bool inUse() const;
  // Gives the context up (Note [Poisoned devices]); no lease may be held, nor taken later.
  void abandon() noexcept;

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

  // The same for destructors: false where the context is gone, then there is nothing to free.
  class Cleanup {
   public:
    explicit Cleanup(const DeviceContext& device) noexcept;
    ~Cleanup();
    Cleanup(const Cleanup&) = delete;
    Cleanup& operator=(const Cleanup&) = delete;
    explicit operator bool() const { return current_; }
    // For each driver call: notes sticky errors.
    void operator()(CUresult result, const char* call) const noexcept;

   private:
    const DeviceContext& device_;
    std::shared_lock<std::shared_mutex> lock_;
    bool current_ = false;
  };

  // Stream-ordered allocation: usable at once by work enqueued on `stream` afterwards.
  CUdeviceptr allocate(size_t bytes, const Stream& stream);
  // Bytes that were sent over the bus, for whoever measures.
  struct Traffic {
    std::atomic<int64_t> toDevice{0}, fromDevice{0};
  };
  Traffic& traffic() { return traffic_; }

  // Gives memory that lies idle here back to the device.
  void trim() noexcept;
  // Frees after what is already enqueued on the stream with this id, if it still is one.
  void free(CUdeviceptr data, uint64_t streamId) noexcept;

  // Note [Shared frames]
  // A decoded frame is read by kernels on the streams of the calls, and its last owner may let go
  // (also while an exception unwinds) before those kernels have run. So the context keeps, for each
  // frame, on which streams something was enqueued that fills or reads it, and frees it after what
  // of that nobody has waited for yet. Streams that have nothing to do with the frame are not
  // asked, and once a call has synchronised, nothing is waited for at all.
  CUdeviceptr allocateFrame(size_t bytes, Stream& stream);
  // `data` points into a frame, or to other memory, of which nothing is kept. Of work that is about
  // to be enqueued.
  void readsFrame(const void* data, Stream& stream);
  void freeFrame(CUdeviceptr data) noexcept;

 private:
  friend class Stream;
  DeviceContext(std::shared_ptr<const DriverApi> api, int id);
  void open();
  uint64_t addStream(Stream& stream);
  void removeStream(const Stream& stream, bool usable) noexcept;
  void letFreesWaitFor(CUstream stream) noexcept;
  void openPool();
  std::string failedText(int result, const char* call) const;
  CUresult tryAllocate(CUdeviceptr* data, size_t bytes, CUstream stream);

  std::shared_ptr<const DriverApi> api_;
  int id_;
  CUdevice device_ = 0;
  CUcontext context_ = nullptr;
  std::string name_;
  CuMemPool pool_ = nullptr;

  struct Use {
    uint64_t stream;
    uint64_t ticket;
  };
  struct Frame {
    size_t bytes;
    std::vector<Use> uses;  // one for each stream
  };
  std::mutex streamsMutex_;
  uint64_t lastStream_ = 0;
  std::map<uint64_t, Stream*> streams_;  // the live ones, by id
  std::map<CUdeviceptr, Frame> frames_;
  CUstream freeStream_ = nullptr;  // for what no live stream has to do with
  CUevent event_ = nullptr;

  mutable std::mutex poisonMutex_;
  mutable std::string poison_;
  mutable bool suspect_ = false;  // an error that was not sticky, not looked into yet

  Traffic traffic_;
  bool foreign_ = false;  // the primary context was active before we came
  // Held shared while something of the context is destroyed, alone while the context is.
  mutable std::shared_mutex lifeMutex_;
  bool abandoned_ = false;
  mutable std::mutex leaseMutex_;
  int leases_ = 0;
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
  uint64_t id() const { return id_; }
  DeviceContext& device() const { return *device_; }
  const std::shared_ptr<DeviceContext>& deviceRef() const { return device_; }
  // Waits without keeping a processor busy.
  void synchronize(Stage stage) const;

  // Tickets number what was enqueued that Note [Shared frames] is about. `settled`: everything up
  // to that one has run.
  uint64_t nextTicket() { return ++tickets_; }
  uint64_t ticket() const { return tickets_; }
  void settled(uint64_t ticket) const;
  bool isSettled(uint64_t ticket) const { return ticket <= settled_; }

 private:
  std::shared_ptr<DeviceContext> device_;
  CUstream stream_ = nullptr;
  CUevent done_ = nullptr;
  uint64_t id_ = 0;
  std::atomic<uint64_t> tickets_{0};
  mutable std::atomic<uint64_t> settled_{0};
};

}  // namespace cps
