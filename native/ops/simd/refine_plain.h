#pragma once

#include "ops/energy/pyramid_match_math.h"
#include "ops/simd/table.h"

// Plain loops of the levels after the first: the scalar variant, and blocks that the edge cuts off.
namespace cps {
namespace {

constexpr RefineOffsets kRefineOffsets = makeRefineOffsets();

inline int32_t absoluteDifference(int32_t a, int32_t b) { return a > b ? a - b : b - a; }

// What is written of block `i` when its displacement is known.
inline void refineResult(const RefineRow& row, int32_t i, int32_t width, Move move) {
  row.moves[i] = move;
  if (!row.residual) return;
  const int32_t x0 = i * row.block;
  for (int32_t y = 0; y < row.rows; y++) {
    const uint8_t* cur = row.cur + y * row.curStride + x0;
    const uint8_t* prev = row.prev + (y - move.dy) * row.prevStride + x0 - move.dx;
    uint8_t* out = row.residual + static_cast<int64_t>(y) * row.cols + x0;
    for (int32_t x = 0; x < width; x++) {
      out[x] = static_cast<uint8_t>(cur[x] > prev[x] ? cur[x] - prev[x] : prev[x] - cur[x]);
    }
  }
}

// sadAt(dy, dx): the differences of the block at that displacement.
template <class SadAt>
inline Move refinedMove(const RefineRow& row, int32_t i, const SadAt& sadAt) {
  const int32_t dy0 = 2 * row.moves[i].dy, dx0 = 2 * row.moves[i].dx;
  int32_t best = INT32_MAX;
  for (int32_t rank = 0; rank < kRefineCandidates; rank++) {
    const int32_t dy = dy0 + kRefineOffsets.dy[rank], dx = dx0 + kRefineOffsets.dx[rank];
    best = minInt(best, refineKey(sadAt(dy, dx), refinePenalty(row.block, dy, dx), rank));
  }
  const int32_t rank = refineRank(best);
  return {static_cast<int16_t>(dy0 + kRefineOffsets.dy[rank]),
          static_cast<int16_t>(dx0 + kRefineOffsets.dx[rank])};
}

inline void refineBlockPlain(const RefineRow& row, int32_t i) {
  const int32_t x0 = i * row.block, width = minInt(row.block, row.cols - x0);
  const Move move = refinedMove(row, i, [&](int32_t dy, int32_t dx) {
    int32_t sad = 0;
    for (int32_t y = 0; y < row.rows; y++) {
      const uint8_t* cur = row.cur + y * row.curStride + x0;
      const uint8_t* prev = row.prev + (y - dy) * row.prevStride + x0 - dx;
      for (int32_t x = 0; x < width; x++) sad += absoluteDifference(cur[x], prev[x]);
    }
    return sad;
  });
  refineResult(row, i, width, move);
}

inline void refineRowPlain(const RefineRow& row) {
  for (int32_t i = 0; i * row.block < row.cols; i++) refineBlockPlain(row, i);
}

inline void addDifferencesPlain(const uint8_t* a, const uint8_t* b, int64_t begin, int64_t count,
                                uint16_t* sums) {
  for (int64_t i = begin; i < count; i++) {
    sums[i] = addDifference(sums[i], a[i], b[i]);
  }
}

}  // namespace
}  // namespace cps
