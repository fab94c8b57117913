#include "media/index_order.h"

#include <algorithm>
#include <span>

namespace cps {
namespace {

std::span<const uint8_t> headOf(const PacketEntry& entry, int64_t most, ByteSource& source,
                                std::vector<uint8_t>& bytes) {
  bytes.resize(static_cast<size_t>(std::min<int64_t>(entry.size, most)));
  bytes.resize(source.readAt(std::max<int64_t>(entry.pos, 0), bytes.data(), bytes.size()));
  return bytes;
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

void lookAtDoubtful(FrameIndex& index, ByteSource& source, PictureOrder& order) {
  constexpr int32_t kSmallestPicture = 48;
  constexpr size_t kEnough = 4096, kPiece = 32;
  auto& packets = index.packets;
  PictureOrder small(*index.parameters);
  std::vector<uint8_t> bytes;
  for (PacketEntry& entry : packets) {
    if (entry.displayIndex < 0 || entry.size >= kSmallestPicture) continue;
    if (!small.add(headOf(entry, entry.size, source, bytes))) entry.displayIndex = -1;
  }
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
    const bool wanted = look[i] && seen++ / kPiece % step == 0;
    if (wanted) {
      order.add(headOf(packets[i], PictureOrder::kHeadBytes, source, bytes));
    } else {
      order.skip();
    }
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
