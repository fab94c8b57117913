#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

namespace cps {

// Note [Threads]
// The package has one TaskPool per process with up to `threads()` workers, shared by every addon
// instance (worker_threads included) and joined when the last one goes. A call (one patchStream or
// decodeOnly) is one job; jobs start in FIFO order, but of those that want the pool to themselves
// (Note [Modes] in media/decode/media_services.h) one at a time: the others wait without taking a
// worker, and whatever comes behind them may start. Inside a job `parallelFor` lets idle workers
// help; the caller always works too, so a job can finish with no helper at all and nothing can
// deadlock. FFmpeg's own decoder threads come on top and are counted by ThreadBudget, so that
// threads per decoder x open decoders never exceeds the budget however many calls run at once.
// A job that waits for something outside (a read of a caller's source) does so inside a Waiting:
// its place is free for another worker meanwhile, so that slow and silent sources keep nobody from
// work. Workers start with the first work. Where the system refuses some of them (limits on
// processes), the pool works with those it has, and asks again with the next job.
class TaskPool {
 public:
  explicit TaskPool(int threads) : wanted_(threads < 1 ? 1 : threads) {}
  ~TaskPool();  // runs what is queued no further than its cancellation, then joins
  TaskPool(const TaskPool&) = delete;
  TaskPool& operator=(const TaskPool&) = delete;

  int threads() const { return wanted_.load(std::memory_order_relaxed); }
  // Surplus workers end when they have nothing to do; those that are missing come with the next
  // job.
  void setThreads(int threads);
  // Jobs that were submitted and have not ended: running or waiting for a worker.
  int jobs() const { return unfinished_.load(std::memory_order_relaxed); }
  // Queues a job at the back. The job must not throw. OneAtATime: not beside another of its kind.
  // Throws Error(Limit), and queues nothing, where not a single worker can be had.
  enum class Start : uint8_t { Freely, OneAtATime };
  void submit(std::function<void()> job, Start start = Start::Freely) { queue(job, start, false); }
  // The same at the front, for a job that has had its turn before.
  void resubmit(std::function<void()> job, Start start) { queue(job, start, true); }
  // While one lives, the thread that made it waits for something that no worker does. Null: does
  // nothing.
  class Waiting {
   public:
    explicit Waiting(TaskPool* pool) : pool_(pool) {
      if (pool_) pool_->beginWaiting();
    }
    ~Waiting() {
      if (pool_) pool_->endWaiting();
    }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

   private:
    TaskPool* pool_;
  };
  // Runs fn(i) for i in [0, n) on the calling thread and on at most maxThreads - 1 idle workers.
  // Returns when all are done. The first exception is rethrown after the others have stopped;
  // indices not yet started are skipped then. Allocates nothing, and leaves nothing behind.
  void parallelFor(size_t n, int maxThreads, const std::function<void(size_t)>& fn);

 private:
  struct Job {
    std::function<void()> work;
    Start start;
  };
  struct Loop;

  void queue(std::function<void()>& job, Start start, bool front);
  bool startWorkers();
  int limit() const;
  void beginWaiting();
  void endWaiting();
  void run(std::list<std::thread>::iterator self);
  void runJob(std::unique_lock<std::mutex>& lock, std::list<Job>::iterator job);
  void help(std::unique_lock<std::mutex>& lock, Loop& loop);
  std::list<Job>::iterator nextJob();
  Loop* nextLoop() const;
  void joinEnded();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::list<Job> jobs_;
  Loop* loops_ = nullptr;  // those that take helpers, oldest first; before jobs: calls end first
  std::atomic<int> unfinished_{0};
  std::atomic<int> wanted_;
  int waiting_ = 0;       // inside a Waiting
  bool oneRuns_ = false;  // a job that started as OneAtATime has not ended
  bool stopping_ = false;
  bool refused_ = false;  // the system gave no more threads; asked again with the next job
  std::list<std::thread> workers_;
  std::list<std::thread> ended_;  // to be joined
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

  int total() const { return total_.load(std::memory_order_relaxed); }
  void setTotal(int total);
  // Between 1 and `wanted` threads, never waiting: a running job owns one thread in any case.
  Lease acquire(int wanted);

 private:
  friend class Lease;
  std::mutex mutex_;
  std::atomic<int> total_;
  int free_;
};

}  // namespace cps
