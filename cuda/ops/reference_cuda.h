#pragma once

#include "cuda/ops/radix_select.h"
#include "ops/energy/percentile_math.h"
#include "ops/energy/reference_math.h"

namespace cps {

// Kernels::referenceLuma: one thread a cell.
struct ReferenceLuma {
  using Shared = NoShared;
  static constexpr int kThreads = 256;

  FrameView frame;
  ColorCoeffs coeffs;
  ReferenceGrid grid;
  float* luma;

  int64_t blocks() const { return ceilDiv64(grid.cells(), kThreads); }

  template <class Block>
  CPS_DEVICE void run(Block& block, Shared&) const {
    block.forEach([&](int thread) {
      const int64_t i = block.index() * kThreads + thread;
      if (i >= static_cast<int64_t>(grid.rows) * grid.cols) return;
      const int32_t y = static_cast<int32_t>(i / grid.cols);
      const int32_t x = static_cast<int32_t>(i % grid.cols);
      luma[i] = referenceLumaAt(frame, coeffs, bilinearTap(y, displayHeight(frame), grid.rows),
                                bilinearTap(x, displayWidth(frame), grid.cols));
    });
  }
};

// Kernels::referenceMatch: one thread a cell.
struct ReferenceMatch {
  using Shared = NoShared;
  static constexpr int kThreads = 128;

  const float* cur;
  const float* prev;
  ReferenceGrid grid;
  float* motion;
  float* residual;

  int64_t blocks() const { return ceilDiv64(grid.cells(), kThreads); }

  template <class Block>
  CPS_DEVICE void run(Block& block, Shared&) const {
    block.forEach([&](int thread) {
      const int64_t i = block.index() * kThreads + thread;
      if (i >= static_cast<int64_t>(grid.rows) * grid.cols) return;
      const ReferenceMotion best =
          referenceMatchAt(cur, prev, grid, static_cast<int32_t>(i / grid.cols),
                           static_cast<int32_t>(i % grid.cols));
      motion[i] = best.motion;
      residual[i] = best.residual;
    });
  }
};

// The percentile of both maps (all values >= 0): block 0 the motion's, block 1 the residual's.
struct ReferencePercentiles {
  using Shared = RadixState;
  static constexpr int kThreads = 1024;

  const float* motion;
  const float* residual;
  int64_t cells;
  int64_t rank;        // percentileRank(energyPct, cells), ascending
  float* percentiles;  // [2]

  int64_t blocks() const { return 2; }

  template <class Block>
  CPS_DEVICE void run(Block& block, Shared& shared) const {
    const float* values = block.index() == 0 ? motion : residual;
    radixSelect<kThreads>(block, shared, cells, cells - rank, 32,
                          [&](int64_t i) { return static_cast<uint64_t>(orderedBits(values[i])); });
    block.forEach([&](int thread) {
      if (thread != 0) return;
      // orderedBits of a value >= 0 is its bits with the sign bit set.
      percentiles[block.index()] = bitsFloat(static_cast<uint32_t>(shared.prefix) & 0x7fffffffu);
    });
  }
};

// Both maps over their percentile, mixed: one thread a cell.
struct ReferenceEnergy {
  using Shared = NoShared;
  static constexpr int kThreads = 256;

  const float* motion;
  const float* residual;
  const float* percentiles;  // [2]
  int64_t cells;
  float* energy;

  int64_t blocks() const { return ceilDiv64(cells, kThreads); }

  template <class Block>
  CPS_DEVICE void run(Block& block, Shared&) const {
    block.forEach([&](int thread) {
      const int64_t i = block.index() * kThreads + thread;
      if (i >= cells) return;
      energy[i] = referenceEnergy(motion[i], residual[i], percentiles[0], percentiles[1]);
    });
  }
};

// One thread block a patch, one thread a row of its pixels; the rows are added by one thread, so
// the sum has the order of referencePatchScore.
struct ReferenceScores {
  static constexpr int kThreads = 32;

  struct Shared {
    float rowSum[kThreads];
    float total;
  };

  const float* energy;
  ReferenceGrid cells;
  PatchGrid grid;
  float* scores;

  int64_t blocks() const { return grid.perFrame(); }

  template <class Block>
  CPS_DEVICE void run(Block& block, Shared& shared) const {
    const int32_t p = grid.patchSize;
    const int32_t y0 = static_cast<int32_t>(block.index() / grid.cols) * p;
    const int32_t x0 = static_cast<int32_t>(block.index() % grid.cols) * p;
    block.forEach([&](int thread) {
      if (thread == 0) shared.total = 0.0f;
    });
    for (int32_t first = 0; first < p; first += kThreads) {
      block.forEach([&](int thread) {
        if (first + thread >= p) return;
        float sum = 0.0f;
        for (int32_t x = x0; x < x0 + p; x++) {
          sum += referenceEnergyTarget(energy, cells, grid, y0 + first + thread, x);
        }
        shared.rowSum[thread] = sum;
      });
      block.forEach([&](int thread) {
        if (thread != 0) return;
        const int32_t rows = minInt(kThreads, p - first);
        for (int32_t i = 0; i < rows; i++) shared.total += shared.rowSum[i];
      });
    }
    block.forEach([&](int thread) {
      if (thread == 0) scores[block.index()] = shared.total;
    });
  }
};

void launch(const ReferenceLuma& program, CudaStream stream);
void launch(const ReferenceMatch& program, CudaStream stream);
void launch(const ReferencePercentiles& program, CudaStream stream);
void launch(const ReferenceEnergy& program, CudaStream stream);
void launch(const ReferenceScores& program, CudaStream stream);

}  // namespace cps
