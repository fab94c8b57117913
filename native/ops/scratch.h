#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "core/buffer.h"

namespace cps {

// Working memory of the CPU kernels: blocks that grow to what is asked and are used again, so that
// the loops over frames do not allocate. An instance of Kernels is called from several threads,
// each of which takes a block for the length of an operation.
class ScratchPool {
 public:
  class Lease {
   public:
    Lease(ScratchPool& pool, Buffer buffer) : pool_(&pool), buffer_(std::move(buffer)) {}
    ~Lease() { pool_->giveBack(std::move(buffer_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    template <typename T>
    T* as() const {
      return buffer_.as<T>();
    }

   private:
    ScratchPool* pool_;
    Buffer buffer_;
  };

  // At least `bytes`, aligned to kBufferAlignment.
  Lease take(size_t bytes) {
    Buffer buffer;
    {
      std::lock_guard lock(mutex_);
      if (!free_.empty()) {
        buffer = std::move(free_.back());
        free_.pop_back();
      }
    }
    if (!buffer || buffer.bytes() < bytes) {
      buffer.release();
      buffer = Buffer::allocate(hostMemory(), bytes);
    }
    return Lease(*this, std::move(buffer));
  }

 private:
  void giveBack(Buffer buffer) noexcept {
    try {
      std::lock_guard lock(mutex_);
      free_.push_back(std::move(buffer));
    } catch (...) {  // no memory for the list: the block is simply freed
    }
  }

  std::mutex mutex_;
  std::vector<Buffer> free_;
};

}  // namespace cps
