#include <immintrin.h>

#include "ops/simd/energy_plain.h"
#include "ops/simd/match_order.h"
#include "ops/simd/match_result.h"
#include "ops/simd/refine_x86.h"
#include "ops/simd/resample_avx2.h"
#include "ops/simd/resample_block_avx2.h"
#include "ops/simd/resize_impl.h"
#include "ops/simd/rgb_avx2.h"
#include "ops/simd/vec_avx2.h"

namespace cps {
namespace {

constexpr MatchOrder kOrder = makeMatchOrder();

__m256i load(const uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
void store(uint8_t* p, __m256i v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }

// Four vectors of 32-bit values 0..255 to 32 bytes in order.
__m256i packBytes(__m256i a, __m256i b, __m256i c, __m256i d) {
  const __m256i lanes = _mm256_packus_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
  return _mm256_permutevar8x32_epi32(lanes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

void cells8(const uint8_t* src, int64_t stride, int32_t cell, int32_t count, uint8_t* out) {
  const __m256i ones8 = _mm256_set1_epi8(1), ones16 = _mm256_set1_epi16(1);
  int32_t i = 0;
  if (cell == 4) {
    for (; i + 32 <= count; i += 32) {
      __m256i mean[4];
      for (int part = 0; part < 4; part++) {
        __m256i sum = _mm256_setzero_si256();
        for (int y = 0; y < 4; y++) {
          sum = _mm256_add_epi16(
              sum, _mm256_maddubs_epi16(load(src + y * stride + i * 4 + part * 32), ones8));
        }
        mean[part] = _mm256_srli_epi32(
            _mm256_add_epi32(_mm256_madd_epi16(sum, ones16), _mm256_set1_epi32(8)), 4);
      }
      store(out + i, packBytes(mean[0], mean[1], mean[2], mean[3]));
    }
  } else if (cell == 2) {
    for (; i + 32 <= count; i += 32) {
      __m256i mean[2];
      for (int part = 0; part < 2; part++) {
        const uint8_t* at = src + i * 2 + part * 32;
        const __m256i sum = _mm256_add_epi16(_mm256_maddubs_epi16(load(at), ones8),
                                             _mm256_maddubs_epi16(load(at + stride), ones8));
        mean[part] = _mm256_srli_epi16(_mm256_add_epi16(sum, _mm256_set1_epi16(2)), 2);
      }
      store(out + i, _mm256_permute4x64_epi64(_mm256_packus_epi16(mean[0], mean[1]), 0xd8));
    }
  } else if (cell == 1) {
    for (; i + 32 <= count; i += 32) store(out + i, load(src + i));
  }
  cells8Plain(src, stride, cell, i, count, out);
}

void cells16(const uint8_t* src, int64_t stride, int32_t cell, int32_t bitDepth, int32_t shift,
             int32_t count, uint8_t* out) {
  int32_t i = 0;
  if (cell == 4 && bitDepth <= 12) {  // sums of four samples stay below 2^15
    const __m256i ones16 = _mm256_set1_epi16(1), half = _mm256_set1_epi32(8 << (bitDepth - 8));
    const __m128i stored = _mm_cvtsi32_si128(shift), scale = _mm_cvtsi32_si128(bitDepth - 4);
    for (; i + 16 <= count; i += 16) {
      __m256i mean[2];
      for (int part = 0; part < 2; part++) {
        __m256i pairs[2];
        for (int k = 0; k < 2; k++) {
          __m256i sum = _mm256_setzero_si256();
          for (int y = 0; y < 4; y++) {
            const __m256i row = load(src + y * stride + i * 8 + part * 64 + k * 32);
            sum = _mm256_add_epi16(sum, _mm256_srl_epi16(row, stored));
          }
          pairs[k] = _mm256_madd_epi16(sum, ones16);
        }
        // hadd leaves the 128-bit halves apart; the last permutation puts them in order.
        mean[part] =
            _mm256_srl_epi32(_mm256_add_epi32(_mm256_hadd_epi32(pairs[0], pairs[1]), half), scale);
      }
      const __m256i words = _mm256_packus_epi32(_mm256_permute4x64_epi64(mean[0], 0xd8),
                                                _mm256_permute4x64_epi64(mean[1], 0xd8));
      const __m256i bytes = _mm256_packus_epi16(_mm256_permute4x64_epi64(words, 0xd8), words);
      const __m256i ordered = _mm256_permute4x64_epi64(bytes, 0xd8);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), _mm256_castsi256_si128(ordered));
    }
  }
  cells16Plain(src, stride, cell, bitDepth, shift, i, count, out);
}

template <int kRows>
void matchRows(const MatchRow& row) {
  const __m256i ones8 = _mm256_set1_epi8(1), ones16 = _mm256_set1_epi16(1);
  const __m256i lane = _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
                                        17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
  for (int32_t x = 0; x < row.cols; x += 32) {
    const int32_t left = minInt(row.cols - x, 32);
    const __m256i inside = _mm256_cmpgt_epi8(_mm256_set1_epi8(static_cast<char>(left)), lane);
    __m256i cur[kRows];
    for (int y = 0; y < kRows; y++) cur[y] = load(row.cur + y * row.curStride + x);
    __m256i best = _mm256_set1_epi32(INT32_MAX);
    for (int32_t rank = 0; rank < kMatchCandidates; rank++) {
      if (kOrder.checkBefore[rank]) {
        const __m256i open = _mm256_cmpgt_epi32(best, _mm256_set1_epi32(kOrder.floorKey[rank]));
        if (_mm256_testz_si256(open, open)) break;
      }
      const uint8_t* p =
          row.prev + x - kOrder.candidates.dy[rank] * row.prevStride - kOrder.candidates.dx[rank];
      __m256i sum = _mm256_setzero_si256();
      for (int y = 0; y < kRows; y++) {
        const __m256i prev = load(p + y * row.prevStride);
        const __m256i d = _mm256_and_si256(
            inside, _mm256_sub_epi8(_mm256_max_epu8(cur[y], prev), _mm256_min_epu8(cur[y], prev)));
        sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(d, ones8));
      }
      const __m256i sad = _mm256_slli_epi32(_mm256_madd_epi16(sum, ones16), kMatchRankBits);
      best = _mm256_min_epi32(best, _mm256_add_epi32(sad, _mm256_set1_epi32(kOrder.addend[rank])));
    }
    alignas(32) int32_t keys[8];
    _mm256_store_si256(reinterpret_cast<__m256i*>(keys), best);
    matchResults(row, kOrder.candidates, x / kMatchBlock, keys, (left + 3) / kMatchBlock);
  }
}

void matchRow(const MatchRow& row) {
  switch (row.rows) {
    case 1:
      matchRows<1>(row);
      break;
    case 2:
      matchRows<2>(row);
      break;
    case 3:
      matchRows<3>(row);
      break;
    default:
      matchRows<4>(row);
  }
  // GCC 12 forgets it in most ways out (Note [Upper halves] in test/native/ops/checked_table.h).
  _mm256_zeroupper();
}

void resampleDown(const ResampleColumn& column) { resampleDownAvx2(column, 0); }

}  // namespace

const OpsTable kAvx2Ops = {"avx2",
                           cells8,
                           cells16,
                           matchRow,
                           refineRowX86,
                           addDifferencesAvx2,
                           rgbRowAvx2,
                           resizeRowsWide<Avx2>,
                           resizeLumaWide<Avx2>,
                           castValuesWide<Avx2>,
                           referenceMatchRowWide<Avx2>,
                           lerpColumnsPlain,
                           energyRowPlain,
                           resampleAcrossWide<PixelAvx2>,
                           resampleDown,
                           resampleBlockWide<BlockAvx2>};

}  // namespace cps
