#include "core/buffer.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/kept_memory.h"

namespace cps {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kLarge = 4 * kHugePage;

class HostMemory final : public MemoryResource {
 public:
  Device device() const override { return Device::cpu(); }

  void* allocate(size_t bytes) override {
    const size_t rounded = roundedUp(bytes);
    if (bytes >= kLarge) {
      if (void* const kept = takeKeptMemory(rounded)) return kept;
    }
    void* data = fresh(bytes, rounded);
    if (data == nullptr && keptMemoryBytes() > 0) {
      shrinkKeptMemory(0);
      data = fresh(bytes, rounded);
    }
    if (data == nullptr) {
      throw Error(ErrorCode::OutOfMemory, Stage::Process,
                  "Could not allocate " + std::to_string(bytes) +
                      " bytes of host memory; sample fewer or smaller frames");
    }
    return data;
  }

  void deallocate(void* data, size_t bytes) noexcept override {
    if (bytes < kLarge || !keepMemory(data, roundedUp(bytes))) std::free(data);
  }

 private:
  // aligned_alloc wants a multiple of the alignment.
  static size_t alignmentOf(size_t bytes) { return bytes < kLarge ? kBufferAlignment : kHugePage; }
  static size_t roundedUp(size_t bytes) {
    const size_t alignment = alignmentOf(bytes);
    return (bytes + alignment - 1) / alignment * alignment;
  }
  static void* fresh(size_t bytes, size_t rounded) {
    if (rounded < bytes) return nullptr;
    // Zero bytes still get a unique address.
    void* data = std::aligned_alloc(alignmentOf(bytes), std::max(rounded, kBufferAlignment));
#if defined(__linux__)
    // Most of the time that converting takes would otherwise go into page faults.
    if (data != nullptr && bytes >= kLarge) ::madvise(data, rounded, MADV_HUGEPAGE);
#endif
    return data;
  }
};

}  // namespace

std::shared_ptr<MemoryResource> hostMemory() {
  // Leaked on purpose: buffers may be finalized while the process is already exiting.
  static auto* memory = new std::shared_ptr<MemoryResource>(std::make_shared<HostMemory>());
  return *memory;
}

Buffer Buffer::allocate(std::shared_ptr<MemoryResource> memory, size_t bytes) {
  void* const data = memory->allocate(bytes);
  return adopt(std::move(memory), data, bytes);
}

Buffer Buffer::adopt(std::shared_ptr<MemoryResource> memory, void* data, size_t bytes) {
  Buffer buffer;
  buffer.data_ = data;
  buffer.bytes_ = bytes;
  buffer.memory_ = std::move(memory);
  return buffer;
}

void Buffer::release() noexcept {
  if (memory_) memory_->deallocate(data_, bytes_);
  memory_.reset();
  data_ = nullptr;
  bytes_ = 0;
}

void Buffer::swap(Buffer& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
}

}  // namespace cps
