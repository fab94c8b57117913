#include "core/task_pool.h"

#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>

#include "core/error.h"

namespace cps {
namespace {

// Workers beyond threads() that take the place of those that wait.
constexpr int kMostInPlace = 128;

}  // namespace

// One parallelFor in progress, on the stack of its caller. Everything but `next` and `failed` is
// under the pool's mutex.
struct TaskPool::Loop {
  Loop(size_t count, const std::function<void(size_t)>& body, int helpers)
      : n(count), fn(body), places(helpers) {}

  size_t n;
  const std::function<void(size_t)>& fn;
  int places;             // helpers that may still come
  int active = 0;         // helpers inside work()
  Loop* later = nullptr;  // in the pool's list
  std::atomic<size_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex errorMutex;
  std::exception_ptr error;
  std::condition_variable idle;

  bool hasWork() const {
    return places > 0 && next.load(std::memory_order_relaxed) < n &&
           !failed.load(std::memory_order_relaxed);
  }

  void work() noexcept {
    for (;;) {
      const size_t i = next.fetch_add(1, std::memory_order_relaxed);
      if (i >= n || failed.load(std::memory_order_relaxed)) return;
      try {
        fn(i);
      } catch (...) {
        std::lock_guard lock(errorMutex);
        if (!error) error = std::current_exception();
        failed.store(true, std::memory_order_relaxed);
      }
    }
  }
};

TaskPool::~TaskPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;  // from here on no worker is added or retired
  }
  wake_.notify_all();
  for (auto& worker : workers_) worker.join();
  joinEnded();
}

void TaskPool::joinEnded() {
  std::list<std::thread> ended;
  {
    std::lock_guard lock(mutex_);
    ended.swap(ended_);
  }
  for (auto& worker : ended) worker.join();
}

void TaskPool::setThreads(int threads) {
  {
    std::lock_guard lock(mutex_);
    wanted_.store(std::max(1, threads), std::memory_order_relaxed);
    refused_ = false;
  }
  wake_.notify_all();
}

// Workers that there may be; under the mutex.
int TaskPool::limit() const { return threads() + std::min(waiting_, kMostInPlace); }

void TaskPool::beginWaiting() {
  {
    std::lock_guard lock(mutex_);
    ++waiting_;
    // Only where there is something to do for it: most waits are short.
    if (nextLoop() == nullptr && nextJob() == jobs_.end()) return;
    startWorkers();
  }
  wake_.notify_one();
}

void TaskPool::endWaiting() {
  {
    std::lock_guard lock(mutex_);
    --waiting_;
  }
  wake_.notify_one();  // one that is too many ends
  joinEnded();
}

// Starts what is missing, as far as the system lets it; false where there is no worker at all.
bool TaskPool::startWorkers() {
  while (!refused_ && !stopping_ && static_cast<int>(workers_.size()) < limit()) {
    try {
      const auto self = workers_.emplace(workers_.end());
      try {
        *self = std::thread([this, self] { run(self); });
      } catch (...) {
        workers_.erase(self);
        throw;
      }
    } catch (const std::exception&) {  // system_error: no more threads; bad_alloc
      refused_ = true;
    }
  }
  return !workers_.empty();
}

void TaskPool::queue(std::function<void()>& job, Start start, bool front) {
  {
    std::lock_guard lock(mutex_);
    const auto queued =
        jobs_.insert(front ? jobs_.begin() : jobs_.end(), Job{std::move(job), start});
    refused_ = false;
    if (!startWorkers()) {
      jobs_.erase(queued);
      throw Error(ErrorCode::Limit, Stage::Open,
                  "The system gives this process no thread to work with (a limit on processes or "
                  "threads: ulimit -u, cgroup pids.max); raise it or try again later");
    }
    unfinished_.fetch_add(1, std::memory_order_relaxed);
  }
  wake_.notify_one();
  joinEnded();
}

// The first job that may start now.
std::list<TaskPool::Job>::iterator TaskPool::nextJob() {
  return std::find_if(jobs_.begin(), jobs_.end(),
                      [this](const Job& job) { return job.start == Start::Freely || !oneRuns_; });
}

TaskPool::Loop* TaskPool::nextLoop() const {
  for (Loop* loop = loops_; loop != nullptr; loop = loop->later) {
    if (loop->hasWork()) return loop;
  }
  return nullptr;
}

void TaskPool::run(std::list<std::thread>::iterator self) {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (Loop* loop = nextLoop()) {
      help(lock, *loop);
    } else if (!stopping_ && static_cast<int>(workers_.size()) > limit()) {
      ended_.splice(ended_.end(), workers_, self);
      wake_.notify_one();  // what this one was woken for
      return;
    } else if (const auto job = nextJob(); job != jobs_.end()) {
      runJob(lock, job);
    } else if (stopping_ && jobs_.empty()) {
      return;
    } else {
      wake_.wait(lock);
    }
  }
}

void TaskPool::help(std::unique_lock<std::mutex>& lock, Loop& loop) {
  --loop.places;
  ++loop.active;
  lock.unlock();
  loop.work();
  lock.lock();
  // Under the lock: the loop is gone as soon as its caller can go on.
  if (--loop.active == 0) loop.idle.notify_all();
}

void TaskPool::runJob(std::unique_lock<std::mutex>& lock, std::list<Job>::iterator job) {
  std::list<Job> mine;
  mine.splice(mine.begin(), jobs_, job);
  const bool isOne = job->start == Start::OneAtATime;
  if (isOne) oneRuns_ = true;
  lock.unlock();
  job->work();
  mine.clear();  // destroyed outside the lock
  unfinished_.fetch_sub(1, std::memory_order_relaxed);
  lock.lock();
  if (isOne) {
    oneRuns_ = false;
    wake_.notify_all();
  }
}

void TaskPool::parallelFor(size_t n, int maxThreads, const std::function<void(size_t)>& fn) {
  if (n == 0) return;
  const size_t wanted = std::min(
      {n, static_cast<size_t>(std::max(1, maxThreads)), static_cast<size_t>(threads()) + 1});
  if (wanted == 1) {
    for (size_t i = 0; i < n; ++i) fn(i);
    return;
  }
  Loop loop(n, fn, static_cast<int>(wanted) - 1);
  {
    std::lock_guard lock(mutex_);
    startWorkers();
    Loop** end = &loops_;
    while (*end != nullptr) end = &(*end)->later;
    *end = &loop;
  }
  wake_.notify_all();
  loop.work();
  std::unique_lock lock(mutex_);
  Loop** place = &loops_;
  while (*place != &loop) place = &(*place)->later;
  *place = loop.later;
  loop.idle.wait(lock, [&] { return loop.active == 0; });
  lock.unlock();
  if (loop.error) std::rethrow_exception(loop.error);
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

void ThreadBudget::setTotal(int total) {
  std::lock_guard lock(mutex_);
  free_ += total - this->total();
  total_.store(total, std::memory_order_relaxed);
}

ThreadBudget::Lease ThreadBudget::acquire(int wanted) {
  std::lock_guard lock(mutex_);
  const int granted = std::clamp(free_, 1, std::max(1, wanted));
  free_ -= granted;  // may go below zero: every running job has at least its own thread
  return Lease(this, granted);
}

}  // namespace cps
