#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace cps {

// The answer to one request of CallerBytes: given once, by any thread, and waited for by another.
// Whoever waits may give up; an answer that comes later goes nowhere.
class BytesReply {
 public:
  using Bytes = std::vector<uint8_t>;

  void give(Bytes bytes) {
    const std::lock_guard lock(mutex_);
    if (isThere_) return;
    bytes_ = std::move(bytes);
    isThere_ = true;
    there_.notify_all();
  }
  // `why` names the source and what was asked for.
  void fail(std::string why) {
    const std::lock_guard lock(mutex_);
    if (isThere_) return;
    failure_ = std::move(why);
    isThere_ = true;
    there_.notify_all();
  }

  // What to do when nobody waits for it any more. Before it is asked for.
  void onGivenUp(std::function<void()> stop) { stop_ = std::move(stop); }
  // Nobody waits for it any more: whoever reads may stop.
  void giveUp() {
    {
      const std::lock_guard lock(mutex_);
      if (isThere_) return;
      isThere_ = true;
      failure_ = "nobody waits for it any more";
    }
    if (stop_) stop_();
  }

  bool waitFor(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    return there_.wait_for(lock, time, [this] { return isThere_; });
  }
  bool isThere() const {
    const std::lock_guard lock(mutex_);
    return isThere_;
  }
  // Once it is there: the bytes, or nothing and `failure`.
  std::optional<Bytes> take(std::string& failure) {
    const std::lock_guard lock(mutex_);
    failure = failure_;
    if (!failure.empty()) return std::nullopt;
    return std::move(bytes_);
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable there_;
  bool isThere_ = false;
  Bytes bytes_;
  std::string failure_;
  std::function<void()> stop_;
};

// Bytes that a caller's own function reads: of an object store, a Blob, a server.
class CallerBytes {
 public:
  virtual ~CallerBytes() = default;
  virtual int64_t size() const = 0;
  // For messages.
  virtual std::string name() const = 0;
  // What tells these bytes from others of the same name and size; empty: nothing is known.
  virtual std::string version() const { return {}; }
  // Asks for bytes [offset, offset + n), all of them inside the source, and returns at once.
  virtual void ask(int64_t offset, size_t n, std::shared_ptr<BytesReply> reply) = 0;
};

}  // namespace cps
