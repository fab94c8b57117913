#include <algorithm>
#include <cstring>

#include "ops/energy/block_energy_cpu.h"
#include "ops/energy/cell_maps_cpu.h"
#include "ops/energy/pyramid_match_math.h"

namespace cps {
namespace {

constexpr MatchCandidates kCandidates = makeMatchCandidates();

size_t aligned(int64_t bytes) {
  return static_cast<size_t>((bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment);
}

// The first level; `moves` get its displacements.
void coarseMatch(const OpsTable& ops, ScratchPool& scratch, const uint8_t* cur, const uint8_t* prev,
                 const CellGrid& grid, Move* moves, uint8_t* residual, const CancelToken* cancel) {
  const size_t blocks = aligned(grid.blocks());
  const auto memory = scratch.take(2 * blocks + (residual ? 0 : static_cast<size_t>(grid.cells())));
  uint8_t* motion2 = memory.as<uint8_t>();
  uint8_t* ranks = motion2 + blocks;
  blockMatchCpu(ops, scratch, cur, prev, grid, motion2, residual ? residual : ranks + blocks,
                cancel, ranks);
  for (int64_t i = 0; i < grid.blocks(); i++) {
    moves[i] = {kCandidates.dy[ranks[i]], kCandidates.dx[ranks[i]]};
  }
}

void refineMatch(const OpsTable& ops, ScratchPool& scratch, const uint8_t* cur, const uint8_t* prev,
                 const CellGrid& grid, int32_t block, Move* moves, uint8_t* residual,
                 const CancelToken* cancel) {
  constexpr int64_t kPad = kMaxRefineMove;
  const int64_t rows = grid.rows, cols = grid.cols;
  const int64_t stride = static_cast<int64_t>(aligned(cols + 2 * kPad));
  // The previous frame with its edges repeated.
  const auto memory = scratch.take(static_cast<size_t>((rows + 2 * kPad) * stride));
  uint8_t* padded = memory.as<uint8_t>();
  for (int64_t y = -kPad; y < rows + kPad; y++) {
    const uint8_t* from = prev + std::clamp<int64_t>(y, 0, rows - 1) * cols;
    uint8_t* to = padded + (y + kPad) * stride;
    std::memset(to, from[0], kPad);
    std::memcpy(to + kPad, from, static_cast<size_t>(cols));
    std::memset(to + kPad + cols, from[cols - 1], kPad);
  }
  RefineRow row;
  row.curStride = cols;
  row.prevStride = stride;
  row.cols = grid.cols;
  row.block = block;
  for (int32_t b = 0; b < grid.blockRows; b++) {
    if (cancel) cancel->check(Stage::Process);
    const int64_t y = int64_t{b} * block;
    row.rows = static_cast<int32_t>(std::min<int64_t>(block, rows - y));
    row.cur = cur + y * cols;
    row.prev = padded + (y + kPad) * stride + kPad;
    row.moves = moves + int64_t{b} * grid.blockCols;
    row.residual = residual ? residual + y * cols : nullptr;
    ops.refineRow(row);
  }
}

}  // namespace

void pyramidMatchCpu(const OpsTable& ops, ScratchPool& scratch, const uint8_t* const* cur,
                     const uint8_t* const* prev, const PyramidGrid& grid, Move* moves,
                     uint8_t* residual, const CancelToken* cancel) {
  for (int32_t l = 0; l < grid.levels; l++) {
    uint8_t* out = l + 1 == grid.levels ? residual : nullptr;
    if (l == 0) {
      coarseMatch(ops, scratch, cur[0], prev[0], grid.level[0], moves, out, cancel);
    } else {
      refineMatch(ops, scratch, cur[l], prev[l], grid.level[l], kMatchBlock << l, moves, out,
                  cancel);
    }
  }
}

}  // namespace cps
