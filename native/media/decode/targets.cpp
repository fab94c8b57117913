#include "media/decode/targets.h"

#include <algorithm>
#include <utility>

namespace cps {

Targets::Targets(const FrameIndex& index, std::span<const int64_t> displayIndices, FrameSink& sink)
    : index_(index), all_(displayIndices), sink_(sink), taken_(displayIndices.size()) {}

size_t Targets::find(int64_t displayIndex) const {
  const auto it = std::lower_bound(all_.begin(), all_.end(), displayIndex);
  if (it == all_.end() || *it != displayIndex) return kNotWanted;
  return static_cast<size_t>(it - all_.begin());
}

bool Targets::isOpen(int64_t displayIndex) const {
  const size_t i = find(displayIndex);
  return i != kNotWanted && !taken_[i].load();
}

bool Targets::take(int64_t displayIndex) {
  const size_t i = find(displayIndex);
  return i != kNotWanted && !taken_[i].exchange(true);
}

void Targets::deliver(SourceFrame frame) {
  if (take(frame.displayIndex)) sink_.onFrame(std::move(frame));
}

void Targets::lose(int64_t displayIndex, const Error& why) {
  if (take(displayIndex)) sink_.onLost(displayIndex, why);
}

std::vector<int64_t> Targets::remaining() const {
  std::vector<int64_t> open;
  for (size_t i = 0; i < all_.size(); ++i) {
    if (!taken_[i].load()) open.push_back(all_[i]);
  }
  return open;
}

std::vector<int32_t> Targets::remaining(std::span<const int32_t> ordinals) const {
  std::vector<int32_t> open;
  for (const int32_t ordinal : ordinals) {
    if (isOpen(index_.packets[static_cast<size_t>(ordinal)].displayIndex)) open.push_back(ordinal);
  }
  return open;
}

}  // namespace cps
