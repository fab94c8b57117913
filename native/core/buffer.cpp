#include "core/buffer.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <cstdlib>
#include <string>
#include <utility>

#include "core/error.h"

namespace cps {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kLarge = 4 * kHugePage;

class HostMemory final : public MemoryResource {
 public:
  Device device() const override { return Device::cpu(); }

  void* allocate(size_t bytes) override {
    // aligned_alloc wants a multiple of the alignment; zero bytes still get a unique address.
    const size_t alignment = bytes < kLarge ? kBufferAlignment : kHugePage;
    const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    void* data = rounded < bytes
                     ? nullptr
                     : std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded);
#if defined(__linux__)
    // Most of the time that converting takes would otherwise go into page faults.
    if (data != nullptr && bytes >= kLarge) ::madvise(data, rounded, MADV_HUGEPAGE);
#endif
    if (data == nullptr) {
      throw Error(ErrorCode::OutOfMemory, Stage::Process,
                  "Could not allocate " + std::to_string(bytes) +
                      " bytes of host memory; sample fewer or smaller frames");
    }
    return data;
  }

  void deallocate(void* data, size_t) noexcept override { std::free(data); }
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
