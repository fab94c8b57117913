#pragma once

#include "cuda/ops/block_program.h"
#include "ops/energy/cells_math.h"
#include "ops/geometry.h"

namespace cps {

// Kernels::lumaCells: one thread a cell.
struct LumaCells {
  using Shared = NoShared;
  static constexpr int kThreads = 256;

  FrameView frame;
  ColorCoeffs coeffs;
  CellGrid grid;
  uint8_t* out;

  int64_t blocks() const { return ceilDiv64(grid.cells(), kThreads); }

  template <class Block>
  CPS_DEVICE void run(Block& block, Shared&) const {
    block.forEach([&](int thread) {
      const int64_t i = block.index() * kThreads + thread;
      if (i >= static_cast<int64_t>(grid.rows) * grid.cols) return;
      const auto row = static_cast<int32_t>(i / grid.cols),
                 col = static_cast<int32_t>(i % grid.cols);
      out[i] = hasSizeOf(frame, grid) ? cellAt(frame, coeffs, grid.cell, row, col)
                                      : cellOfOtherSize(frame, coeffs, grid, row, col);
    });
  }
};

void launch(const LumaCells& program, CudaStream stream);

}  // namespace cps
