#include "ops/energy/cell_maps_cpu.h"

#include <algorithm>

#include "ops/energy/cell_maps_math.h"
#include "ops/energy/patch_scores_cpu.h"
#include "ops/energy/percentile_math.h"

namespace cps {
namespace {

// fn(first, last column, energy or count of motion) for each stretch of cells of row `y` that share
// a block.
template <class Fn>
void eachBlockOfRow(const CellMaps& maps, int32_t y, const Fn& fn) {
  const int32_t side = 1 << maps.log2Block;
  const Move* moves = maps.moves + int64_t{y >> maps.log2Block} * maps.cells.blockCols;
  for (int32_t x = 0; x < maps.cells.cols; x += side, moves++) {
    fn(x, std::min(x + side, maps.cells.cols), motion2Of(*moves));
  }
}

template <typename T>
void countResiduals(const T* values, int64_t n, std::vector<int64_t>& total) {
  // Four histograms: neighbouring cells are often equal, and one counter would wait for itself.
  const size_t levels = total.size();
  std::vector<int32_t> counts(4 * levels);
  int32_t* c = counts.data();
  int64_t i = 0;
  for (; i + 4 <= n; i += 4) {
    for (size_t k = 0; k < 4; k++) c[k * levels + values[i + static_cast<int64_t>(k)]]++;
  }
  for (; i < n; i++) c[values[i]]++;
  for (size_t v = 0; v < levels; v++) {
    total[v] += int64_t{c[v]} + c[levels + v] + c[2 * levels + v] + c[3 * levels + v];
  }
}

template <typename T>
void scores(ScratchPool& scratch, const CellMaps& maps, const CellPercentiles& p,
            const PatchGrid& grid, float* out, const CancelToken* cancel) {
  const int32_t cols = maps.cells.cols;
  const T* residuals = static_cast<const T*>(maps.residual);
  float table[256];
  for (int32_t v = 0; v < 256; v++) table[v] = residualEnergy(v, p.residual);
  const auto energyOf = [&](T residual) {
    if constexpr (sizeof(T) == 1) return table[residual];
    return residualEnergy(residual, p.residual);
  };
  patchScoresCpu(scratch, maps.cells, grid, out, cancel,
                 [&](int32_t y0, int32_t height, float* energy) {
                   const T* rows[kScoredRows];
                   for (int32_t k = 0; k < kScoredRows; k++) {
                     rows[k] = residuals + int64_t{y0 + std::min(k, height - 1)} * cols;
                   }
                   for (int32_t x = 0; x < cols; x++) {
                     for (int32_t k = 0; k < kScoredRows; k++)
                       energy[4 * x + k] = energyOf(rows[k][x]);
                   }
                   if (!maps.moves) return;
                   // Blocks of a cell each have another displacement in each row.
                   const int32_t together = maps.log2Block >= 2 ? kScoredRows : 1;
                   for (int32_t k = 0; k < height; k += together) {
                     eachBlockOfRow(maps, y0 + k, [&](int32_t begin, int32_t end, int32_t motion2) {
                       const float m = motionEnergy(motion2, p.motion2);
                       for (int32_t x = begin; x < end; x++) {
                         for (int32_t r = k; r < k + together; r++) {
                           energy[4 * x + r] = mixEnergy(m, energy[4 * x + r]);
                         }
                       }
                     });
                   }
                 });
}

}  // namespace

void CellCounts::add(const CellCounts& other) {
  for (const auto& [value, count] : other.motion2) motion2[value] += count;
  residual.resize(std::max(residual.size(), other.residual.size()));
  for (size_t v = 0; v < other.residual.size(); v++) residual[v] += other.residual[v];
  cells += other.cells;
}

CellPercentiles percentilesOf(const CellCounts& counts, double pct) {
  const int64_t rank = percentileRank(pct, counts.cells);
  CellPercentiles out;
  int64_t seen = 0;
  for (const auto& [value, count] : counts.motion2) {
    out.motion2 = value;
    seen += count;
    if (seen > rank) break;
  }
  seen = 0;
  for (size_t v = 0; v < counts.residual.size(); v++) {
    seen += counts.residual[v];
    if (seen <= rank) continue;
    out.residual = static_cast<int32_t>(v);
    break;
  }
  return out;
}

void countCellsCpu(const CellMaps& maps, CellCounts& counts) {
  counts.residual.resize(static_cast<size_t>(residualLevels(maps.residualBytes)));
  counts.cells += maps.cells.cells();
  if (maps.residualBytes == 1) {
    countResiduals(static_cast<const uint8_t*>(maps.residual), maps.cells.cells(), counts.residual);
  } else {
    countResiduals(static_cast<const uint16_t*>(maps.residual), maps.cells.cells(),
                   counts.residual);
  }
  if (!maps.moves) return;
  const int32_t side = 1 << maps.log2Block;
  int32_t last = 0;
  int64_t pending = 0;  // cells of motion `last` that the map does not have yet
  for (int32_t y = 0; y < maps.cells.rows; y += side) {
    const int64_t height = std::min(side, maps.cells.rows - y);
    eachBlockOfRow(maps, y, [&](int32_t begin, int32_t end, int32_t motion2) {
      if (motion2 != last && pending > 0) {
        counts.motion2[last] += pending;
        pending = 0;
      }
      last = motion2;
      pending += height * (end - begin);
    });
  }
  if (pending > 0) counts.motion2[last] += pending;
}

void cellScoresCpu(ScratchPool& scratch, const CellMaps& maps, const CellPercentiles& percentiles,
                   const PatchGrid& grid, float* out, const CancelToken* cancel) {
  if (maps.residualBytes == 1) {
    scores<uint8_t>(scratch, maps, percentiles, grid, out, cancel);
  } else {
    scores<uint16_t>(scratch, maps, percentiles, grid, out, cancel);
  }
}

void cellTextureCpu(const uint8_t* cells, const CellGrid& grid, int32_t residualBytes, void* out) {
  for (int32_t y = 0; y < grid.rows; y++) {
    const int64_t row = int64_t{y} * grid.cols;
    for (int32_t x = 0; x < grid.cols; x++) {
      const uint8_t v = textureAt(cells, grid, y, x);
      if (residualBytes == 1) {
        static_cast<uint8_t*>(out)[row + x] = v;
      } else {
        static_cast<uint16_t*>(out)[row + x] = v;
      }
    }
  }
}

void expandMaps(const CellMaps& maps, const CellPercentiles& percentiles, int32_t* motion2,
                int32_t* residual, float* energy) {
  for (int32_t y = 0; y < maps.cells.rows; y++) {
    for (int32_t x = 0; x < maps.cells.cols; x++) {
      const int64_t i = int64_t{y} * maps.cells.cols + x;
      residual[i] = residualAt(maps, i);
      if (motion2) motion2[i] = motion2Of(maps.moves[blockOfCell(maps, y, x)]);
      energy[i] = cellEnergy(maps, percentiles, y, x);
    }
  }
}

}  // namespace cps
