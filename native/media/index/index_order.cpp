#include "media/index/index_order.h"

#include <algorithm>
#include <span>
#include <utility>

#include "media/codec/nal_units.h"

namespace cps {
namespace {

constexpr size_t kEnough = 4096, kPiece = 32;  // packets that are looked at, and in a row

// The first bytes of packets, asked for in the order of the file as a rule: what lies close
// together is read at once.
class PacketHeads {
 public:
  PacketHeads(ByteSource& source, CancelPtr cancel) : source_(source), cancel_(std::move(cancel)) {}

  std::span<const uint8_t> of(const PacketEntry& entry, int64_t most) {
    constexpr int64_t kClose = 2048, kAhead = 16384;
    if (cancel_) cancel_->check(Stage::Index);
    const int64_t at = std::max<int64_t>(entry.pos, 0);
    // A table may claim more than the file holds.
    const int64_t there = std::max<int64_t>(0, static_cast<int64_t>(source_.size()) - at);
    const int64_t size = std::min({int64_t{entry.size}, most, there});
    if (at < at_ || at + size > at_ + static_cast<int64_t>(bytes_.size())) {
      const bool isClose = at >= asked_ && at - asked_ < kClose;
      at_ = at;
      bytes_.resize(static_cast<size_t>(isClose ? std::max(size, kAhead) : size));
      bytes_.resize(source_.readAt(at, bytes_.data(), bytes_.size()));
    }
    asked_ = at + size;
    const auto begin = std::min(bytes_.size(), static_cast<size_t>(at - at_));
    const std::span<const uint8_t> read = std::span(bytes_).subspan(begin);
    return read.first(std::min(read.size(), static_cast<size_t>(size)));
  }

 private:
  ByteSource& source_;
  CancelPtr cancel_;
  std::vector<uint8_t> bytes_;
  int64_t at_ = 0;
  int64_t asked_ = 0;  // the end of what was asked for last
};

// The parts of the file that packets are looked at in: all of it, but of a far source a few, since
// small packets lie everywhere and each look would be a read (Note [Far sources]). A muxer that
// hides something does so from the beginning to the end.
class Looks {
 public:
  Looks(const FrameIndex& index, const ByteSource& source) : all_(!source.isFar()) {
    constexpr int64_t kLength = 512 * 1024;
    const auto& packets = index.packets;
    if (all_ || packets.empty()) return;
    for (const size_t i : {size_t{0}, packets.size() / 2, packets.size() - 1}) {
      const int64_t middle = packets[i].pos;
      parts_.push_back({middle - kLength / 2, middle + kLength / 2});
    }
  }

  bool hold(const PacketEntry& entry) const {
    return all_ || std::any_of(parts_.begin(), parts_.end(), [&](const ByteRange& part) {
             return part.begin <= entry.pos && entry.pos + entry.size <= part.end;
           });
  }
  // After something was found. False: it is all of it already.
  bool widen() { return !std::exchange(all_, true); }

