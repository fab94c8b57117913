#pragma once

#include "ops/hd.h"

namespace cps {

// Note [Block matching]
// The candidates are stored in the order of the tie rule (smaller dy^2+dx^2, then smaller dy, then
// smaller dx), so that the smallest key = cost * 128 + rank is the winner, whatever the order in
// which candidates are tried. cost <= 16 * 255 + 4 * 8, so a key fits 20 bits.
constexpr int32_t kMatchRadius = 4;
constexpr int32_t kMatchCandidates = 81;
constexpr int32_t kMatchBlock = 4;        // cells a side
constexpr int32_t kMatchMaxMotion2 = 32;  // 4^2 + 4^2
constexpr int32_t kMatchRankBits = 7;

struct MatchCandidates {
  int8_t dy[kMatchCandidates];
  int8_t dx[kMatchCandidates];
};

// Made at compile time; a GPU keeps its copy in constant memory.
constexpr MatchCandidates makeMatchCandidates() {
  MatchCandidates table{};
  int32_t n = 0;
  for (int32_t motion2 = 0; motion2 <= kMatchMaxMotion2; motion2++) {
    for (int32_t dy = -kMatchRadius; dy <= kMatchRadius; dy++) {
      for (int32_t dx = -kMatchRadius; dx <= kMatchRadius; dx++) {
        if (dy * dy + dx * dx != motion2) continue;
        table.dy[n] = static_cast<int8_t>(dy);
        table.dx[n] = static_cast<int8_t>(dx);
        n++;
      }
    }
  }
  return table;
}

// A displacement is paid for like a codec's motion vector bits, so that flat areas stay still.
CPS_HD int32_t matchPenalty(int32_t dy, int32_t dx) {
  return 4 * ((dy < 0 ? -dy : dy) + (dx < 0 ? -dx : dx));
}
CPS_HD int32_t matchKey(int32_t sad, int32_t penalty, int32_t rank) {
  return ((sad + penalty) << kMatchRankBits) | rank;
}
CPS_HD int32_t matchRank(int32_t key) { return key & ((1 << kMatchRankBits) - 1); }

// Cell (y, x) is compared with (y - dy, x - dx) of the previous frame, clamped to the grid.
CPS_HD int32_t cellDifference(const uint8_t* cur, const uint8_t* prev, int32_t rows, int32_t cols,
                              int32_t y, int32_t x, int32_t dy, int32_t dx) {
  const int32_t py = clampInt(y - dy, 0, rows - 1), px = clampInt(x - dx, 0, cols - 1);
  const int32_t d =
      cur[static_cast<int64_t>(y) * cols + x] - prev[static_cast<int64_t>(py) * cols + px];
  return d < 0 ? -d : d;
}

}  // namespace cps
