#include "core/profile.h"

namespace cps {

void Profile::add(const char* key, double ms) {
  std::lock_guard lock(mutex_);
  values_[key] += ms;
}

void Profile::set(const char* key, double value) {
  std::lock_guard lock(mutex_);
  values_[key] = value;
}

std::map<std::string, double> Profile::values() const {
  std::lock_guard lock(mutex_);
  return values_;
}

Profile::Scope::~Scope() {
  const std::chrono::duration<double, std::milli> elapsed = Clock::now() - start_;
  profile_.add(key_, elapsed.count());
}

}  // namespace cps
