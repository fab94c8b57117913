#include "ops/energy/global_motion.h"

#include <algorithm>
#include <vector>

#include "ops/energy/cell_maps_math.h"

namespace cps {
namespace {

template <typename T>
T median(std::vector<T>& values) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace

void subtractGlobalMotionCpu(const CellMaps& maps, Move* moves) {
  std::vector<int64_t> voters;
  for (int64_t b = 0; b < maps.cells.blocks(); b++) {
    if (!isNoMove(moves[b])) voters.push_back(b);
  }
  if (voters.empty()) return;
  std::vector<int64_t> levels;
  for (const int64_t b : voters) levels.push_back(residualLevel(maps, b));
  std::vector<int64_t> sorted = levels;
  const int64_t most = median(sorted);
  std::vector<int32_t> dy, dx;
  for (size_t i = 0; i < voters.size(); i++) {
    if (levels[i] > most) continue;
    dy.push_back(moves[voters[i]].dy);
    dx.push_back(moves[voters[i]].dx);
  }
  const int32_t my = median(dy), mx = median(dx);
  for (const int64_t b : voters) {
    moves[b] = {static_cast<int16_t>(moves[b].dy - my), static_cast<int16_t>(moves[b].dx - mx)};
  }
}

}  // namespace cps
