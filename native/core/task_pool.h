#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace cps {

// Note [Threads]
// The package has one TaskPool per process with `threads()` workers, shared by every addon instance
// (worker_threads included) and joined when the last one goes. A call (one patchStream or
// decodeOnly) is one job; jobs start in FIFO order. Inside a job `parallelFor` lets idle workers
// help; the caller always works too, so a job can finish with no helper at all and nothing can
// deadlock. FFmpeg's own decoder threads come on top and are counted by ThreadBudget, so that
// threads per decoder x open decoders never exceeds the budget however many calls run at once.
class TaskPool {
 public:
  explicit TaskPool(int threads);
  ~TaskPool();  // runs what is queued no further than its cancellation, then joins
  TaskPool(const TaskPool&) = delete;
  TaskPool& operator=(const TaskPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()); }
  // Jobs that were submitted and have not ended: running or waiting for a worker.
  int jobs() const { return unfinished_.load(std::memory_order_relaxed); }
  // Queues a job at the back. The job must not throw.
  void submit(std::function<void()> job);
  // Runs fn(i) for i in [0, n) on the calling thread and on at most maxThreads - 1 idle workers.
  // Returns when all are done. The first exception is rethrown after the others have stopped;
  // indices not yet started are skipped then.
  void parallelFor(size_t n, int maxThreads, const std::function<void(size_t)>& fn);

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  std::deque<std::function<void()>> helpers_;  // taken before jobs: a running call ends first
  std::atomic<int> unfinished_{0};
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

// Counts decoder threads across the process. A lease is given back by its destructor.
class ThreadBudget {
 public:
  explicit ThreadBudget(int total) : total_(total), free_(total) {}

  class Lease {
   public:
    Lease() = default;
    Lease(ThreadBudget* budget, int count) : budget_(budget), count_(count) {}
    ~Lease() { reset(); }
    Lease(Lease&& other) noexcept;
    Lease& operator=(Lease&& other) noexcept;
    int count() const { return count_; }
    void reset() noexcept;

   private:
    ThreadBudget* budget_ = nullptr;
    int count_ = 0;
  };

  int total() const { return total_; }
  // Between 1 and `wanted` threads, never waiting: a running job owns one thread in any case.
  Lease acquire(int wanted);

 private:
  friend class Lease;
  std::mutex mutex_;
  int total_;
  int free_;
};

}  // namespace cps
