#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace cps {

// At which sampled positions each distinct frame stands, ascending.
class PositionsOf {
 public:
  PositionsOf() = default;
  // `distinctOfPosition`: [T], below `distinct`.
  PositionsOf(std::span<const int32_t> distinctOfPosition, size_t distinct);
  std::span<const int32_t> frame(size_t distinct) const {
    return std::span(positions_).subspan(begin_[distinct], begin_[distinct + 1] - begin_[distinct]);
  }

 private:
  std::vector<int32_t> positions_;  // [T], those of a frame in a row
  std::vector<size_t> begin_;       // of each frame's, then T
};

// The distinct ids, ascending, whatever the order of the sample, and for every sampled position
// the index of its id among them.
struct DistinctFrames {
  std::vector<int64_t> ids;
  std::vector<int32_t> ofPosition;  // [T]
  PositionsOf positions;
};
DistinctFrames distinctFrames(std::span<const int64_t> sampledIds);

// Key flags of the sampled frames; if none is set the first gets it (DESIGN section 4.2).
std::vector<uint8_t> withFirstFrameRule(std::span<const uint8_t> isKeyFrame);

}  // namespace cps
