#include <immintrin.h>

#include "ops/simd/energy_plain.h"
#include "ops/simd/match_order.h"
#include "ops/simd/match_result.h"
#include "ops/simd/refine_x86.h"
#include "ops/simd/resample_avx2.h"
#include "ops/simd/resample_block_avx512.h"
#include "ops/simd/resize_impl.h"
#include "ops/simd/rgb_avx512.h"
#include "ops/simd/vec_avx512.h"

namespace cps {
namespace {

constexpr MatchOrder kOrder = makeMatchOrder();

void cells8(const uint8_t* src, int64_t stride, int32_t cell, int32_t count, uint8_t* out) {
  const __m512i ones8 = _mm512_set1_epi8(1);
  int32_t i = 0;
  if (cell == 4) {
    for (; i + 16 <= count; i += 16) {
      __m512i sum = _mm512_set1_epi32(8);
      for (int y = 0; y < 4; y++) {
        sum = _mm512_dpbusd_epi32(sum, _mm512_loadu_si512(src + y * stride + i * 4), ones8);
      }
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i),
                       _mm512_cvtepi32_epi8(_mm512_srli_epi32(sum, 4)));
    }
  } else if (cell == 2) {
    for (; i + 32 <= count; i += 32) {
      const __m512i sum =
          _mm512_add_epi16(_mm512_maddubs_epi16(_mm512_loadu_si512(src + i * 2), ones8),
                           _mm512_maddubs_epi16(_mm512_loadu_si512(src + stride + i * 2), ones8));
      const __m512i mean = _mm512_srli_epi16(_mm512_add_epi16(sum, _mm512_set1_epi16(2)), 2);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), _mm512_cvtepi16_epi8(mean));
    }
  } else if (cell == 1) {
    for (; i + 64 <= count; i += 64) {
      _mm512_storeu_si512(out + i, _mm512_loadu_si512(src + i));
    }
  }
  cells8Plain(src, stride, cell, i, count, out);
}

void cells16(const uint8_t* src, int64_t stride, int32_t cell, int32_t bitDepth, int32_t shift,
             int32_t count, uint8_t* out) {
  int32_t i = 0;
  if (cell == 4 && bitDepth <= 12) {  // sums of four samples stay below 2^15
    const __m512i ones16 = _mm512_set1_epi16(1), half = _mm512_set1_epi64(8 << (bitDepth - 8));
    const __m128i stored = _mm_cvtsi32_si128(shift), scale = _mm_cvtsi32_si128(bitDepth - 4);
    for (; i + 8 <= count; i += 8) {
      __m512i sum = _mm512_setzero_si512();
      for (int y = 0; y < 4; y++) {
        const __m512i row = _mm512_loadu_si512(src + y * stride + i * 8);
        sum = _mm512_add_epi16(sum, _mm512_srl_epi16(row, stored));
      }
      sum = _mm512_madd_epi16(sum, ones16);
      sum = _mm512_add_epi32(sum, _mm512_srli_epi64(sum, 32));
      sum = _mm512_and_si512(sum, _mm512_set1_epi64(0xffffffff));
      const __m512i mean = _mm512_srl_epi64(_mm512_add_epi64(sum, half), scale);
      _mm_storel_epi64(reinterpret_cast<__m128i*>(out + i), _mm512_cvtusepi64_epi8(mean));
    }
  }
  cells16Plain(src, stride, cell, bitDepth, shift, i, count, out);
}

