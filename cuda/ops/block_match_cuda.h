#pragma once

#include "cuda/ops/block_program.h"
#include "ops/energy/block_match_math.h"
#include "ops/energy/cell_maps.h"
#include "ops/geometry.h"

namespace cps {

CPS_DEVICE_CONSTANT MatchCandidates kDeviceCandidates = makeMatchCandidates();

// Kernels::blockMatch, and the first level of pyramidMatch. A thread block takes kBlocks match
// blocks of a row side by side; both pictures' cells around them are brought to shared memory, then
// one thread tries one candidate.
struct BlockMatch {
  static constexpr int kBlocks = 2;
  static constexpr int kLanes = 96;  // >= kMatchCandidates, whole warps
  static constexpr int kThreads = kBlocks * kLanes;
  static constexpr int kCurCols = kBlocks * kMatchBlock;
  static constexpr int kPrevRows = kMatchBlock + 2 * kMatchRadius;
  static constexpr int kPrevCols = kCurCols + 2 * kMatchRadius;

  struct Shared {
    uint8_t cur[kMatchBlock][kCurCols];
    uint8_t prev[kPrevRows][kPrevCols];
    int32_t best[kBlocks];
  };

  const uint8_t* cur;
  const uint8_t* prev;
  CellGrid grid;
  uint8_t* motion2;   // or null
  uint8_t* residual;  // or null
  Move* moves;        // or null

  int64_t blocks() const { return ceilDiv64(grid.blockCols, kBlocks) * grid.blockRows; }

  template <class Block>
  CPS_DEVICE void run(Block& block, Shared& shared) const {
    const int32_t perRow = (grid.blockCols + kBlocks - 1) / kBlocks;
    const int32_t blockRow = static_cast<int32_t>(block.index() / perRow);
    const int32_t firstCol = static_cast<int32_t>(block.index() % perRow) * kBlocks;
    const int32_t y0 = blockRow * kMatchBlock, x0 = firstCol * kMatchBlock;
    block.forEach([&](int thread) {
      if (thread < kBlocks) shared.best[thread] = INT32_MAX;
      for (int i = thread; i < kMatchBlock * kCurCols; i += kThreads) {
        const int32_t y = clampInt(y0 + i / kCurCols, 0, grid.rows - 1);
        const int32_t x = clampInt(x0 + i % kCurCols, 0, grid.cols - 1);
        shared.cur[i / kCurCols][i % kCurCols] = cur[static_cast<int64_t>(y) * grid.cols + x];
      }
      for (int i = thread; i < kPrevRows * kPrevCols; i += kThreads) {
        const int32_t y = clampInt(y0 - kMatchRadius + i / kPrevCols, 0, grid.rows - 1);
        const int32_t x = clampInt(x0 - kMatchRadius + i % kPrevCols, 0, grid.cols - 1);
        shared.prev[i / kPrevCols][i % kPrevCols] = prev[static_cast<int64_t>(y) * grid.cols + x];
      }
    });
    block.forEach([&](int thread) {
      const int32_t which = thread / kLanes, rank = thread % kLanes;
      if (rank >= kMatchCandidates || firstCol + which >= grid.blockCols) return;
      const int32_t dy = kDeviceCandidates.dy[rank], dx = kDeviceCandidates.dx[rank];
      int32_t sad = 0;
      for (int32_t y = 0; y < kMatchBlock && y0 + y < grid.rows; y++) {
        for (int32_t x = 0; x < kMatchBlock; x++) {
          if (x0 + which * kMatchBlock + x >= grid.cols) break;
          sad += difference(shared, y, which * kMatchBlock + x, dy, dx);
        }
      }
      Block::min(&shared.best[which], matchKey(sad, matchPenalty(dy, dx), rank));
    });
    block.forEach([&](int thread) {
      const int32_t which = thread / kLanes, cell = thread % kLanes;
      if (cell >= kMatchBlock * kMatchBlock || firstCol + which >= grid.blockCols) return;
      const int32_t rank = matchRank(shared.best[which]);
      const int32_t dy = kDeviceCandidates.dy[rank], dx = kDeviceCandidates.dx[rank];
      if (cell == 0) {
        const int64_t i = static_cast<int64_t>(blockRow) * grid.blockCols + firstCol + which;
        if (motion2 != nullptr) motion2[i] = static_cast<uint8_t>(dy * dy + dx * dx);
        if (moves != nullptr) moves[i] = {static_cast<int16_t>(dy), static_cast<int16_t>(dx)};
      }
      if (residual == nullptr) return;
      const int32_t y = cell / kMatchBlock, x = which * kMatchBlock + cell % kMatchBlock;
      if (y0 + y >= grid.rows || x0 + x >= grid.cols) return;
      residual[static_cast<int64_t>(y0 + y) * grid.cols + x0 + x] =
          static_cast<uint8_t>(difference(shared, y, x, dy, dx));
    });
  }

  // cellDifference() on the copies: their borders are the clamped cells.
  CPS_DEVICE static int32_t difference(const Shared& shared, int32_t y, int32_t x, int32_t dy,
                                       int32_t dx) {
    const int32_t d = shared.cur[y][x] - shared.prev[y - dy + kMatchRadius][x - dx + kMatchRadius];
    return d < 0 ? -d : d;
  }
};

void launch(const BlockMatch& program, CudaStream stream);

}  // namespace cps
