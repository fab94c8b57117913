#include "core/task_pool.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <new>
#include <utility>

namespace cps {
namespace {

// One parallelFor in progress. Lives until the last helper that was queued for it has looked at it.
struct Loop {
  size_t n = 0;
  const std::function<void(size_t)>* fn = nullptr;
  std::atomic<size_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  std::condition_variable idle;
  int active = 0;       // helpers inside work()
  bool closed = false;  // the caller has returned: late helpers must not touch fn
  std::exception_ptr error;

  void work() {
    for (;;) {
      const size_t i = next.fetch_add(1, std::memory_order_relaxed);
      if (i >= n || failed.load(std::memory_order_relaxed)) return;
      try {
        (*fn)(i);
      } catch (...) {
        std::lock_guard lock(mutex);
        if (!error) error = std::current_exception();
        failed.store(true, std::memory_order_relaxed);
      }
    }
  }
};

}  // namespace

TaskPool::TaskPool(int threads) {
  const int count = std::max(1, threads);
  workers_.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) workers_.emplace_back([this] { run(); });
}

TaskPool::~TaskPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void TaskPool::submit(std::function<void()> job, Start start) {
  {
    std::lock_guard lock(mutex_);
    jobs_.push_back({std::move(job), start});
    unfinished_.fetch_add(1, std::memory_order_relaxed);
  }
  wake_.notify_one();
}

// The first job that may start now.
std::deque<TaskPool::Job>::iterator TaskPool::nextJob() {
  return std::find_if(jobs_.begin(), jobs_.end(),
                      [this](const Job& job) { return job.start == Start::Freely || !oneRuns_; });
}

void TaskPool::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] {
      return !helpers_.empty() || nextJob() != jobs_.end() || (stopping_ && jobs_.empty());
    });
    std::function<void()> task;
    const bool isJob = helpers_.empty();
    bool isOne = false;
    if (isJob) {
      const auto job = nextJob();
      if (job == jobs_.end()) return;  // stopping, and nothing left
      task = std::move(job->work);
      isOne = job->start == Start::OneAtATime;
      jobs_.erase(job);
      if (isOne) oneRuns_ = true;
    } else {
      task = std::move(helpers_.front());
      helpers_.pop_front();
    }
    lock.unlock();
    task();
    task = nullptr;  // destroyed outside the lock
    if (isJob) unfinished_.fetch_sub(1, std::memory_order_relaxed);
    lock.lock();
    if (isOne) {
      oneRuns_ = false;
      wake_.notify_all();
    }
  }
}

void TaskPool::parallelFor(size_t n, int maxThreads, const std::function<void(size_t)>& fn) {
  if (n == 0) return;
  const size_t wanted =
      std::min({n, static_cast<size_t>(std::max(1, maxThreads)), workers_.size() + 1});
  if (wanted == 1) {
    for (size_t i = 0; i < n; ++i) fn(i);
    return;
  }
  auto loop = std::make_shared<Loop>();
  loop->n = n;
  loop->fn = &fn;
  {
    std::lock_guard lock(mutex_);
    try {
      for (size_t i = 1; i < wanted; ++i) {
        helpers_.push_back([loop] {
          {
            std::lock_guard inner(loop->mutex);
            if (loop->closed) return;
            ++loop->active;
          }
          loop->work();
          std::lock_guard inner(loop->mutex);
          if (--loop->active == 0) loop->idle.notify_all();
        });
      }
    } catch (const std::bad_alloc&) {
      // Helpers are a favour: those that are queued refer to `fn`, so go on and close the loop.
    }
  }
  wake_.notify_all();
  loop->work();
  std::unique_lock lock(loop->mutex);
  loop->idle.wait(lock, [&] { return loop->active == 0; });
  loop->closed = true;
  // Moved out: a helper may be the last to let go of the loop, and the exception is not its own.
  if (loop->error) std::rethrow_exception(std::exchange(loop->error, nullptr));
}

ThreadBudget::Lease::Lease(Lease&& other) noexcept
    : budget_(std::exchange(other.budget_, nullptr)), count_(std::exchange(other.count_, 0)) {}

ThreadBudget::Lease& ThreadBudget::Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    reset();
    budget_ = std::exchange(other.budget_, nullptr);
    count_ = std::exchange(other.count_, 0);
  }
  return *this;
}

void ThreadBudget::Lease::reset() noexcept {
  if (budget_ != nullptr) {
    std::lock_guard lock(budget_->mutex_);
    budget_->free_ += count_;
  }
  budget_ = nullptr;
  count_ = 0;
}

ThreadBudget::Lease ThreadBudget::acquire(int wanted) {
  std::lock_guard lock(mutex_);
  const int granted = std::clamp(free_, 1, std::max(1, wanted));
  free_ -= granted;  // may go below zero: every running job has at least its own thread
  return Lease(this, granted);
}

}  // namespace cps
