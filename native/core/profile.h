#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>
#include <string>

namespace cps {

// Wall and busy time per stage of one call. Thread-safe: decode workers report concurrently.
// Stage names are the keys of `stream.timings` (camelCase + "Ms"): indexMs, countMs (the part of it
// that decodes: Note [Trust] in frame_index.h), planMs, decodeMs (wall, first packet to last
// frame), cellsMs, matchMs (summed over threads), afterDecodeMs (wall, last decoded frame to
// result), scoresMs, selectMs, gatherMs, convertMs, totalMs, queueMs.
class Profile {
 public:
  using Clock = std::chrono::steady_clock;

  // `key` must outlive the profile (a literal). Neither allocates: a Scope ends while memory is
  // short, too. Keys beyond kMaxKeys are dropped.
  void add(const char* key, double ms) noexcept;
  void set(const char* key, double value) noexcept;
  std::map<std::string, double> values() const;

  // Adds the time between construction and destruction to `key`.
  class Scope {
   public:
    Scope(Profile& profile, const char* key) : profile_(profile), key_(key), start_(Clock::now()) {}
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Profile& profile_;
    const char* key_;
    Clock::time_point start_;
  };

 private:
  static constexpr size_t kMaxKeys = 64;
  struct Entry {
    const char* key = nullptr;
    double value = 0;
  };
  double* find(const char* key) noexcept;

  mutable std::mutex mutex_;
  std::array<Entry, kMaxKeys> entries_;
  size_t count_ = 0;
};

}  // namespace cps
