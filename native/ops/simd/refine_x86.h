#pragma once

#include <immintrin.h>

#include "ops/simd/refine_plain.h"

// The levels after the first with sums of absolute differences (SSE2), and sums of differences
// (AVX2).
namespace cps {
namespace {

inline __m128i loadCells16(const uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
inline __m128i loadCells8(const uint8_t* p) {
  return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
}

template <int kBlock>
inline void refineBlockX86(const RefineRow& row, int32_t i) {
  const int32_t x0 = i * kBlock;
  __m128i cur[kBlock];
  for (int y = 0; y < kBlock; y++) {
    const uint8_t* p = row.cur + y * row.curStride + x0;
    cur[y] = kBlock == 16 ? loadCells16(p) : loadCells8(p);
  }
  const Move move = refinedMove(row, i, [&](int32_t dy, int32_t dx) {
    const uint8_t* prev = row.prev - dy * row.prevStride + x0 - dx;
    __m128i sum = _mm_setzero_si128();
    for (int y = 0; y < kBlock; y++) {
      const uint8_t* p = prev + y * row.prevStride;
      sum = _mm_add_epi64(sum, _mm_sad_epu8(cur[y], kBlock == 16 ? loadCells16(p) : loadCells8(p)));
    }
    return _mm_cvtsi128_si32(sum) + _mm_extract_epi16(sum, 4);
  });
  refineResult(row, i, kBlock, move);
}

inline void refineRowX86(const RefineRow& row) {
  for (int32_t i = 0; i * row.block < row.cols; i++) {
    const bool whole = row.rows == row.block && (i + 1) * row.block <= row.cols;
    if (whole && row.block == 16) {
      refineBlockX86<16>(row, i);
    } else if (whole && row.block == 8) {
      refineBlockX86<8>(row, i);
    } else {
      refineBlockPlain(row, i);
    }
  }
}

inline void addDifferencesAvx2(const uint8_t* a, const uint8_t* b, int64_t count, uint16_t* sums) {
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const __m128i x = loadCells16(a + i), y = loadCells16(b + i);
    const __m128i d = _mm_sub_epi8(_mm_max_epu8(x, y), _mm_min_epu8(x, y));
    auto* at = reinterpret_cast<__m256i*>(sums + i);
    _mm256_storeu_si256(at, _mm256_adds_epu16(_mm256_loadu_si256(at), _mm256_cvtepu8_epi16(d)));
  }
  addDifferencesPlain(a, b, i, count, sums);
}

}  // namespace
}  // namespace cps
