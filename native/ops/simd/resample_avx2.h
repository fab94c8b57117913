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

// Four pixels, each in 32-bit lanes r, g, b, rounded already, as 12 bytes of 16.
inline __m128i packPixels(const __m128i pixels[4]) {
  const __m128i together = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
  // Both packs saturate: together they clamp to 0..255.
  const __m128i bytes = _mm_packus_epi16(_mm_packs_epi32(pixels[0], pixels[1]),
                                         _mm_packs_epi32(pixels[2], pixels[3]));
  return _mm_shuffle_epi8(bytes, together);
}

// Four pixels at a time, whose sums Pixel::at(row, i) makes.
template <class Pixel>
inline void resampleAcrossWide(const ResampleRow& r) {
  const Pixel pixel(r.bits);
  int32_t i = 0;
  for (; i + 4 <= r.count; i += 4) {
    __m128i four[4];
    for (int k = 0; k < 4; k++) four[k] = pixel.at(r, i + k);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(r.out + int64_t{i} * 3), packPixels(four));
  }
  for (; i < r.count; i++) {
    const __m128i alone[4] = {pixel.at(r, i)};
    const int32_t bytes = _mm_cvtsi128_si32(packPixels(alone));
    __builtin_memcpy(r.out + int64_t{i} * 3, &bytes, sizeof bytes);
  }
}

// Four taps a step: bytes of four RGB pixels are brought into pairs of the same channel, two pixels
// to a half of the vector.
class PixelAvx2 {
 public:
  explicit PixelAvx2(int32_t bits)
      : half_(_mm256_setr_epi32(1 << (bits - 1), 1 << (bits - 1), 1 << (bits - 1), 0, 0, 0, 0, 0)),
        bits_(_mm_cvtsi32_si128(bits)) {}

  __m128i at(const ResampleRow& r, int32_t i) const {
    const __m256i pairs =
        _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1, 6, -1, 9, -1, 7,
                         -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
    const __m256i spread = _mm256_setr_epi8(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6,
                                            7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7);
    const int16_t* weights = r.weights + int64_t{i} * r.stride;
    const uint8_t* in = r.in + int64_t{r.first[i]} * 3;
    __m256i sum = half_;
    for (int32_t j = 0; j < r.used[i]; j += 4, in += 12) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in));
      int64_t four;
      __builtin_memcpy(&four, weights + j, sizeof four);
      const __m256i w = _mm256_shuffle_epi8(_mm256_set1_epi64x(four), spread);
      const __m256i words = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bytes), pairs);
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(words, w));
    }
    const __m128i upper = _mm256_extracti128_si256(sum, 1);
    return _mm_sra_epi32(_mm_add_epi32(_mm256_castsi256_si128(sum), upper), bits_);
  }

 private:
  __m256i half_;
  __m128i bits_;
};

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
