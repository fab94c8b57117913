#include "media/index/seek_knowledge.h"

#include <algorithm>
#include <limits>

namespace cps {

namespace {
constexpr int64_t kNeverStart = std::numeric_limits<int64_t>::max();
}  // namespace

void SeekKnowledge::begin(std::span<const PacketEntry> packets, std::span<const int32_t> keys,
                          bool flagsAreTrue) {
  packets_ = packets;
  keys_ = keys;
  keyStates_ = std::make_unique<std::atomic<uint8_t>[]>(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) keyStates_[i] = flagsAreTrue ? kGood : kUnknown;
  leastOrders_.clear();
  for (size_t level = 0; startCount(level) > 1; ++level) {
    const size_t groups = (startCount(level) + kStartGroup - 1) / kStartGroup;
    std::vector<std::atomic<int64_t>> least(groups);
    for (size_t i = 0; i < groups; ++i) {
      int64_t order = kNeverStart;
      const size_t end = std::min((i + 1) * kStartGroup, startCount(level));
      for (size_t at = i * kStartGroup; at < end; ++at) {
        order = std::min(order, leastOrder(level, at));
      }
      least[i] = order;
    }
    leastOrders_.push_back(std::move(least));
  }
}

// The order of a key that decoding may start at.
int64_t SeekKnowledge::startOrder(size_t key) const {
  const int64_t order = packets_[static_cast<size_t>(keys_[key])].order;
  const bool bad = keyStates_[key].load(std::memory_order_relaxed) == kBad && keys_[key] != 0;
  return bad || order == kNoOrder ? kNeverStart : order;
}

int64_t SeekKnowledge::leastOrder(size_t level, size_t i) const {
  return level == 0 ? startOrder(i) : leastOrders_[level - 1][i].load(std::memory_order_relaxed);
}

// The last key of groups [begin, end) of a level that may be started at for `order`.
std::optional<size_t> SeekKnowledge::lastStart(size_t level, size_t begin, size_t end,
                                               int64_t order) const {
  for (size_t i = end; i > begin; --i) {
    if (leastOrder(level, i - 1) > order) continue;
    if (level == 0) return i - 1;
    const size_t below = std::min(i * kStartGroup, startCount(level - 1));
    const auto found = lastStart(level - 1, (i - 1) * kStartGroup, below, order);
    if (found) return found;  // else another thread has just learnt that it is none
  }
  return std::nullopt;
}

size_t SeekKnowledge::keyPosition(int32_t ordinal) const {
  return static_cast<size_t>(std::lower_bound(keys_.begin(), keys_.end(), ordinal) - keys_.begin());
}

uint8_t SeekKnowledge::state(int32_t ordinal) const {
  const size_t at = keyPosition(ordinal);
  if (at == keys_.size() || keys_[at] != ordinal) return kBad;
  return keyStates_[at].load(std::memory_order_relaxed);
}

void SeekKnowledge::setStart(int32_t ordinal, bool good) {
  const size_t at = keyPosition(ordinal);
  if (at == keys_.size() || keys_[at] != ordinal) return;
  const std::lock_guard<std::mutex> lock(leastMutex_);
  keyStates_[at].store(good ? kGood : kBad, std::memory_order_relaxed);
  size_t group = at;
  for (size_t level = 0; level < leastOrders_.size(); ++level) {
    group /= kStartGroup;
    int64_t order = kNeverStart;
    const size_t end = std::min((group + 1) * kStartGroup, startCount(level));
    for (size_t i = group * kStartGroup; i < end; ++i) {
      order = std::min(order, leastOrder(level, i));
    }
    if (leastOrders_[level][group].exchange(order, std::memory_order_relaxed) == order) return;
  }
}

int32_t SeekKnowledge::startFor(int32_t ordinal) const {
  // Pictures shown before the key picture but sent after it (open GOP) need what precedes it.
  const int64_t order = packets_[static_cast<size_t>(ordinal)].order;
  auto end =
      static_cast<size_t>(std::upper_bound(keys_.begin(), keys_.end(), ordinal) - keys_.begin());
  for (size_t level = 0; end > 0; ++level) {
    const size_t begin = (end - 1) / kStartGroup * kStartGroup;
    if (const auto found = lastStart(level, begin, end, order)) return keys_[*found];
    end = begin / kStartGroup;
  }
  return 0;
}

}  // namespace cps
