#include "pipeline/sampling/sampling.h"

#include <algorithm>

namespace cps {

PositionsOf::PositionsOf(std::span<const int32_t> distinctOfPosition, size_t distinct)
    : positions_(distinctOfPosition.size()), begin_(distinct + 1, 0) {
  for (const int32_t d : distinctOfPosition) ++begin_[static_cast<size_t>(d) + 1];
  for (size_t d = 0; d < distinct; ++d) begin_[d + 1] += begin_[d];
  std::vector<size_t> next(begin_.begin(), begin_.end() - 1);
  for (size_t t = 0; t < distinctOfPosition.size(); ++t) {
    positions_[next[static_cast<size_t>(distinctOfPosition[t])]++] = static_cast<int32_t>(t);
  }
}

DistinctFrames distinctFrames(std::span<const int64_t> sampledIds) {
  DistinctFrames out;
  out.ids.assign(sampledIds.begin(), sampledIds.end());
  std::sort(out.ids.begin(), out.ids.end());
  out.ids.erase(std::unique(out.ids.begin(), out.ids.end()), out.ids.end());
  out.ofPosition.reserve(sampledIds.size());
  for (const int64_t id : sampledIds) {
    const auto at = std::lower_bound(out.ids.begin(), out.ids.end(), id);
    out.ofPosition.push_back(static_cast<int32_t>(at - out.ids.begin()));
  }
  out.positions = PositionsOf(out.ofPosition, out.ids.size());
  return out;
}

std::vector<uint8_t> withFirstFrameRule(std::span<const uint8_t> isKeyFrame) {
  std::vector<uint8_t> flags(isKeyFrame.begin(), isKeyFrame.end());
  const bool any = std::any_of(flags.begin(), flags.end(), [](uint8_t f) { return f != 0; });
  if (!any && !flags.empty()) flags[0] = 1;
  return flags;
}

}  // namespace cps
