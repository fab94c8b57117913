#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "media/index/packet_entry.h"

namespace cps {

// Where decoding may start and whether seeking works, as far as calls have found out. Thread-safe:
// calls that share an index share what they learn.
class SeekKnowledge {
 public:
  // Forgets about starts: they are those of `packets` and `keys` now, which must outlive this.
  // `flagsAreTrue`: decoding can start at every key without a look into it.
  void begin(std::span<const PacketEntry> packets, std::span<const int32_t> keys,
             bool flagsAreTrue);

  bool startVerified(int32_t ordinal) const { return state(ordinal) != kUnknown; }
  bool startIsGood(int32_t ordinal) const { return state(ordinal) == kGood; }
  void setStart(int32_t ordinal, bool good);
  // The latest packet <= ordinal that decoding may start at, so that the picture of `ordinal` and
  // all that it depends on come after it; 0 when there is no key.
  int32_t startFor(int32_t ordinal) const;

  // Seeking in this container does not lead back to packets that were seen: read on instead.
  bool seekable() const { return !seekBroken_.load(std::memory_order_relaxed); }
  void setSeekBroken() { seekBroken_.store(true, std::memory_order_relaxed); }

  size_t memoryBytes() const { return keys_.size() + keys_.size() / 2; }

 private:
  enum State : uint8_t { kUnknown, kGood, kBad };
  uint8_t state(int32_t ordinal) const;

  size_t keyPosition(int32_t ordinal) const;
  int64_t startOrder(size_t key) const;
  size_t startCount(size_t level) const {
    return level == 0 ? keys_.size() : leastOrders_[level - 1].size();
  }
  int64_t leastOrder(size_t level, size_t i) const;
  std::optional<size_t> lastStart(size_t level, size_t begin, size_t end, int64_t order) const;

  std::span<const PacketEntry> packets_;
  std::span<const int32_t> keys_;
  std::unique_ptr<std::atomic<uint8_t>[]> keyStates_;  // per element of keys_
  // Note [Starts]
  // Where a container flags every packet, or none of the flags is true, walking back from key to
  // key for each target takes as long as targets times packets. So keys are grouped by kStartGroup,
  // groups likewise, and so on; each group knows the least order of the starts in it, and what need
  // not be looked into is skipped.
  static constexpr size_t kStartGroup = 16;
  std::vector<std::vector<std::atomic<int64_t>>> leastOrders_;
  std::mutex leastMutex_;  // of those who write
  std::atomic<bool> seekBroken_{false};
};

}  // namespace cps
