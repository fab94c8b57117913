#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
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
// decodeOnly) is one job; jobs start in FIFO order, but of those that want the pool to themselves
// (Note [Modes] in media/cpu_source.h) one at a time: the others wait without taking a worker, and
// whatever comes behind them may start. Inside a job `parallelFor` lets idle workers
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
  // Queues a job at the back. The job must not throw. OneAtATime: not beside another of its kind.
  enum class Start : uint8_t { Freely, OneAtATime };
  void submit(std::function<void()> job, Start start = Start::Freely);
  // Runs fn(i) for i in [0, n) on the calling thread and on at most maxThreads - 1 idle workers.
  // Returns when all are done. The first exception is rethrown after the others have stopped;
  // indices not yet started are skipped then.
  void parallelFor(size_t n, int maxThreads, const std::function<void(size_t)>& fn);

 private:
  struct Job {
    std::function<void()> work;
    Start start;
  };

  void run();
  std::deque<Job>::iterator nextJob();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  std::deque<std::function<void()>> helpers_;  // taken before jobs: a running call ends first
  std::atomic<int> unfinished_{0};
  bool oneRuns_ = false;  // a job that started as OneAtATime has not ended
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
