#pragma once

#include "ops/energy/block_scores_math.h"
#include "ops/energy/cell_maps.h"

namespace cps {

CPS_HD int32_t motion2Of(Move m) {
  const int32_t dy = m.dy, dx = m.dx;
  return dy * dy + dx * dx;
}

CPS_HD int64_t blockOfCell(const CellMaps& maps, int32_t y, int32_t x) {
  return static_cast<int64_t>(y >> maps.log2Block) * maps.cells.blockCols + (x >> maps.log2Block);
}

CPS_HD int32_t residualAt(const CellMaps& maps, int64_t cell) {
  return maps.residualBytes == 1 ? static_cast<const uint8_t*>(maps.residual)[cell]
                                 : static_cast<const uint16_t*>(maps.residual)[cell];
}

// Energy of cell (y, x) by the percentiles of its frame, or of all of them.
CPS_HD float cellEnergy(const CellMaps& maps, const CellPercentiles& p, int32_t y, int32_t x) {
  const int64_t cell = static_cast<int64_t>(y) * maps.cells.cols + x;
  const float residual = residualEnergy(residualAt(maps, cell), p.residual);
  if (maps.moves == nullptr) return residual;
  return mixEnergy(motionEnergy(motion2Of(maps.moves[blockOfCell(maps, y, x)]), p.motion2),
                   residual);
}

}  // namespace cps
