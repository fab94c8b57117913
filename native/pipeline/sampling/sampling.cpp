#include "pipeline/sampling/sampling.h"

#include <algorithm>

namespace cps {

std::vector<int64_t> sampleFrameIds(int64_t totalFrames, int64_t sequenceLength) {
  std::vector<int64_t> ids(static_cast<size_t>(sequenceLength), 0);
  if (sequenceLength == 1) return ids;
  const int64_t steps = sequenceLength - 1;
  // i * (N - 1) split so that no product overflows, whatever a container claims about N.
  const int64_t whole = (totalFrames - 1) / steps;
  const int64_t rest = (totalFrames - 1) % steps;
  for (int64_t i = 0; i < sequenceLength; ++i) {
    ids[static_cast<size_t>(i)] = i * whole + i * rest / steps;
  }
  return ids;
}

DistinctFrames distinctFrames(std::span<const int64_t> sampledIds) {
  DistinctFrames out;
  out.ofPosition.reserve(sampledIds.size());
  for (const int64_t id : sampledIds) {
    if (out.ids.empty() || out.ids.back() != id) out.ids.push_back(id);
    out.ofPosition.push_back(static_cast<int32_t>(out.ids.size()) - 1);
  }
  return out;
}

std::pair<size_t, size_t> DistinctFrames::positionsOf(size_t distinct) const {
  const auto [begin, end] =
      std::equal_range(ofPosition.begin(), ofPosition.end(), static_cast<int32_t>(distinct));
  return {static_cast<size_t>(begin - ofPosition.begin()),
          static_cast<size_t>(end - ofPosition.begin())};
}

std::vector<uint8_t> withFirstFrameRule(std::span<const uint8_t> isKeyFrame) {
  std::vector<uint8_t> flags(isKeyFrame.begin(), isKeyFrame.end());
  const bool any = std::any_of(flags.begin(), flags.end(), [](uint8_t f) { return f != 0; });
  if (!any && !flags.empty()) flags[0] = 1;
  return flags;
}

}  // namespace cps
