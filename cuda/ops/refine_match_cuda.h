#pragma once

#include "cuda/ops/block_program.h"
#include "ops/energy/pyramid_match_math.h"
#include "ops/geometry.h"

namespace cps {

CPS_DEVICE_CONSTANT RefineOffsets kDeviceOffsets = makeRefineOffsets();

// A level of Kernels::pyramidMatch after the first: one thread block a match block, one thread a
// row of it at one of the nine displacements.
struct RefineMatch {
  static constexpr int kMaxBlock = kMaxRefineBlock;
  static constexpr int kThreads = 160;  // >= kRefineCandidates * kMaxBlock, whole warps
  static constexpr int kPrevSide = kMaxBlock + 2;

  struct Shared {
    uint8_t cur[kMaxBlock][kMaxBlock];
    uint8_t prev[kPrevSide][kPrevSide];
    int32_t sad[kRefineCandidates];
    Move move;  // of the level before, doubled; then of this one
    int32_t rank;
  };

  const uint8_t* cur;
  const uint8_t* prev;
  CellGrid grid;
  int32_t block;      // cells a side, at most kMaxBlock
  Move* moves;        // of the level before, then of this one
  uint8_t* residual;  // or null

  int64_t blocks() const { return grid.blocks(); }

  template <class Block>
  CPS_DEVICE void run(Block& b, Shared& shared) const {
    const int32_t y0 = static_cast<int32_t>(b.index() / grid.blockCols) * block;
    const int32_t x0 = static_cast<int32_t>(b.index() % grid.blockCols) * block;
    const int32_t height = minInt(block, grid.rows - y0), width = minInt(block, grid.cols - x0);
    b.forEach([&](int thread) {
      if (thread < kRefineCandidates) shared.sad[thread] = 0;
      if (thread != 0) return;
      const Move m = moves[b.index()];
      shared.move = {static_cast<int16_t>(2 * m.dy), static_cast<int16_t>(2 * m.dx)};
    });
    b.forEach([&](int thread) {
      const int32_t dy = shared.move.dy, dx = shared.move.dx;
      for (int i = thread; i < block * block; i += kThreads) {
        const int32_t y = i / block, x = i % block;
        if (y >= height || x >= width) continue;
        shared.cur[y][x] = cur[static_cast<int64_t>(y0 + y) * grid.cols + x0 + x];
      }
      const int32_t side = block + 2;
      for (int i = thread; i < side * side; i += kThreads) {
        const int32_t y = clampInt(y0 + i / side - 1 - dy, 0, grid.rows - 1);
        const int32_t x = clampInt(x0 + i % side - 1 - dx, 0, grid.cols - 1);
        shared.prev[i / side][i % side] = prev[static_cast<int64_t>(y) * grid.cols + x];
      }
    });
    b.forEach([&](int thread) {
      const int32_t rank = thread / kMaxBlock, y = thread % kMaxBlock;
      if (rank >= kRefineCandidates || y >= height) return;
      int32_t sad = 0;
      for (int32_t x = 0; x < width; x++) sad += difference(shared, rank, y, x);
      Block::add(&shared.sad[rank], sad);
    });
    b.forEach([&](int thread) {
      if (thread != 0) return;
      int32_t best = INT32_MAX;
      for (int32_t rank = 0; rank < kRefineCandidates; rank++) {
        const int32_t dy = shared.move.dy + kDeviceOffsets.dy[rank];
        const int32_t dx = shared.move.dx + kDeviceOffsets.dx[rank];
        best = minInt(best, refineKey(shared.sad[rank], refinePenalty(block, dy, dx), rank));
      }
      const int32_t rank = refineRank(best);
      shared.rank = rank;
      moves[b.index()] = {static_cast<int16_t>(shared.move.dy + kDeviceOffsets.dy[rank]),
                          static_cast<int16_t>(shared.move.dx + kDeviceOffsets.dx[rank])};
    });
    if (residual == nullptr) return;
    b.forEach([&](int thread) {
      for (int i = thread; i < height * width; i += kThreads) {
        const int32_t y = i / width, x = i % width;
        residual[static_cast<int64_t>(y0 + y) * grid.cols + x0 + x] =
            static_cast<uint8_t>(difference(shared, shared.rank, y, x));
      }
    });
  }

  CPS_DEVICE static int32_t difference(const Shared& shared, int32_t rank, int32_t y, int32_t x) {
    const int32_t d = shared.cur[y][x] -
                      shared.prev[y + 1 - kDeviceOffsets.dy[rank]][x + 1 - kDeviceOffsets.dx[rank]];
    return d < 0 ? -d : d;
  }
};

void launch(const RefineMatch& program, CudaStream stream);

}  // namespace cps
