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
  const PacketEntry* after = nullptr;
  const size_t begin = missing - std::min(missing, static_cast<size_t>(index.reorderDepth));
  const size_t end = std::min(packets.size(), missing + kAround);
  for (size_t i = begin; i < end; ++i) {
    const PacketEntry& entry = packets[i];
    if (entry.displayIndex < 0 || entry.pts == AV_NOPTS_VALUE || entry.pts <= pts) continue;
    if (!after || entry.pts < after->pts) after = &entry;
  }
  return after ? std::optional<int64_t>(after->displayIndex) : std::nullopt;
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
