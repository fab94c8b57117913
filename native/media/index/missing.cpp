#include "media/index/missing.h"

#include <algorithm>
#include <optional>

namespace cps {
namespace {

// The frame that is shown after the picture of a packet that did not come out, by its time.
std::optional<int64_t> frameAfter(const FrameIndex& index, size_t missing) {
  constexpr size_t kAround = 16;
  const auto& packets = index.packets;
  const int64_t pts = packets[missing].pts;
  if (pts == AV_NOPTS_VALUE) return std::nullopt;
  const PacketEntry *before = nullptr, *after = nullptr;
  const size_t end = std::min(packets.size(), missing + kAround);
  bool sameGroup = true;  // as the missing picture: the clock may restart behind it
  for (size_t i = missing - std::min(missing, kAround); i < end; ++i) {
    const PacketEntry& entry = packets[i];
    sameGroup = sameGroup && (i <= missing || !entry.key);
    if (entry.displayIndex < 0 || entry.pts == AV_NOPTS_VALUE) continue;
    if (entry.pts > pts) {
      const bool mayBe = i > missing || missing - i <= static_cast<size_t>(index.reorderDepth);
      if (mayBe && (!after || entry.pts < after->pts)) after = &entry;
    } else if (sameGroup && (!before || entry.pts > before->pts)) {
      before = &entry;
    }
  }
  if (after) return after->displayIndex;
  if (!before) return std::nullopt;
  return std::min<int64_t>(before->displayIndex + 1, std::ssize(index.display) - 1);
}

}  // namespace

std::vector<bool> packetsThatShow(const FrameIndex& index) {
  std::vector<bool> shows;
  shows.reserve(index.packets.size());
  for (const PacketEntry& entry : index.packets) shows.push_back(entry.displayIndex >= 0);
  return shows;
}

void noteMissing(FrameIndex& index, const std::vector<bool>& shows, const std::string& name) {
  if (index.trust != IndexTrust::Counted) return;
  int64_t next = std::ssize(index.display) - 1;  // in decode order
  std::vector<int64_t> places;
  for (size_t i = shows.size(); i-- > 0;) {
    if (index.packets[i].displayIndex >= 0) {
      next = index.packets[i].displayIndex;
    } else if (shows[i]) {
      places.push_back(frameAfter(index, i).value_or(next));
    }
  }
  const std::string message =
      std::to_string(places.size()) + (places.size() == 1 ? " picture" : " pictures") + " of '" +
      name +
      "' cannot be decoded, since they or what they refer to is damaged or not in the file; they "
      "are not counted as frames.";
  for (const int64_t place : places) index.notes.add("missing-frames", message, place);
}

}  // namespace cps
