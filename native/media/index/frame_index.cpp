#include "media/index/frame_index.h"

#include <algorithm>
#include <iterator>

#include "core/error.h"

namespace cps {

namespace {

// Where a codec's rules trust them, only a container is doubted that flags every packet (MP4 does
// so where its table of key frames is missing).
bool flagsAreTrusted(const FrameIndex& index) {
  const CodecRules& rules = *index.bitstream.rules;
  if (!rules.trustsKeyFlags) return false;
  return rules.intraOnly || index.keys.size() < index.packets.size();
}

// In kTypesInForce; its size where the type does not stay in force.
size_t placeOf(AVPacketSideDataType type) {
  return static_cast<size_t>(std::distance(
      kTypesInForce.begin(), std::find(kTypesInForce.begin(), kTypesInForce.end(), type)));
}

}  // namespace

void FrameIndex::seal() {
  seeks_->begin(packets, keys, flagsAreTrusted(*this));
  int64_t sideDataBytes = 0;
  for (std::vector<int32_t>& places : placesInForce_) places.clear();
  for (size_t i = 0; i < inForce.size(); ++i) {
    sideDataBytes += inForce[i].memoryBytes();
    placesInForce_[placeOf(inForce[i].type)].push_back(static_cast<int32_t>(i));
  }
  countedBytes_ = countedBytes(packets.size(), sideDataBytes);
}

const SideData* FrameIndex::inForceAt(int32_t ordinal, AVPacketSideDataType type) const {
  const std::vector<int32_t>& places = placesInForce_[placeOf(type)];
  const auto after = std::upper_bound(
      places.begin(), places.end(), ordinal,
      [&](int32_t at, int32_t place) { return at < inForce[static_cast<size_t>(place)].from; });
  return after == places.begin() ? nullptr : &inForce[static_cast<size_t>(*std::prev(after))];
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
  size_t begin = 0;  // of the recording that packet i belongs to
  for (size_t i = 0; i < packets.size(); ++i) {
    const int64_t order = packets[i].order;
    if (order == kNoOrder) continue;
    if (order < highest) {
      int shownLater = 0;
      for (size_t back = 1; back <= std::min(i - begin, kWindow); ++back) {
        shownLater += packets[i - back].order > order;
      }
      if (shownLater > kMaxDepth) {
        // Another recording was joined on. A decoder that looked so far ahead would mix the two.
        begin = i;
        highest = order;
        continue;
      }
      reorderDepth = std::max(reorderDepth, shownLater);
    }
    highest = std::max(highest, order);
  }
}

void FrameIndex::setShownSize() {
  info.width = orientation.swapXY ? storedHeight : storedWidth;
  info.height = orientation.swapXY ? storedWidth : storedHeight;
}

int64_t FrameIndex::countedBytes(size_t packets, int64_t sideDataBytes) {
  constexpr int64_t kFree = 16 << 20;
  constexpr size_t kPerPacket = sizeof(PacketEntry) + 2 * sizeof(int32_t) + sizeof(double) + 2;
  const auto bytes = static_cast<int64_t>(packets * kPerPacket) + sideDataBytes;
  return std::max<int64_t>(0, bytes - kFree);
}

bool staysInForce(AVPacketSideDataType type) { return placeOf(type) < kTypesInForce.size(); }

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
  for (const SideData& data : inForce) {
    sideData += sizeof(data) + sizeof(int32_t) + data.bytes.capacity();
  }
  return sideData + sizeof(*this) + packets.capacity() * sizeof(PacketEntry) +
         (display.capacity() + keys.capacity()) * sizeof(int32_t) +
         timestampsSec.capacity() * sizeof(double) + restarts.capacity() * sizeof(ClockRestart) +
         seeks_->memoryBytes();
}

}  // namespace cps
