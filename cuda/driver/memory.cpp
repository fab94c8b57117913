#include "cuda/driver/memory.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace cps {
namespace {

constexpr size_t kSmallestPinned = size_t{64} << 10;
constexpr size_t kIdlePinnedBytes = size_t{64} << 20;
constexpr size_t kDownloadChunk = size_t{8} << 20;

size_t pinnedSize(size_t bytes) { return std::bit_ceil(std::max(bytes, kSmallestPinned)); }

class StreamMemory final : public MemoryResource {
 public:
  StreamMemory(std::shared_ptr<Stream> stream, bool shared)
      : stream_(std::move(stream)), shared_(shared) {}
  Device device() const override { return stream_->device().device(); }
  const std::shared_ptr<Stream>& stream() const { return stream_; }
  void* allocate(size_t bytes) override {
    return reinterpret_cast<void*>(stream_->device().allocate(bytes, stream_->get()));
  }
  void deallocate(void* data, size_t) noexcept override {
    if (shared_) {
      stream_->device().freeAfterAll(devicePointer(data));
    } else {
      stream_->device().free(devicePointer(data), stream_->get());
    }
  }

 private:
  std::shared_ptr<Stream> stream_;
  bool shared_;
};

}  // namespace

std::shared_ptr<MemoryResource> streamMemory(std::shared_ptr<Stream> stream) {
  return std::make_shared<StreamMemory>(std::move(stream), false);
}

std::shared_ptr<MemoryResource> frameMemory(std::shared_ptr<Stream> stream) {
  return std::make_shared<StreamMemory>(std::move(stream), true);
}

const DeviceContext* contextOf(const MemoryResource* memory) {
  const auto* streamed = dynamic_cast<const StreamMemory*>(memory);
  return streamed ? &streamed->stream()->device() : nullptr;
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
    context.check(context.api().streamSynchronize(stream.get()), "cuStreamSynchronize",
                  Stage::Transfer);
    std::memcpy(static_cast<char*>(host) + done, staging.data(), part);
  }
}

}  // namespace cps
