#pragma once

#include "ops/energy/block_match_math.h"

namespace cps {
namespace {

// Note [Early end of the search]
// Candidates are tried by rank, so the penalty of what is left to try has a lower bound that grows.
// A search over several blocks may end as soon as every block's best key is below that bound: no
// later candidate can win. `floorKey[rank]` is the smallest key any candidate from `rank` on can
// have; `addend[rank]` is a candidate's part of the key that does not depend on the pictures.
struct MatchOrder {
  MatchCandidates candidates;
  int32_t addend[kMatchCandidates];
  int32_t floorKey[kMatchCandidates + 1];
  bool checkBefore[kMatchCandidates + 1];  // the bound has grown: worth a look
};

constexpr MatchOrder makeMatchOrder() {
  MatchOrder order{};
  order.candidates = makeMatchCandidates();
  int32_t floorPenalty[kMatchCandidates + 1] = {};
  floorPenalty[kMatchCandidates] = INT32_MAX >> (kMatchRankBits + 1);
  for (int32_t rank = kMatchCandidates - 1; rank >= 0; rank--) {
    const int32_t dy = order.candidates.dy[rank], dx = order.candidates.dx[rank];
    const int32_t penalty = 4 * ((dy < 0 ? -dy : dy) + (dx < 0 ? -dx : dx));
    order.addend[rank] = penalty << kMatchRankBits | rank;
    floorPenalty[rank] = penalty < floorPenalty[rank + 1] ? penalty : floorPenalty[rank + 1];
  }
  for (int32_t rank = 0; rank <= kMatchCandidates; rank++) {
    order.floorKey[rank] = floorPenalty[rank] << kMatchRankBits | rank;
    order.checkBefore[rank] = rank > 0 && floorPenalty[rank] > floorPenalty[rank - 1];
  }
  return order;
}

}  // namespace
}  // namespace cps
