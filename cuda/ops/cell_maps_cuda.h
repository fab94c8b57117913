#pragma once

#include "cuda/ops/block_program.h"
#include "ops/energy/cell_maps_math.h"
#include "ops/energy/percentile_math.h"
#include "ops/geometry.h"

namespace cps {

// Values of motion^2: displacements of pyramidMatch are 19 cells at most a side, and 38 when the
// frame's own is taken off.
constexpr int32_t kDeviceMotionLevels = 2 * 38 * 38 + 1;

// Kernels::addDifferences.
struct AddDifferences {
  using Shared = NoShared;
  static constexpr int kThreads = 256;

  const uint8_t* a;
  const uint8_t* b;
  int64_t count;
  uint16_t* sums;

  int64_t blocks() const { return ceilDiv64(count, kThreads); }

  template <class Block>
  CPS_DEVICE void run(Block& block, Shared&) const {
    block.forEach([&](int thread) {
      const int64_t i = block.index() * kThreads + thread;
      if (i < count) sums[i] = addDifference(sums[i], a[i], b[i]);
    });
  }
};

// Kernels::cellTexture: one thread a cell.
struct CellTexture {
  using Shared = NoShared;
  static constexpr int kThreads = 256;

  const uint8_t* cells;
  CellGrid grid;
  int32_t residualBytes;
  void* out;

  int64_t blocks() const { return ceilDiv64(grid.cells(), kThreads); }

  template <class Block>
  CPS_DEVICE void run(Block& block, Shared&) const {
    block.forEach([&](int thread) {
      const int64_t i = block.index() * kThreads + thread;
      if (i >= static_cast<int64_t>(grid.rows) * grid.cols) return;
      const uint8_t v = textureAt(cells, grid, static_cast<int32_t>(i / grid.cols),
                                  static_cast<int32_t>(i % grid.cols));
      if (residualBytes == 1) {
        static_cast<uint8_t*>(out)[i] = v;
      } else {
        static_cast<uint16_t*>(out)[i] = v;
      }
    });
  }
};

// Histograms of a frame's cells in device memory; all zero before CellHistogram runs.
struct DeviceCellCounts {
  int32_t* motion2;   // [kDeviceMotionLevels]
  int32_t* residual;  // [residualLevels(residualBytes)]
};

// First part of Kernels::cellScores. Residuals of a byte are counted in shared memory first: many
// cells have the same few.
struct CellHistogram {
  static constexpr int kThreads = 256;
  static constexpr int kCellsPerBlock = 16 * kThreads;
  struct Shared {
    int32_t residual[kThreads];
  };

  CellMaps maps;
  DeviceCellCounts counts;

  int64_t blocks() const { return ceilDiv64(maps.cells.cells(), kCellsPerBlock); }

  template <class Block>
  CPS_DEVICE void run(Block& block, Shared& shared) const {
    block.forEach([&](int thread) { shared.residual[thread] = 0; });
    block.forEach([&](int thread) {
      const int64_t all = static_cast<int64_t>(maps.cells.rows) * maps.cells.cols;
      const int64_t begin = block.index() * kCellsPerBlock;
      const int64_t end = minInt64(begin + kCellsPerBlock, all);
      for (int64_t i = begin + thread; i < end; i += kThreads) {
        const int32_t r = residualAt(maps, i);
        Block::add(maps.residualBytes == 1 ? &shared.residual[r] : &counts.residual[r], 1);
        if (maps.moves == nullptr) continue;
        const auto y = static_cast<int32_t>(i / maps.cells.cols),
                   x = static_cast<int32_t>(i % maps.cells.cols);
        Block::add(&counts.motion2[motion2Of(maps.moves[blockOfCell(maps, y, x)])], 1);
      }
    });
    block.forEach([&](int thread) {
      if (shared.residual[thread] != 0) {
        Block::add(&counts.residual[thread], shared.residual[thread]);
      }
    });
  }
};

// Second part: one thread block. A thread adds up a stretch of bins, then one finds the stretch
// that holds the rank, and the bin in it.
struct CellPercentile {
  static constexpr int kThreads = 256;
  struct Shared {
    int64_t sum[kThreads];
  };

