#include "media/index/frame_index.h"

#include <algorithm>
#include <iterator>

#include "core/error.h"

namespace cps {

namespace {

constexpr int64_t kNeverStart = std::numeric_limits<int64_t>::max();

// Where a codec's rules trust them, only a container is doubted that flags every packet (MP4 does
// so where its table of key frames is missing).
bool flagsAreTrusted(const FrameIndex& index) {
  const CodecRules& rules = *index.bitstream.rules;
  if (!rules.trustsKeyFlags) return false;
  return rules.intraOnly || index.keys.size() < index.packets.size();
}

}  // namespace

void FrameIndex::seal() {
  keyStates_ = std::make_unique<std::atomic<uint8_t>[]>(keys.size());
  const bool known = flagsAreTrusted(*this);
  for (size_t i = 0; i < keys.size(); ++i) keyStates_[i] = known ? kGood : kUnknown;
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
int64_t FrameIndex::startOrder(size_t key) const {
  const int64_t order = packets[static_cast<size_t>(keys[key])].order;
  const bool bad = keyStates_[key].load(std::memory_order_relaxed) == kBad && keys[key] != 0;
  return bad || order == kNoOrder ? kNeverStart : order;
}

int64_t FrameIndex::leastOrder(size_t level, size_t i) const {
  return level == 0 ? startOrder(i) : leastOrders_[level - 1][i].load(std::memory_order_relaxed);
}

// The last key of groups [begin, end) of a level that may be started at for `order`.
std::optional<size_t> FrameIndex::lastStart(size_t level, size_t begin, size_t end,
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

size_t FrameIndex::keyPosition(int32_t ordinal) const {
  return static_cast<size_t>(std::lower_bound(keys.begin(), keys.end(), ordinal) - keys.begin());
}

uint8_t FrameIndex::state(int32_t ordinal) const {
  const size_t at = keyPosition(ordinal);
  if (at == keys.size() || keys[at] != ordinal) return kBad;
  return keyStates_[at].load(std::memory_order_relaxed);
}

bool FrameIndex::canStart(int32_t ordinal) const {
  if (ordinal == 0) return true;
  return packets[static_cast<size_t>(ordinal)].order != kNoOrder && state(ordinal) != kBad;
}

void FrameIndex::setStart(int32_t ordinal, bool good) const {
  const size_t at = keyPosition(ordinal);
  if (at == keys.size() || keys[at] != ordinal) return;
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

int32_t FrameIndex::startFor(int32_t ordinal) const {
  // Pictures shown before the key picture but sent after it (open GOP) need what precedes it.
  const int64_t order = packets[static_cast<size_t>(ordinal)].order;
  auto end =
      static_cast<size_t>(std::upper_bound(keys.begin(), keys.end(), ordinal) - keys.begin());
  for (size_t level = 0; end > 0; ++level) {
    const size_t begin = (end - 1) / kStartGroup * kStartGroup;
    if (const auto found = lastStart(level, begin, end, order)) return keys[*found];
    end = begin / kStartGroup;
  }
  return 0;
}

void FrameIndex::checkWhole() const {
  for (const Note& note : notes.list()) {
    if (note.code.text() == "truncated-file") {
      throw Error(ErrorCode::Corrupt, Stage::Index, note.message);
    }
  }
}

void FrameIndex::measureReordering() {
  constexpr size_t kWindow = 32;
  constexpr int kMaxDepth = 16;  // the largest decoded picture buffer of any codec
  int64_t highest = kNoOrder;
  for (size_t i = 0; i < packets.size(); ++i) {
    const int64_t order = packets[i].order;
    if (order == kNoOrder) continue;
    if (order < highest) {
      int shownLater = 0;
      for (size_t back = 1; back <= std::min(i, kWindow); ++back) {
        shownLater += packets[i - back].order > order;
      }
      reorderDepth = std::max(reorderDepth, shownLater);
    }
    highest = std::max(highest, order);
  }
  reorderDepth = std::min(reorderDepth, kMaxDepth);
}

void FrameIndex::setShownSize() {
  info.width = orientation.swapXY ? storedHeight : storedWidth;
  info.height = orientation.swapXY ? storedWidth : storedHeight;
}

int64_t FrameIndex::countedBytes(size_t packets) {
  constexpr int64_t kFree = 16 << 20;
  constexpr size_t kPerPacket = sizeof(PacketEntry) + 2 * sizeof(int32_t) + sizeof(double) + 2;
  return std::max<int64_t>(0, static_cast<int64_t>(packets * kPerPacket) - kFree);
}

bool staysInForce(AVPacketSideDataType type) {
  return type == AV_PKT_DATA_PALETTE || type == AV_PKT_DATA_NEW_EXTRADATA;
}

double FrameIndex::secondsFromStart(int64_t displayIndex) const {
  const auto after =
      std::upper_bound(restarts.begin(), restarts.end(), displayIndex,
                       [](int64_t d, const ClockRestart& restart) { return d < restart.frame; });
  const ClockRestart since = after == restarts.begin() ? ClockRestart() : *std::prev(after);
  return since.seconds + (timestampsSec[static_cast<size_t>(displayIndex)] -
                          timestampsSec[static_cast<size_t>(since.frame)]);
}

size_t FrameIndex::memoryBytes() const {
  size_t sideData = 0;
  for (const SideData& data : inForce) sideData += sizeof(data) + data.bytes.capacity();
  return sideData + sizeof(*this) + packets.capacity() * sizeof(PacketEntry) +
         (display.capacity() + keys.capacity()) * sizeof(int32_t) +
         timestampsSec.capacity() * sizeof(double) + restarts.capacity() * sizeof(ClockRestart) +
         keys.size() + keys.size() / 2;
}

}  // namespace cps
