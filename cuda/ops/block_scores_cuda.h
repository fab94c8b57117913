#pragma once

#include "cuda/ops/block_program.h"
#include "ops/energy/block_scores_math.h"
#include "ops/energy/percentile_math.h"

namespace cps {

// Histograms of a frame's cells; all zero before BlockHistogram runs.
struct BlockCounts {
  int32_t motion[kMotionLevels];
  int32_t residual[kResidualLevels];
};

// First half of Kernels::blockScores. Counts are integers, so the order of additions is free.
struct BlockHistogram {
  using Shared = BlockCounts;
  static constexpr int kThreads = 256;
  static constexpr int kCellsPerBlock = 16 * kThreads;

  const uint8_t* motion2;
  const uint8_t* residual;
  CellGrid cells;
  BlockCounts* counts;

  int64_t blocks() const { return ceilDiv64(cells.cells(), kCellsPerBlock); }

  template <class Block>
  CPS_DEVICE void run(Block& block, Shared& shared) const {
    block.forEach([&](int thread) {
      for (int i = thread; i < kMotionLevels; i += kThreads) shared.motion[i] = 0;
      for (int i = thread; i < kResidualLevels; i += kThreads) shared.residual[i] = 0;
    });
    block.forEach([&](int thread) {
      const int64_t all = static_cast<int64_t>(cells.rows) * cells.cols;
      const int64_t begin = block.index() * kCellsPerBlock;
      const int64_t end = minInt64(begin + kCellsPerBlock, all);
      for (int64_t i = begin + thread; i < end; i += kThreads) {
        const int32_t y = static_cast<int32_t>(i / cells.cols);
        const int32_t x = static_cast<int32_t>(i % cells.cols);
        const int64_t matched =
            static_cast<int64_t>(y / kMatchBlock) * cells.blockCols + x / kMatchBlock;
        Block::add(&shared.motion[motion2[matched]], 1);
        Block::add(&shared.residual[residual[i]], 1);
      }
    });
    block.forEach([&](int thread) {
      for (int i = thread; i < kMotionLevels; i += kThreads) {
        if (shared.motion[i] != 0) Block::add(&counts->motion[i], shared.motion[i]);
      }
      for (int i = thread; i < kResidualLevels; i += kThreads) {
        if (shared.residual[i] != 0) Block::add(&counts->residual[i], shared.residual[i]);
      }
    });
  }
};

// Second half: one thread block a patch, one thread a row of cells. The sums keep the order of
// Note [Block scores]: a row's sum is one thread's, the rows are added by one thread.
struct BlockScores {
  static constexpr int kThreads = 64;

  struct Shared {
    BlockCounts counts;
    int32_t motionPercentile, residualPercentile;
    float motionTable[kMotionLevels];
    float residualTable[kResidualLevels];
    float rowSum[kThreads];
    float total;
  };

  const uint8_t* motion2;
  const uint8_t* residual;
  const BlockCounts* counts;
  CellGrid cells;
  PatchGrid grid;
  int64_t rank;  // percentileRank(energyPct, cells)
  float* scores;

  int64_t blocks() const { return grid.perFrame(); }

  template <class Block>
  CPS_DEVICE void run(Block& block, Shared& shared) const {
    const int32_t row = static_cast<int32_t>(block.index() / grid.cols);
    const int32_t col = static_cast<int32_t>(block.index() % grid.cols);
    block.forEach([&](int thread) {
      for (int i = thread; i < kMotionLevels; i += kThreads) {
        shared.counts.motion[i] = counts->motion[i];
      }
      for (int i = thread; i < kResidualLevels; i += kThreads) {
        shared.counts.residual[i] = counts->residual[i];
      }
      if (thread == 0) shared.total = 0.0f;
    });
    block.forEach([&](int thread) {
      if (thread == 0) {
        shared.motionPercentile = histogramPercentile(shared.counts.motion, kMotionLevels, rank);
      } else if (thread == 32) {  // another warp
        shared.residualPercentile =
            histogramPercentile(shared.counts.residual, kResidualLevels, rank);
      }
    });
    block.forEach([&](int thread) {
      for (int i = thread; i < kMotionLevels; i += kThreads) {
        shared.motionTable[i] = motionEnergy(i, shared.motionPercentile);
      }
      for (int i = thread; i < kResidualLevels; i += kThreads) {
        shared.residualTable[i] = residualEnergy(i, shared.residualPercentile);
      }
    });
    const CellSpan ys = patchCells(row, grid.y, cells.cell);
    const CellSpan xs = patchCells(col, grid.x, cells.cell);
    for (int32_t first = ys.first; first <= ys.last; first += kThreads) {
      block.forEach([&](int thread) {
        const int32_t y = first + thread;
        if (y <= ys.last) shared.rowSum[thread] = rowSum(shared, y, col, xs);
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

  CPS_DEVICE float rowSum(const Shared& shared, int32_t y, int32_t col, const CellSpan& xs) const {
    const uint8_t* motionRow = motion2 + static_cast<int64_t>(y / kMatchBlock) * cells.blockCols;
    const uint8_t* residualRow = residual + static_cast<int64_t>(y) * cells.cols;
    float sum = 0.0f;
    for (int32_t x = xs.first; x <= xs.last; x++) {
      const float energy = mixEnergy(shared.motionTable[motionRow[x / kMatchBlock]],
                                     shared.residualTable[residualRow[x]]);
      sum += areaWeight(x, col, grid.x, cells.frameWidth, cells.cell) * energy;
    }
    return sum;
  }
};

void launch(const BlockHistogram& program, CudaStream stream);
void launch(const BlockScores& program, CudaStream stream);

}  // namespace cps
