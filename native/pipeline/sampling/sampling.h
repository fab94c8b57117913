#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace cps {

// id_i = floor(i * (N - 1) / (L - 1)) in integers for L > 1, id_0 = 0 for L = 1 (DESIGN section
// 4.1). Duplicates are kept. totalFrames > 0, sequenceLength > 0.
std::vector<int64_t> sampleFrameIds(int64_t totalFrames, int64_t sequenceLength);

// The distinct ids, ascending, and for every sampled position the index of its id among them.
struct DistinctFrames {
  std::vector<int64_t> ids;
  std::vector<int32_t> ofPosition;  // [T], ascending
  // Positions [begin, end) are those of one distinct frame.
  std::pair<size_t, size_t> positionsOf(size_t distinct) const;
};
DistinctFrames distinctFrames(std::span<const int64_t> sampledIds);

// Key flags of the sampled frames; if none is set the first gets it (DESIGN section 4.2).
std::vector<uint8_t> withFirstFrameRule(std::span<const uint8_t> isKeyFrame);

}  // namespace cps
