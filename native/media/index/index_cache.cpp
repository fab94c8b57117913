#include "media/index/index_cache.h"

#include <algorithm>
#include <utility>

namespace cps {
namespace {

// The last one first: each goes to the front of its queue.
void wake(const std::list<Later::Resume>& waiting) {
  for (auto it = waiting.rbegin(); it != waiting.rend(); ++it) (*it)();
}

}  // namespace

IndexCache::Entries::iterator IndexCache::find(const FileIdentity& identity) {
  return std::find_if(entries_.begin(), entries_.end(),
                      [&](const Entry& entry) { return entry.identity == identity; });
}

FrameIndexPtr IndexCache::get(const FileIdentity& identity, int64_t capacity, Busy busy,
                              const Build& build) {
  if (capacity <= 0) return build();
  bool first = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto it = find(identity);
    if (it == entries_.end()) {
      entries_.push_front({identity});
      first = true;
    } else if (it->index) {
      entries_.splice(entries_.begin(), entries_, it);
      return it->index;
    } else if (busy == Busy::ComeBack) {
      throw Later(
          [this, identity](Later::Resume resume) { wakeWhenBuilt(identity, std::move(resume)); });
    }
  }
  FrameIndexPtr index;
  try {
    index = build();
  } catch (...) {
    if (first) fail(identity);
    throw;
  }
  finish(identity, capacity, index);
  return index;
}

void IndexCache::wakeWhenBuilt(const FileIdentity& identity, Later::Resume resume) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto it = find(identity);
    if (it != entries_.end() && !it->index) {
      it->waiting.push_back(std::move(resume));
      return;
    }
  }
  resume();
}

void IndexCache::fail(const FileIdentity& identity) {
  std::list<Later::Resume> waiting;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto it = find(identity);
    if (it == entries_.end() || it->index) return;
    waiting.swap(it->waiting);
    entries_.erase(it);
  }
  wake(waiting);
}

void IndexCache::finish(const FileIdentity& identity, int64_t capacity,
                        const FrameIndexPtr& index) {
  std::list<Later::Resume> waiting;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    // Gone where the caller that began first has failed; an index is one for all.
    auto own = find(identity);
    if (own == entries_.end()) own = entries_.insert(entries_.begin(), {identity});
    own->index = index;
    waiting.swap(own->waiting);
    int64_t finished = 0;
    for (auto it = entries_.begin(); it != entries_.end();) {
      // An older state of the same file is of no use to anybody.
      const bool stale = it->index && it->identity.path == identity.path && it != own;
      const bool over = it->index && ++finished > capacity;
      it = stale || over ? entries_.erase(it) : std::next(it);
    }
  }
  wake(waiting);
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