 private:
  bool all_;
  std::vector<ByteRange> parts_;
};

// Finds packets without a picture; whether there are any.
bool lookAtSmall(FrameIndex& index, PacketHeads& heads, const Looks& looks) {
  // Delimiters, headers and messages (that of x264 has some 700 bytes) without a picture.
  constexpr int32_t kMostWithoutPicture = 1024;
  const auto small = pictureOrderOf(*index.parameters);
  bool found = false;
  for (PacketEntry& entry : index.packets) {
    if (entry.displayIndex < 0 || entry.size >= kMostWithoutPicture || !looks.hold(entry)) continue;
    const std::span<const uint8_t> bytes = heads.of(entry, entry.size);
    if (beginsWithSlice(bytes, index.bitstream) || small->add(bytes)) continue;
    // One whose framing is broken may have held a picture, which is lost.
    const bool whole = forEachNal(bytes, index.bitstream.lengthBytes,
                                  [](std::span<const uint8_t> /*nal*/) { return true; });
    if (whole) entry.displayIndex = -1;
    found = found || whole;
  }
  return found;
}

// Whether timestamps alone look like those of one clock: decode times never step back, and no
// picture in front of a key frame is shown after it.
bool clockGoesOn(const FrameIndex& index) {
  const bool keysTell = index.keys.size() < index.packets.size();
  int64_t dts = kNoOrder, highest = kNoOrder;
  for (const PacketEntry& entry : index.packets) {
    if (entry.dts != AV_NOPTS_VALUE) {
      if (entry.dts < dts) return false;
      dts = entry.dts;
    }
    if (entry.displayIndex < 0) continue;
    if (keysTell && entry.key && entry.pts <= highest) return false;
    highest = std::max(highest, entry.pts);
  }
  return true;
}

}  // namespace

void lookAtDoubtful(FrameIndex& index, ByteSource& source, PictureOrder& order,
                    const CancelPtr& cancel) {
  auto& packets = index.packets;
  PacketHeads heads(source, cancel);
  Looks looks(index, source);
  if (lookAtSmall(index, heads, looks) && looks.widen()) lookAtSmall(index, heads, looks);
  std::vector<bool> look(packets.size(), false);
  size_t doubtful = 0;
  const bool reorders = order.mayReorder();
  for (size_t first = 0; first < packets.size() && reorders;) {
    size_t end = first + 1;
    bool ascending = true;
    for (; end < packets.size() && !packets[end].key; ++end) {
      ascending = ascending && packets[end].pts > packets[end - 1].pts;
    }
    if (ascending && end - first > 1) {
      std::fill(look.begin() + static_cast<std::ptrdiff_t>(first),
                look.begin() + static_cast<std::ptrdiff_t>(end), true);
      doubtful += end - first;
    }
    first = end;
  }
  const size_t step = doubtful / kEnough + 1;
  size_t seen = 0;
  for (size_t i = 0; i < packets.size(); ++i) {
    const bool wanted = look[i] && seen++ / kPiece % step == 0 && looks.hold(packets[i]);
    if (wanted) {
      order.add(heads.of(packets[i], PictureOrder::kHeadBytes));
    } else {
      order.skip();
    }
  }
}

void lookForHidden(FrameIndex& index, ByteSource& source, const CancelPtr& cancel) {
  constexpr int64_t kHeadBytes = 256;
  auto& packets = index.packets;
  PacketHeads heads(source, cancel);
  const auto shows = [&](const PacketEntry& entry) {
    return shownPictures(heads.of(entry, kHeadBytes), index.bitstream) > 0 ||
           shownPictures(heads.of(entry, entry.size), index.bitstream) > 0;
  };
  const Looks looks(index, source);
  const size_t step = packets.size() / kEnough + 1;
  bool hidden = false;
  for (size_t i = 0; i < packets.size() && !hidden; ++i) {
    hidden = i / kPiece % step == 0 && packets[i].size > 0 && looks.hold(packets[i]) &&
             !shows(packets[i]);
  }
  for (PacketEntry& entry : packets) {
    if (hidden && entry.size > 0 && !shows(entry)) entry.displayIndex = -1;
  }
}

bool isOrderOfCodec(FrameIndex& index, const std::vector<int64_t>& keys) {
  if (keys.empty()) return clockGoesOn(index);
  bool all = true, agrees = true;
  int64_t last = PictureOrder::kNoPicture;
  for (const int32_t ordinal : index.display) {
    const int64_t key = keys[static_cast<size_t>(ordinal)];
    if (key == PictureOrder::kUnknown) {
      all = false;
      continue;
    }
    agrees = agrees && key > last;
    last = key;
  }
  if (agrees) return all || clockGoesOn(index);
  if (!all) return false;
  // The decoder must know beforehand how far it has to look ahead.
  FrameIndex coded;
  std::vector<int32_t> ordinals = index.display;
  std::sort(ordinals.begin(), ordinals.end());
  for (const int32_t ordinal : ordinals) {
    coded.packets.emplace_back().order = keys[static_cast<size_t>(ordinal)];
  }
  coded.measureReordering();
  index.reorderDepth = coded.reorderDepth;
  return false;
}

}  // namespace cps
