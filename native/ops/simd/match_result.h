#pragma once

#include <immintrin.h>

#include "ops/simd/rows_math.h"

namespace cps {
namespace {

inline int32_t loadInt(const uint8_t* p) {
  int32_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

// Results of blocks [first, first + count) of a row from their winning keys.
inline void matchResults(const MatchRow& row, const MatchCandidates& candidates, int32_t first,
                         const int32_t* keys, int32_t count) {
  const int32_t whole = row.rows == kMatchBlock ? row.cols / kMatchBlock : 0;
  for (int32_t i = 0; i < count; i++) {
    const int32_t block = first + i, rank = matchRank(keys[i]);
    if (block >= whole) {
      matchResult(row, candidates, block, rank);
      continue;
    }
    const int32_t dy = candidates.dy[rank], dx = candidates.dx[rank];
    row.motion2[block] = static_cast<uint8_t>(dy * dy + dx * dx);
    if (row.ranks) row.ranks[block] = static_cast<uint8_t>(rank);
    const uint8_t* c = row.cur + block * kMatchBlock;
    const uint8_t* p = row.prev + block * kMatchBlock - dy * row.prevStride - dx;
    const __m128i cur =
        _mm_setr_epi32(loadInt(c), loadInt(c + row.curStride), loadInt(c + 2 * row.curStride),
                       loadInt(c + 3 * row.curStride));
    const __m128i prev =
        _mm_setr_epi32(loadInt(p), loadInt(p + row.prevStride), loadInt(p + 2 * row.prevStride),
                       loadInt(p + 3 * row.prevStride));
    alignas(16) int32_t d[4];
    _mm_store_si128(reinterpret_cast<__m128i*>(d),
                    _mm_sub_epi8(_mm_max_epu8(cur, prev), _mm_min_epu8(cur, prev)));
    for (int y = 0; y < 4; y++) {
      memcpy(row.residual + static_cast<int64_t>(y) * row.cols + block * kMatchBlock, &d[y], 4);
    }
  }
}

}  // namespace
}  // namespace cps
