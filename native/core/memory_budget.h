#pragma once

#include <atomic>
#include <cstdint>

namespace cps {

// What a call may take of memory (option maxMemoryBytes): the pictures it keeps, its frame index
// and its result. Whoever is about to allocate what a file's word or an option decides takes it
// here first and says what to do where it is not there. Thread-safe.
class MemoryBudget {
 public:
  explicit MemoryBudget(int64_t bytes) : total_(bytes), left_(bytes) {}

  int64_t total() const { return total_; }
  int64_t left() const { return left_.load(std::memory_order_relaxed); }
  // False, and nothing is taken, where fewer are left.
  bool take(double bytes) {
    int64_t left = left_.load(std::memory_order_relaxed);
    do {
      if (bytes > static_cast<double>(left)) return false;
    } while (!left_.compare_exchange_weak(left, left - static_cast<int64_t>(bytes)));
    return true;
  }

 private:
  const int64_t total_;
  std::atomic<int64_t> left_;
};

}  // namespace cps
