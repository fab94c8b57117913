#include "media/decode/segment_damage.h"

#include <algorithm>
#include <limits>

namespace cps {

void SegmentDamage::clear() {
  bad_.clear();
  lacking_.clear();
  refreshes_.clear();
  cut_ = kNoCut;
}

void SegmentDamage::learnStart(int32_t ordinal, PacketBytes packet, const BitstreamFormat& format) {
  if (ordinal == 0 && format.rules->makesReferencesUp && !isEntryPoint(packet, format)) cut_ = 0;
  if (!index_.packets[static_cast<size_t>(ordinal)].key || index_.seeks().startVerified(ordinal))
    return;
  index_.seeks().setStart(ordinal, isEntryPoint(packet, format));
}

bool SegmentDamage::lacksWhatWasCut(int32_t ordinal) {
  if (cut_ == kNoCut) return false;
  const auto makesNone = [&](int32_t o) {
    return index_.packets[static_cast<size_t>(o)].displayIndex < 0;
  };
  while (cut_ < ordinal && makesNone(cut_)) ++cut_;
  if (cut_ != ordinal || !(isEntry(ordinal) || index_.seeks().startFor(ordinal) == 0)) return false;
  cut_ = index_.bitstream.rules->makesThemUpAgain ? ordinal + 1 : kNoCut;
  return true;
}

bool SegmentDamage::addMissingBefore(int32_t ordinal) {
  if (lacksWhatWasCut(ordinal)) return false;
  const bool entry = isEntry(ordinal);
  (entry ? lacking_ : bad_).push_back(ordinal);
  return !entry;
}

// Leading pictures of an open GOP miss their references after a jump: not wanted, not needed.
bool SegmentDamage::isLeading(int32_t bad, int32_t start) const {
  const int64_t order = index_.packets[static_cast<size_t>(bad)].order;
  return order != kNoOrder && order < index_.packets[static_cast<size_t>(start)].order;
}

// What was damaged before this packet no longer shows in the target's picture.
int32_t SegmentDamage::refreshedBefore(int32_t target) const {
  const auto orderOf = [&](int32_t o) { return index_.packets[static_cast<size_t>(o)].order; };
  int32_t from = std::numeric_limits<int32_t>::min();
  for (const Refresh& refresh : refreshes_) {
    const bool isOver = target >= refresh.done && orderOf(target) >= orderOf(refresh.done) &&
                        orderOf(refresh.done) != kNoOrder;
    if (isOver) from = std::max(from, refresh.from);
  }
  return from;
}

bool SegmentDamage::spoils(int32_t target) const {
  if (bad_.empty() && lacking_.empty()) return false;
  const int32_t start = index_.seeks().startFor(target);
  const int32_t refreshed = refreshedBefore(target);  // not once for each bad packet
  const auto reaches = [&](int32_t bad) {
    if (bad == target) return true;
    return bad >= start && bad < target && !isLeading(bad, start) && bad >= refreshed;
  };
  const auto leadsOver = [&](int32_t entry) {
    return entry < target && start < entry && entry >= refreshed;
  };
  return std::any_of(bad_.begin(), bad_.end(), reaches) ||
         std::any_of(lacking_.begin(), lacking_.end(), leadsOver);
}

void SegmentDamage::forgetBefore(int32_t start) {
  const auto isBefore = [&](int32_t ordinal) { return ordinal < start; };
  std::erase_if(bad_, isBefore);
  std::erase_if(lacking_, isBefore);
  std::erase_if(refreshes_, [&](const Refresh& refresh) { return refresh.from < start; });
}

}  // namespace cps
