#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "core/buffer.h"
#include "cuda/driver/device_context.h"

namespace cps {

// Device memory of one call: allocated and freed in the order of its stream, which it does not keep
// alive. Only work on that stream may use it, until the stream was synchronised.
std::shared_ptr<MemoryResource> streamMemory(const std::shared_ptr<Stream>& stream);

// Device memory that other streams read: decoded frames (Note [Shared frames]).
std::shared_ptr<MemoryResource> frameMemory(const std::shared_ptr<Stream>& stream);

// The context that device memory lives in; null for other memory.
const DeviceContext* contextOf(const MemoryResource* memory);

// Page-locked host memory for fast copies. Locking pages takes milliseconds, so blocks are kept for
// reuse up to a limit.
class PinnedMemory final : public MemoryResource {
 public:
  explicit PinnedMemory(std::shared_ptr<DeviceContext> device) : device_(std::move(device)) {}
  ~PinnedMemory() override;
  Device device() const override { return Device::cpu(); }
  void* allocate(size_t bytes) override;
  void deallocate(void* data, size_t bytes) noexcept override;

 private:
  std::shared_ptr<DeviceContext> device_;
  std::mutex mutex_;
  std::multimap<size_t, void*> idle_;  // by rounded size
  size_t idleBytes_ = 0;
};

// Copies device memory to pageable host memory through a pinned block; waits for it.
void downloadThrough(const std::shared_ptr<PinnedMemory>& pinned, const Stream& stream, void* host,
                     const void* device, size_t bytes);

inline CUdeviceptr devicePointer(const void* data) { return reinterpret_cast<CUdeviceptr>(data); }

}  // namespace cps
