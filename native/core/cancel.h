#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "core/error.h"

namespace cps {

// Shared between the call that works and whoever may stop it (AbortSignal, close, environment
// teardown, the timeoutMs limit). Checked at least once per packet and per block of rows.
class CancelToken {
 public:
  void cancel() noexcept {
    cancelled_.store(true, std::memory_order_relaxed);
    stop();
  }
  // The deadline is now, whatever it was.
  void timeOut() noexcept {
    timedOut_.store(true, std::memory_order_relaxed);
    stop();
  }
  void setDeadline(std::chrono::steady_clock::time_point deadline) { deadline_ = deadline; }
  // Of something that outlives calls and works for one at a time: what holds for that call holds
  // for this token, too. Between calls; null: none.
  void actFor(std::shared_ptr<const CancelToken> call) { call_ = std::move(call); }
  bool cancelled() const noexcept {
    return cancelled_.load(std::memory_order_relaxed) || (call_ && call_->cancelled());
  }
  bool expired() const noexcept {
    if (call_ && call_->expired()) return true;
    return timedOut_.load(std::memory_order_relaxed) ||
           (deadline_ != std::chrono::steady_clock::time_point::max() &&
            std::chrono::steady_clock::now() >= deadline_);
  }
  // Before the call begins: it is started anew when it throws Later (Note [Later] in later.h).
  void setRestartable() { restartable_ = true; }
  bool restartable() const noexcept { return restartable_; }
  // Throws Error(Aborted) when cancelled, Error(TimedOut) naming timeoutMs when out of time.
  void check(Stage stage) const;

  // For work that cannot look at a token: while it lives, cancel() and timeOut() call `action`,
  // from their thread; at once, if one of them came before. One at a time per token.
  class Stop {
   public:
    Stop(std::shared_ptr<CancelToken> token, std::function<void()> action);
    ~Stop();
    Stop(const Stop&) = delete;
    Stop& operator=(const Stop&) = delete;

   private:
    std::shared_ptr<CancelToken> token_;
  };

 private:
  void stop() noexcept;

  std::mutex stopMutex_;
  std::function<void()> stop_;
  std::atomic<bool> cancelled_{false};
  std::atomic<bool> timedOut_{false};
  bool restartable_ = false;
  std::shared_ptr<const CancelToken> call_;
  std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::time_point::max();
};

using CancelPtr = std::shared_ptr<CancelToken>;

}  // namespace cps
