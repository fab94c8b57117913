#pragma once

#include <atomic>
#include <cstdint>

namespace cps {

// What is left to a call of option maxMemoryBytes. The result is taken off it before it is
// allocated; the pictures that are kept and the frame index have to fit into what is left then.
// Thread-safe.
class MemoryBudget {
 public:
  explicit MemoryBudget(int64_t bytes) : left_(bytes) {}

  int64_t left() const { return left_.load(std::memory_order_relaxed); }
  // False, and nothing is taken, where fewer are left.
  bool take(double bytes) {
    int64_t left = left_.load(std::memory_order_relaxed);
    do {
      if (bytes > static_cast<double>(left)) return false;
    } while (!left_.compare_exchange_weak(left, left - static_cast<int64_t>(bytes)));
    return true;
  }
  // What take() has taken.
  void give(double bytes) { left_ += static_cast<int64_t>(bytes); }

 private:
  std::atomic<int64_t> left_;
};

}  // namespace cps