  DeviceCellCounts counts;
  int32_t residualBins;
  bool motion;
  int64_t rank;  // percentileRank(energyPct, cells)
  CellPercentiles* out;

  int64_t blocks() const { return 1; }

  template <class Block>
  CPS_DEVICE void run(Block& block, Shared& shared) const {
    find(block, shared, counts.residual, residualBins, &out->residual);
    if (motion) find(block, shared, counts.motion2, kDeviceMotionLevels, &out->motion2);
  }

  template <class Block>
  CPS_DEVICE void find(Block& block, Shared& shared, const int32_t* bins, int32_t count,
                       int32_t* result) const {
    const int32_t stretch = (count + kThreads - 1) / kThreads;
    block.forEach([&](int thread) {
      shared.sum[thread] = 0;
      const int32_t end = minInt((thread + 1) * stretch, count);
      for (int32_t v = thread * stretch; v < end; v++) shared.sum[thread] += bins[v];
    });
    block.forEach([&](int thread) {
      if (thread != 0) return;
      int64_t left = rank;
      int32_t s = 0;
      while (s + 1 < kThreads && left >= shared.sum[s]) left -= shared.sum[s++];
      const int32_t begin = minInt(s * stretch, count - 1);
      const int32_t end = minInt(begin + stretch, count);
      *result = begin + histogramPercentile(bins + begin, end - begin, left);
    });
  }
};

// Third part: one thread block a patch, one thread a row of cells, the sums in the order of Note
// [Block scores].
struct CellScores {
  static constexpr int kThreads = 64;
  struct Shared {
    float rowSum[kThreads];
    float total;
  };

  CellMaps maps;
  const CellPercentiles* percentiles;
  PatchGrid grid;
  float* scores;

  int64_t blocks() const { return grid.perFrame(); }

  template <class Block>
  CPS_DEVICE void run(Block& block, Shared& shared) const {
    const CellGrid& cells = maps.cells;
    const int32_t row = static_cast<int32_t>(block.index() / grid.cols);
    const int32_t col = static_cast<int32_t>(block.index() % grid.cols);
    const CellSpan ys = patchCells(row, grid.y, cells.cell);
    const CellSpan xs = patchCells(col, grid.x, cells.cell);
    block.forEach([&](int thread) {
      if (thread == 0) shared.total = 0.0f;
    });
    for (int32_t first = ys.first; first <= ys.last; first += kThreads) {
      block.forEach([&](int thread) {
        const int32_t y = first + thread;
        if (y > ys.last) return;
        float sum = 0.0f;
        for (int32_t x = xs.first; x <= xs.last; x++) {
          sum += areaWeight(x, col, grid.x, cells.frameWidth, cells.cell) *
                 cellEnergy(maps, *percentiles, y, x);
        }
        shared.rowSum[thread] = sum;
      });
      block.forEach([&](int thread) {
        if (thread != 0) return;
        const int32_t end = minInt(first + kThreads - 1, ys.last);
        for (int32_t y = first; y <= end; y++) {
          shared.total +=
              areaWeight(y, row, grid.y, cells.frameHeight, cells.cell) * shared.rowSum[y - first];
        }
      });
    }
    block.forEach([&](int thread) {
      if (thread != 0) return;
      scores[block.index()] = shared.total * static_cast<float>(grid.patchSize * grid.patchSize);
    });
  }
};

void launch(const AddDifferences& program, CudaStream stream);
void launch(const CellTexture& program, CudaStream stream);
void launch(const CellHistogram& program, CudaStream stream);
void launch(const CellPercentile& program, CudaStream stream);
void launch(const CellScores& program, CudaStream stream);

}  // namespace cps
