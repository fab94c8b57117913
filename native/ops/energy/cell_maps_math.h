#pragma once

#include "ops/energy/block_scores_math.h"
#include "ops/energy/cell_maps.h"

namespace cps {

CPS_HD int32_t motion2Of(Move m) {
  if (isNoMove(m)) return 0;
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

// Note [Global motion]: floor(256 * sum / cells) over the residuals of a block's cells.
CPS_HD int64_t residualLevel(const CellMaps& maps, int64_t block) {
  const int32_t side = 1 << maps.log2Block;
  const int32_t y0 = static_cast<int32_t>(block / maps.cells.blockCols) * side;
  const int32_t x0 = static_cast<int32_t>(block % maps.cells.blockCols) * side;
  const int32_t yEnd = minInt(y0 + side, maps.cells.rows);
  const int32_t xEnd = minInt(x0 + side, maps.cells.cols);
  int64_t sum = 0;
  for (int32_t y = y0; y < yEnd; y++) {
    for (int32_t x = x0; x < xEnd; x++) {
      sum += residualAt(maps, static_cast<int64_t>(y) * maps.cells.cols + x);
    }
  }
  return 256 * sum / (static_cast<int64_t>(yEnd - y0) * (xEnd - x0));
}

// max - min of the 3x3 cells around (y, x), neighbours clamped to the grid.
CPS_HD uint8_t textureAt(const uint8_t* cells, const CellGrid& grid, int32_t y, int32_t x) {
  int32_t low = 255, high = 0;
  for (int32_t dy = -1; dy <= 1; dy++) {
    const int64_t row = static_cast<int64_t>(clampInt(y + dy, 0, grid.rows - 1)) * grid.cols;
    for (int32_t dx = -1; dx <= 1; dx++) {
      const int32_t v = cells[row + clampInt(x + dx, 0, grid.cols - 1)];
      low = minInt(low, v);
      high = maxInt(high, v);
    }
  }
  return static_cast<uint8_t>(high - low);
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
