#pragma once

#include <algorithm>
#include <cstdint>

#include "core/cancel.h"
#include "ops/energy/block_scores_math.h"
#include "ops/scratch.h"

namespace cps {

constexpr int32_t kScoredRows = 4;  // rows of cells at a time: independent sums fill a vector

// Patch scores from cells whose energies are made row by row. Rows of cells from top to bottom:
// each adds its column sums to the patch rows it overlaps, so every sum runs in the order of Note
// [Block scores]. fill(y0, height, out): energies of cell rows [y0, y0 + height) as out[4 * x + row
// - y0]; height is kScoredRows but for the last rows, whatever is written beyond it is not used.
template <class Fill>
void patchScoresCpu(ScratchPool& scratch, const CellGrid& cells, const PatchGrid& grid,
                    float* scores, const CancelToken* cancel, const Fill& fill) {
  const int32_t cols = cells.cols;
  // energy[x][4 rows], sums[j][4 rows], and each patch column's weights with its first cell.
  const int64_t maxSpan = cols + int64_t{grid.cols} * 2;
  const auto memory = scratch.take(sizeof(float) * (4 * (int64_t{cols} + grid.cols) + maxSpan) +
                                   sizeof(CellSpan) * grid.cols);
  float* energy = memory.as<float>();
  float* sums = energy + 4 * int64_t{cols};
  float* weights = sums + 4 * int64_t{grid.cols};
  auto* spans = reinterpret_cast<CellSpan*>(weights + maxSpan);
  float* weight = weights;
  for (int32_t j = 0; j < grid.cols; j++) {
    spans[j] = patchCells(j, grid.x, cells.cell);
    for (int32_t x = spans[j].first; x <= spans[j].last; x++) {
      *weight++ = areaWeight(x, j, grid.x, cells.frameWidth, cells.cell);
    }
  }
  std::fill(scores, scores + int64_t{grid.rows} * grid.cols, 0.0f);
  int32_t firstPatch = 0;  // the first patch row that has not ended yet
  for (int32_t y0 = 0; y0 < cells.rows; y0 += kScoredRows) {
    if (cancel) cancel->check(Stage::Process);
    const int32_t height = std::min(kScoredRows, cells.rows - y0);
    fill(y0, height, energy);
    weight = weights;
    for (int32_t j = 0; j < grid.cols; j++) {
      float sum[kScoredRows] = {};
      for (int32_t x = spans[j].first; x <= spans[j].last; x++, weight++) {
        for (int32_t k = 0; k < kScoredRows; k++) sum[k] += *weight * energy[4 * x + k];
      }
      std::copy(sum, sum + kScoredRows, sums + 4 * j);
    }
    for (int32_t k = 0; k < height; k++) {
      for (int32_t i = firstPatch; i < grid.rows; i++) {
        const CellSpan span = patchCells(i, grid.y, cells.cell);
        if (span.first > y0 + k) break;
        if (span.last < y0 + k) {  // ended, or all padding
          if (i == firstPatch) firstPatch = i + 1;
          continue;
        }
        const float w = areaWeight(y0 + k, i, grid.y, cells.frameHeight, cells.cell);
        float* out = scores + int64_t{i} * grid.cols;
        for (int32_t j = 0; j < grid.cols; j++) out[j] += w * sums[4 * j + k];
      }
    }
  }
  const float area = static_cast<float>(grid.patchSize * grid.patchSize);
  for (int64_t i = 0; i < int64_t{grid.rows} * grid.cols; i++) scores[i] *= area;
}

}  // namespace cps
