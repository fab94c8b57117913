#include "cuda/driver/memory.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <stdexcept>

namespace cps {
namespace {

constexpr size_t kSmallestPinned = size_t{64} << 10;
constexpr size_t kIdlePinnedBytes = size_t{64} << 20;
constexpr size_t kDownloadChunk = size_t{8} << 20;

size_t pinnedSize(size_t bytes) { return std::bit_ceil(std::max(bytes, kSmallestPinned)); }

class StreamMemory final : public MemoryResource {
 public:
  StreamMemory(const std::shared_ptr<Stream>& stream, bool shared)
      : context_(stream->deviceRef()), stream_(stream), streamId_(stream->id()), shared_(shared) {}
  Device device() const override { return context_->device(); }
  const DeviceContext& context() const { return *context_; }
  void* allocate(size_t bytes) override {
    const auto stream = stream_.lock();
    if (!stream) throw std::logic_error("memory of a stream that has ended");
    return reinterpret_cast<void*>(shared_ ? context_->allocateFrame(bytes, *stream)
                                           : context_->allocate(bytes, *stream));
  }
  void deallocate(void* data, size_t) noexcept override {
    if (shared_) {
      context_->freeFrame(devicePointer(data));
    } else {
      context_->free(devicePointer(data), streamId_);
    }
  }

 private:
  std::shared_ptr<DeviceContext> context_;
  std::weak_ptr<Stream> stream_;
  uint64_t streamId_;
  bool shared_;
};

}  // namespace

std::shared_ptr<MemoryResource> streamMemory(const std::shared_ptr<Stream>& stream) {
  return std::make_shared<StreamMemory>(stream, false);
}

std::shared_ptr<MemoryResource> frameMemory(const std::shared_ptr<Stream>& stream) {
  return std::make_shared<StreamMemory>(stream, true);
}

const DeviceContext* contextOf(const MemoryResource* memory) {
  const auto* streamed = dynamic_cast<const StreamMemory*>(memory);
  return streamed ? &streamed->context() : nullptr;
}

PinnedMemory::~PinnedMemory() {
  const DeviceContext::Cleanup cleanup(*device_);
  if (!cleanup) return;
  for (const auto& [size, data] : idle_) cleanup(device_->api().memFreeHost(data), "cuMemFreeHost");
}

void* PinnedMemory::allocate(size_t bytes) {
  const size_t size = pinnedSize(bytes);
  {
    const std::lock_guard lock(mutex_);
    if (const auto it = idle_.find(size); it != idle_.end()) {
      void* data = it->second;
      idle_.erase(it);
      idleBytes_ -= size;
      return data;
    }
  }
  const DeviceContext::Current current(*device_);
  void* data = nullptr;
  device_->check(device_->api().memHostAlloc(&data, size, 0), "cuMemHostAlloc", Stage::Transfer);
  return data;
}

void PinnedMemory::deallocate(void* data, size_t bytes) noexcept {
  const size_t size = pinnedSize(bytes);
  {
    const std::lock_guard lock(mutex_);
    if (idleBytes_ + size <= kIdlePinnedBytes) {
      idle_.emplace(size, data);
      idleBytes_ += size;
      return;
    }
  }
  const DeviceContext::Cleanup cleanup(*device_);
  if (cleanup) cleanup(device_->api().memFreeHost(data), "cuMemFreeHost");
}

void downloadThrough(const std::shared_ptr<PinnedMemory>& pinned, const Stream& stream, void* host,
                     const void* device, size_t bytes) {
  if (bytes == 0) return;
  DeviceContext& context = stream.device();
  const DeviceContext::Current current(context);
  const Buffer staging = Buffer::allocate(pinned, std::min(bytes, kDownloadChunk));
  for (size_t done = 0; done < bytes; done += staging.bytes()) {
    const size_t part = std::min(staging.bytes(), bytes - done);
    context.check(context.api().memcpyDtoHAsync(staging.data(), devicePointer(device) + done, part,
                                                stream.get()),
                  "cuMemcpyDtoHAsync", Stage::Transfer);
    context.traffic().fromDevice += static_cast<int64_t>(part);
    stream.synchronize(Stage::Transfer);
    std::memcpy(static_cast<char*>(host) + done, staging.data(), part);
  }
}

}  // namespace cps
