#pragma once

#include <immintrin.h>

#include "ops/simd/resample_plain.h"

// Note [Antialiased resize] in pixels/resample_math.h with multiply-adds of pairs of taps.
namespace cps {
namespace {

inline __m128i packResampled(__m256i sum, __m256i half, __m128i bits) {
  const __m256i v = _mm256_sra_epi32(_mm256_add_epi32(sum, half), bits);
  // Both packs saturate: together they clamp to 0..255.
  return _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
}

inline int32_t weightPair(int16_t first, int16_t second) {
  return static_cast<int32_t>(static_cast<uint32_t>(static_cast<uint16_t>(second)) << 16 |
                              static_cast<uint16_t>(first));
}

// Four taps a step: bytes of four RGB pixels are brought into pairs of the same channel, two pixels
// to a half of the vector.
inline void resampleAcrossAvx2(const ResampleRow& r) {
  const __m128i pairs = _mm_setr_epi8(0, 3, 1, 4, 2, 5, -1, -1, 6, 9, 7, 10, 8, 11, -1, -1);
  const __m256i spread = _mm256_setr_epi8(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6,
                                          7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7);
  const __m128i half = _mm_set1_epi32(1 << (r.bits - 1)), bits = _mm_cvtsi32_si128(r.bits);
  for (int32_t i = 0; i < r.count; i++) {
    const int16_t* weights = r.weights + static_cast<int64_t>(i) * r.stride;
    const uint8_t* in = r.in + static_cast<int64_t>(r.first[i]) * 3;
    __m256i sum = _mm256_setzero_si256();
    for (int32_t j = 0; j < r.used[i]; j += 4, in += 12) {
      const __m128i bytes =
          _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(in)), pairs);
      int64_t four;
      __builtin_memcpy(&four, weights + j, sizeof four);
      const __m256i w = _mm256_shuffle_epi8(_mm256_set1_epi64x(four), spread);
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_cvtepu8_epi16(bytes), w));
    }
    const __m128i both =
        _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    const __m128i v = _mm_sra_epi32(_mm_add_epi32(both, half), bits);
    const __m128i words = _mm_packs_epi32(v, v);
    const int32_t pixel = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
    __builtin_memcpy(r.out + static_cast<int64_t>(i) * 3, &pixel, sizeof pixel);
  }
}

// 32 samples at a time, two rows a step.
inline void resampleDownAvx2(const ResampleColumn& r, int32_t begin) {
  const __m256i half = _mm256_set1_epi32(1 << (r.bits - 1));
  const __m128i bits = _mm_cvtsi32_si128(r.bits);
  int32_t i = begin;
  for (; i + 32 <= r.count; i += 32) {
    __m256i sum[4];
    for (__m256i& s : sum) s = _mm256_setzero_si256();
    const uint8_t* in = r.in + i;
    for (int32_t j = 0; j < r.used; j += 2, in += 2 * r.inStride) {
      // The second row of the last pair may not be there; its weight is 0.
      const bool two = j + 1 < r.used;
      const uint8_t* next = two ? in + r.inStride : in;
      const __m256i w = _mm256_set1_epi32(weightPair(r.weights[j], two ? r.weights[j + 1] : 0));
      for (int k = 0; k < 2; k++) {
        const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + 16 * k));
        const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(next + 16 * k));
        const __m256i low = _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b));
        const __m256i high = _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(a, b));
        sum[2 * k] = _mm256_add_epi32(sum[2 * k], _mm256_madd_epi16(low, w));
        sum[2 * k + 1] = _mm256_add_epi32(sum[2 * k + 1], _mm256_madd_epi16(high, w));
      }
    }
    for (int k = 0; k < 2; k++) {
      const __m128i bytes = _mm_packus_epi16(packResampled(sum[2 * k], half, bits),
                                             packResampled(sum[2 * k + 1], half, bits));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(r.out + i + 16 * k), bytes);
    }
  }
  resampleDownPlain(r, i);
}

}  // namespace
}  // namespace cps
