#pragma once

#include "ops/energy/block_match_math.h"
#include "ops/energy/cell_maps.h"
#include "ops/hd.h"

namespace cps {

// Note [Pyramid matching]
// Energy 'adjacent': the first level is Note [Block matching]; each level after it doubles a
// block's displacement and tries the eight around that, too. The offsets are stored in the order of
// the tie rule (smaller dy^2+dx^2, then dy, then dx of the offset), so that the smallest key = cost
// * 16 + rank wins. cost <= 256 * 255 + 64 * 38, so a key fits 21 bits.
constexpr int32_t kRefineCandidates = 9;
constexpr int32_t kRefineRankBits = 4;
constexpr int32_t kMaxRefineBlock = 16;  // cells a side at the last level
// The longest displacement there: 2 * (2 * kMatchRadius + 1) + 1.
constexpr int32_t kMaxRefineMove = 19;

struct RefineOffsets {
  int8_t dy[kRefineCandidates];
  int8_t dx[kRefineCandidates];
};

constexpr RefineOffsets makeRefineOffsets() {
  RefineOffsets table{};
  int32_t n = 0;
  for (int32_t length2 = 0; length2 <= 2; length2++) {
    for (int32_t dy = -1; dy <= 1; dy++) {
      for (int32_t dx = -1; dx <= 1; dx++) {
        if (dy * dy + dx * dx != length2) continue;
        table.dy[n] = static_cast<int8_t>(dy);
        table.dx[n] = static_cast<int8_t>(dx);
        n++;
      }
    }
  }
  return table;
}

// Of a block of `block` cells a side, whole or cut off by the edge. The first level's 4 * length is
// the same rule.
CPS_HD int32_t refinePenalty(int32_t block, int32_t dy, int32_t dx) {
  return block * block / 4 * ((dy < 0 ? -dy : dy) + (dx < 0 ? -dx : dx));
}
CPS_HD int32_t refineKey(int32_t sad, int32_t penalty, int32_t rank) {
  return ((sad + penalty) << kRefineRankBits) | rank;
}
CPS_HD int32_t refineRank(int32_t key) { return key & ((1 << kRefineRankBits) - 1); }

}  // namespace cps
