#include "media/index_cache.h"

#include <algorithm>
#include <chrono>

namespace cps {

FrameIndexPtr IndexCache::get(const FileIdentity& identity, int64_t capacity,
                              const CancelPtr& cancel, const Build& build) {
  if (capacity <= 0) return build();
  const auto same = [&](const Entry& entry) { return entry.identity == identity; };
  {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      const auto it = std::find_if(entries_.begin(), entries_.end(), same);
      if (it == entries_.end()) break;
      if (it->index) {
        entries_.splice(entries_.begin(), entries_, it);
        return it->index;
      }
      // Nobody wakes a waiter for its own cancellation, so look now and then.
      built_.wait_for(lock, std::chrono::milliseconds(20));
      if (cancel) cancel->check(Stage::Index);
    }
    entries_.push_front({identity, nullptr});
  }
  FrameIndexPtr index;
  try {
    index = build();
  } catch (...) {
    const std::lock_guard<std::mutex> lock(mutex_);
    entries_.remove_if(same);
    built_.notify_all();
    throw;
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  int64_t finished = 0;
  for (auto it = entries_.begin(); it != entries_.end();) {
    if (same(*it)) it->index = index;
    // An older state of the same file is of no use to anybody.
    const bool stale = it->index && it->identity.path == identity.path && !same(*it);
    const bool over = it->index && ++finished > capacity;
    it = stale || over ? entries_.erase(it) : std::next(it);
  }
  built_.notify_all();
  return index;
}

void IndexCache::drop(const FileIdentity& identity, const FrameIndexPtr& index) {
  const std::lock_guard<std::mutex> lock(mutex_);
  entries_.remove_if([&](const Entry& entry) {
    return entry.index == index && entry.index != nullptr && entry.identity == identity;
  });
}

bool IndexCache::isFirstUseOf(const std::string& folder) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return folders_.insert(folder).second;
}

size_t IndexCache::size() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return entries_.size();
}

void IndexCache::clear() {
  const std::lock_guard<std::mutex> lock(mutex_);
  entries_.remove_if([](const Entry& entry) { return entry.index != nullptr; });
}

}  // namespace cps
