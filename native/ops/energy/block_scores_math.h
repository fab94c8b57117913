#pragma once

#include "ops/energy/block_match_math.h"
#include "ops/geometry.h"
#include "ops/hd.h"

namespace cps {

// Note [Block scores]
// Score of patch (i, j) = P^2 * mean energy over the source area that the patch covers, where patch
// row i spans source rows [i*H/hb, (i+1)*H/hb) and columns alike (PatchAxis says where else it lies
// when pictures are cropped; padding has no energy). In this order, in float32:
//   for each cell row y that overlaps, ascending:
//     rowSum = 0; for each cell column x that overlaps, ascending: rowSum += wx[x] * energy(y, x)
//     total += wy[y] * rowSum                                        (total starts at 0)
//   score = total * float(P * P)
// A weight is the overlapping part of the patch's span: an exact integer numerator over the span,
// one division (areaWeight). energy(y, x) = 0.5 * (motionTable[dy^2+dx^2] +
// residualTable[residual]).

constexpr int32_t kMotionLevels = kMatchMaxMotion2 + 1;
constexpr int32_t kResidualLevels = 256;

// Energy tables of one frame. motionPercentile is a dy^2+dx^2, residualPercentile a residual.
CPS_HD float motionEnergy(int32_t motion2, int32_t motion2Percentile) {
  const float m = sqrtf(static_cast<float>(motion2Percentile));
  const float e = sqrtf(static_cast<float>(motion2)) / (m > 1.0f ? m : 1.0f);
  return e < 1.0f ? e : 1.0f;
}
CPS_HD float residualEnergy(int32_t residual, int32_t residualPercentile) {
  const float r = static_cast<float>(maxInt(residualPercentile, 1));
  const float e = static_cast<float>(residual) / r;
  return e < 1.0f ? e : 1.0f;
}
CPS_HD float mixEnergy(float motion, float residual) { return 0.5f * (motion + residual); }

// Cells [first, last] overlap patch `index` of an axis; none where it shows padding alone.
struct CellSpan {
  int32_t first, last;
};
struct AxisRange {
  int64_t begin, end;  // in 1/unit samples
};
CPS_HD AxisRange patchRange(int32_t index, const PatchAxis& axis) {
  const int64_t i = axis.reversed ? axis.patches - 1 - index : index;
  const int64_t start = i * axis.span + axis.offset;
  return {maxInt64(start, axis.begin), minInt64(start + axis.span, axis.end)};
}
CPS_HD CellSpan patchCells(int32_t index, const PatchAxis& axis, int32_t cell) {
  const AxisRange range = patchRange(index, axis);
  if (range.end <= range.begin) return {0, -1};
  const int64_t unit = static_cast<int64_t>(cell) * axis.unit;
  return {static_cast<int32_t>(range.begin / unit), static_cast<int32_t>((range.end - 1) / unit)};
}

// Part of the span of patch `index` that lies in cell `position` of an axis of `size` samples.
CPS_HD float areaWeight(int32_t position, int32_t index, const PatchAxis& axis, int32_t size,
                        int32_t cell) {
  const AxisRange range = patchRange(index, axis);
  const int64_t cellStart = static_cast<int64_t>(position) * cell;
  const int64_t cellEnd = minInt64(cellStart + cell, size);
  const int64_t overlap =
      minInt64(range.end, cellEnd * axis.unit) - maxInt64(range.begin, cellStart * axis.unit);
  return overlap > 0 ? static_cast<float>(overlap) / static_cast<float>(axis.span) : 0.0f;
}

// One patch from per-cell values of any kind; used by the scalar CPU code and by the GPU.
CPS_HD float blockPatchScore(const uint8_t* motion2, const uint8_t* residual, const CellGrid& cells,
                             const PatchGrid& grid, const float* motionTable,
                             const float* residualTable, int32_t row, int32_t col) {
  const CellSpan ys = patchCells(row, grid.y, cells.cell);
  const CellSpan xs = patchCells(col, grid.x, cells.cell);
  float total = 0.0f;
  for (int32_t y = ys.first; y <= ys.last; y++) {
    float rowSum = 0.0f;
    for (int32_t x = xs.first; x <= xs.last; x++) {
      const int64_t block =
          static_cast<int64_t>(y / kMatchBlock) * cells.blockCols + x / kMatchBlock;
      const float e = mixEnergy(motionTable[motion2[block]],
                                residualTable[residual[static_cast<int64_t>(y) * cells.cols + x]]);
      rowSum += areaWeight(x, col, grid.x, cells.frameWidth, cells.cell) * e;
    }
    total += areaWeight(y, row, grid.y, cells.frameHeight, cells.cell) * rowSum;
  }
  return total * static_cast<float>(grid.patchSize * grid.patchSize);
}

}  // namespace cps
