#include "media/frame_index.h"

#include <algorithm>

#include "core/error.h"

namespace cps {

namespace {

// Containers flag H.264 and HEVC pictures that are no entry points, and MPEG-4 decoders do not
// notice. Of other codecs only a container is doubted that flags every packet (MP4 does so where
// its table of key frames is missing).
bool flagsAreTrusted(const FrameIndex& index) {
  const AVCodecID codec = index.parameters->codec_id;
  if (codec == AV_CODEC_ID_H264 || codec == AV_CODEC_ID_HEVC || codec == AV_CODEC_ID_MPEG4) {
    return false;
  }
  const AVCodecDescriptor* descriptor = avcodec_descriptor_get(codec);
  const bool intraOnly = descriptor && (descriptor->props & AV_CODEC_PROP_INTRA_ONLY) != 0;
  return intraOnly || index.keys.size() < index.packets.size();
}

}  // namespace

void FrameIndex::seal() {
  keyStates_ = std::make_unique<std::atomic<uint8_t>[]>(keys.size());
  const bool known = flagsAreTrusted(*this);
  for (size_t i = 0; i < keys.size(); ++i) keyStates_[i] = known ? kGood : kUnknown;
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
  if (at < keys.size() && keys[at] == ordinal) {
    keyStates_[at].store(good ? kGood : kBad, std::memory_order_relaxed);
  }
}

int32_t FrameIndex::startFor(int32_t ordinal) const {
  const int64_t order = packets[static_cast<size_t>(ordinal)].order;
  auto it = std::upper_bound(keys.begin(), keys.end(), ordinal);
  while (it != keys.begin()) {
    const int32_t key = *--it;
    const PacketEntry& entry = packets[static_cast<size_t>(key)];
    // Pictures shown before the key picture but sent after it (open GOP) need what precedes it.
    if (canStart(key) && entry.order != kNoOrder && entry.order <= order) return key;
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

size_t FrameIndex::memoryBytes() const {
  return sizeof(*this) + packets.capacity() * sizeof(PacketEntry) +
         (display.capacity() + keys.capacity()) * sizeof(int32_t) +
         timestampsSec.capacity() * sizeof(double) + keys.size();
}

}  // namespace cps
