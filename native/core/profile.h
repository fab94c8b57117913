#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>

namespace cps {

// Wall and busy time per stage of one call. Thread-safe: decode workers report concurrently.
// Stage names are the keys of `stream.timings` (camelCase + "Ms"): indexMs, planMs, decodeMs (wall,
// first packet to last frame), cellsMs, matchMs (summed over threads), afterDecodeMs (wall, last
// decoded frame to result), scoresMs, selectMs, gatherMs, convertMs, totalMs, queueMs.
class Profile {
 public:
  using Clock = std::chrono::steady_clock;

  void add(const char* key, double ms);
  void set(const char* key, double value);
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
  mutable std::mutex mutex_;
  std::map<std::string, double> values_;
};

}  // namespace cps