template <int kRows>
void matchRows(const MatchRow& row) {
  const __m512i ones8 = _mm512_set1_epi8(1);
  for (int32_t x = 0; x < row.cols; x += 64) {
    const int32_t left = minInt(row.cols - x, 64);
    const __mmask64 inside = ~uint64_t{0} >> (64 - left);
    __m512i cur[kRows];
    for (int y = 0; y < kRows; y++) {
      cur[y] = _mm512_loadu_si512(row.cur + y * row.curStride + x);
    }
    __m512i best = _mm512_set1_epi32(INT32_MAX);
    for (int32_t rank = 0; rank < kMatchCandidates; rank++) {
      if (kOrder.checkBefore[rank] &&
          !_mm512_cmpgt_epi32_mask(best, _mm512_set1_epi32(kOrder.floorKey[rank]))) {
        break;
      }
      const uint8_t* p =
          row.prev + x - kOrder.candidates.dy[rank] * row.prevStride - kOrder.candidates.dx[rank];
      __m512i sad = _mm512_setzero_si512();
      for (int y = 0; y < kRows; y++) {
        const __m512i prev = _mm512_loadu_si512(p + y * row.prevStride);
        const __m512i d = _mm512_maskz_sub_epi8(inside, _mm512_max_epu8(cur[y], prev),
                                                _mm512_min_epu8(cur[y], prev));
        sad = _mm512_dpbusd_epi32(sad, d, ones8);
      }
      const __m512i key = _mm512_add_epi32(_mm512_slli_epi32(sad, kMatchRankBits),
                                           _mm512_set1_epi32(kOrder.addend[rank]));
      best = _mm512_min_epi32(best, key);
    }
    alignas(64) int32_t keys[16];
    _mm512_store_si512(keys, best);
    // Blocks outside the picture have random ranks and are not looked at.
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
  // GCC 12 forgets it (Note [Upper halves] in test/native/ops/checked_table.h).
  _mm256_zeroupper();
}

// Eight taps a step: bytes of eight RGB pixels are brought into pairs of the same channel, two
// pixels to a quarter of the vector, one permutation for each vector of them.
class PixelAvx512 {
 public:
  explicit PixelAvx512(int32_t bits)
      : half_(_mm512_maskz_set1_epi32(0x7, 1 << (bits - 1))), bits_(_mm_cvtsi32_si128(bits)) {
    alignas(64) uint8_t bytes[64] = {};
    for (int32_t lane = 0; lane < 16; lane++) {
      const int32_t pair = lane / 4, channel = lane % 4;
      if (channel == 3) continue;
      for (int32_t k = 0; k < 2; k++) {
        bytes[4 * lane + 2 * k] = static_cast<uint8_t>((2 * pair + k) * 3 + channel);
        low_ |= uint64_t{1} << (4 * lane + 2 * k);
      }
    }
    pairs_ = _mm512_load_si512(bytes);
  }

  __m128i at(const ResampleRow& r, int32_t i) const {
    const __m512i spread = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
    const int16_t* weights = r.weights + int64_t{i} * r.stride;
    const uint8_t* in = r.in + int64_t{r.first[i]} * 3;
    __m512i sum = half_;
    for (int32_t j = 0; j < r.used[i]; j += 8, in += 24) {
      const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in));
      const __m512i words =
          _mm512_maskz_permutexvar_epi8(low_, pairs_, _mm512_castsi256_si512(bytes));
      const __m128i eight = _mm_loadu_si128(reinterpret_cast<const __m128i*>(weights + j));
      const __m512i w = _mm512_permutexvar_epi32(spread, _mm512_castsi128_si512(eight));
      sum = _mm512_dpwssd_epi32(sum, words, w);
    }
    const __m256i two =
        _mm256_add_epi32(_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64(sum, 1));
    const __m128i upper = _mm256_extracti128_si256(two, 1);
    return _mm_sra_epi32(_mm_add_epi32(_mm256_castsi256_si128(two), upper), bits_);
  }

 private:
  __m512i pairs_, half_;
  __m128i bits_;
  __mmask64 low_ = 0;
};

// 64 samples at a time, two rows a step.
void resampleDown(const ResampleColumn& r) {
  const __m512i half = _mm512_set1_epi32(1 << (r.bits - 1));
  const __m128i bits = _mm_cvtsi32_si128(r.bits);
  int32_t i = 0;
  for (; i + 64 <= r.count; i += 64) {
    __m512i sum[4];
    for (__m512i& s : sum) s = _mm512_setzero_si512();
    const uint8_t* in = r.in + i;
    for (int32_t j = 0; j < r.used; j += 2, in += 2 * r.inStride) {
      // The second row of the last pair may not be there; its weight is 0.
      const bool two = j + 1 < r.used;
      const uint8_t* next = two ? in + r.inStride : in;
      const __m512i w = _mm512_set1_epi32(weightPair(r.weights[j], two ? r.weights[j + 1] : 0));
      const __m512i a = _mm512_loadu_si512(in), b = _mm512_loadu_si512(next);
      const __m512i zero = _mm512_setzero_si512();
      // Within each quarter: bytes 0..7 and 8..15, then each as four and four pairs.
      const __m512i low = _mm512_unpacklo_epi8(a, b), high = _mm512_unpackhi_epi8(a, b);
      sum[0] = _mm512_add_epi32(sum[0], _mm512_madd_epi16(_mm512_unpacklo_epi8(low, zero), w));
      sum[1] = _mm512_add_epi32(sum[1], _mm512_madd_epi16(_mm512_unpackhi_epi8(low, zero), w));
      sum[2] = _mm512_add_epi32(sum[2], _mm512_madd_epi16(_mm512_unpacklo_epi8(high, zero), w));
      sum[3] = _mm512_add_epi32(sum[3], _mm512_madd_epi16(_mm512_unpackhi_epi8(high, zero), w));
    }
    for (__m512i& s : sum) s = _mm512_sra_epi32(_mm512_add_epi32(s, half), bits);
    // Packing works within quarters too, which puts everything back.
    const __m512i words = _mm512_packs_epi32(sum[0], sum[1]);
    const __m512i more = _mm512_packs_epi32(sum[2], sum[3]);
    _mm512_storeu_si512(r.out + i, _mm512_packus_epi16(words, more));
  }
  resampleDownAvx2(r, i);
}

}  // namespace

const OpsTable kAvx512Ops = {"avx512",
                             cells8,
                             cells16,
                             matchRow,
                             refineRowX86,
                             addDifferencesAvx2,
                             rgbRowAvx512,
                             resizeRowsWide<Avx512>,
                             resizeLumaWide<Avx512>,
                             castValuesWide<Avx512>,
                             referenceMatchRowWide<Avx512>,
                             lerpColumnsPlain,
                             energyRowPlain,
                             resampleAcrossWide<PixelAvx512>,
                             resampleDown,
                             resampleBlockAvx512};

}  // namespace cps
