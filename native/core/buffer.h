#pragma once

#include <cstddef>
#include <memory>

#include "core/device.h"

namespace cps {

// Every block of memory that holds cells, scores, indices or tensors comes from one of these.
// Implementations: hostMemory() below, pinned and stream-ordered device memory in cuda/.
class MemoryResource {
 public:
  virtual ~MemoryResource() = default;
  virtual Device device() const = 0;
  // At least kBufferAlignment aligned. Throws Error(OutOfMemory), never returns null.
  virtual void* allocate(size_t bytes) = 0;
  virtual void deallocate(void* data, size_t bytes) noexcept = 0;
};

// Alignment of every Buffer: a cache line, a full AVX-512 vector, and what tensor libraries ask of
// external memory.
inline constexpr size_t kBufferAlignment = 64;

// Aligned heap memory of the host. Never destroyed (a finalizer of the JS engine may run late).
std::shared_ptr<MemoryResource> hostMemory();

// An owned block of memory on one device. Move-only; the resource is kept alive by the buffer.
class Buffer {
 public:
  Buffer() = default;
  static Buffer allocate(std::shared_ptr<MemoryResource> memory, size_t bytes);
  // A block that `memory` handed out otherwise: it is given back like an allocated one.
  static Buffer adopt(std::shared_ptr<MemoryResource> memory, void* data, size_t bytes);
  ~Buffer() { release(); }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer(std::move(other)).swap(*this);
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  explicit operator bool() const { return memory_ != nullptr; }
  void* data() const { return data_; }
  template <typename T>
  T* as() const {
    return static_cast<T*>(data_);
  }
  size_t bytes() const { return bytes_; }
  const MemoryResource* memory() const { return memory_.get(); }
  Device device() const { return memory_ ? memory_->device() : Device::cpu(); }
  void release() noexcept;

 private:
  void swap(Buffer& other) noexcept;

  std::shared_ptr<MemoryResource> memory_;
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace cps
