#include "core/profile.h"

#include <cstring>

namespace cps {

double* Profile::find(const char* key) noexcept {
  for (size_t i = 0; i < count_; ++i) {
    if (std::strcmp(entries_[i].key, key) == 0) return &entries_[i].value;
  }
  if (count_ == kMaxKeys) return nullptr;
  entries_[count_] = {key, 0};
  return &entries_[count_++].value;
}

void Profile::add(const char* key, double ms) noexcept {
  std::lock_guard lock(mutex_);
  if (double* value = find(key)) *value += ms;
}

void Profile::set(const char* key, double value) noexcept {
  std::lock_guard lock(mutex_);
  if (double* entry = find(key)) *entry = value;
}

std::map<std::string, double> Profile::values() const {
  std::lock_guard lock(mutex_);
  std::map<std::string, double> out;
  for (size_t i = 0; i < count_; ++i) out[entries_[i].key] = entries_[i].value;
  return out;
}

Profile::Scope::~Scope() {
  const std::chrono::duration<double, std::milli> elapsed = Clock::now() - start_;
  profile_.add(key_, elapsed.count());
}

}  // namespace cps
