#pragma once

#include <immintrin.h>

#include "ops/simd/resample_block.h"

// Note [Rows in lanes] in resample_block.h with multiply-adds of 16-bit values.
namespace cps {
namespace {

// A quad of the window: [channel][rows 0..7, 8..15][samples 0 and 2, 1 and 3], each one vector of
// two 16-bit samples a row.
class BlockAvx2 {
 public:
  static constexpr int32_t kQuadBytes = 3 * 2 * 2 * 32;

  explicit BlockAvx2(const ResampleBlock& b)
      : b_(b), half_(_mm256_set1_epi32(1 << (b.bits - 1))), bits_(_mm256_set1_epi32(b.bits)) {}

  void fill(int32_t quad, uint8_t* to) const {
    const int64_t row = 3 * b_.inStride;
    for (int32_t c = 0; c < 3; c++) {
      for (int32_t h = 0; h < 2; h++) {
        const uint8_t* in = b_.in + c * b_.inStride + 8 * h * row + 4 * quad;
        uint8_t* at = to + c * 128 + h * 64;
        for (int32_t k = 0; k < kResampleFill; k += 4, in += 16) {
          // Rows j and 4 + j, four quads of each.
          __m256i rows[4], quads[4];
          for (int j = 0; j < 4; j++) {
            const auto* low = reinterpret_cast<const __m128i*>(in + j * row);
            const auto* high = reinterpret_cast<const __m128i*>(in + (4 + j) * row);
            rows[j] = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(low)),
                                              _mm_loadu_si128(high), 1);
          }
          turn(rows, quads);
          for (int j = 0; j < 4; j++) {
            auto* out = reinterpret_cast<__m256i*>(at + (k + j) * kQuadBytes);
            _mm256_store_si256(out, _mm256_and_si256(quads[j], _mm256_set1_epi16(0xff)));
            _mm256_store_si256(out + 1, _mm256_srli_epi16(quads[j], 8));
          }
        }
      }
    }
  }

  void four(int32_t i, int32_t n, const uint8_t* quads, bool twelve) const {
    __m256i pixels[2][4] = {};
    for (int32_t k = 0; k < n; k++) pixel(i + k, quads, &pixels[0][k], &pixels[1][k]);
    uint8_t* out = b_.out + 3 * int64_t{i};
    const int64_t stride = b_.outStride;
    const int32_t count = b_.rows;
    for (int32_t h = 0; h < 2; h++) {
      const __m256i together = _mm256_broadcastsi128_si256(
          _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
      __m256i rows[4];
      turn(pixels[h], rows);
      for (int j = 0; j < 4; j++) {
        const __m256i bytes = _mm256_shuffle_epi8(rows[j], together);
        const int32_t y = 8 * h + j;
        if (y < count) storePixels(out + y * stride, _mm256_castsi256_si128(bytes), twelve);
        if (y + 4 < count) {
          storePixels(out + (y + 4) * stride, _mm256_extracti128_si256(bytes, 1), twelve);
        }
      }
    }
  }

  // Four pixels of a row; `twelve`: what is behind them has been written already.
  static void storePixels(uint8_t* out, __m128i pixels, bool twelve) {
    if (!twelve) return _mm_storeu_si128(reinterpret_cast<__m128i*>(out), pixels);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out), pixels);
    const int32_t rest = _mm_extract_epi32(pixels, 2);
    __builtin_memcpy(out + 8, &rest, sizeof rest);
  }

 private:
  // Exchanges rows and columns of 4x4 32-bit values in each half.
  static void turn(const __m256i in[4], __m256i out[4]) {
    const __m256i a = _mm256_unpacklo_epi32(in[0], in[1]), b = _mm256_unpacklo_epi32(in[2], in[3]);
    const __m256i c = _mm256_unpackhi_epi32(in[0], in[1]), d = _mm256_unpackhi_epi32(in[2], in[3]);
    out[0] = _mm256_unpacklo_epi64(a, b), out[1] = _mm256_unpackhi_epi64(a, b);
    out[2] = _mm256_unpacklo_epi64(c, d), out[3] = _mm256_unpackhi_epi64(c, d);
  }

  // Output i of rows 0..7 and 8..15, as bytes r, g, b and one more.
  void pixel(int32_t i, const uint8_t* quads, __m256i* low, __m256i* high) const {
    const auto* in = reinterpret_cast<const __m256i*>(quads + (b_.first[i] >> 2) * kQuadBytes);
    const int32_t* weights = b_.quadWords + int64_t{i} * b_.quads * 2;
    __m256i sum[6] = {half_, half_, half_, half_, half_, half_};
    for (int32_t q = 0; q < b_.quads; q++, in += 12, weights += 2) {
      const __m256i even = _mm256_set1_epi32(weights[0]), odd = _mm256_set1_epi32(weights[1]);
      for (int k = 0; k < 6; k++) {
        sum[k] = _mm256_add_epi32(sum[k], _mm256_madd_epi16(in[2 * k], even));
        sum[k] = _mm256_add_epi32(sum[k], _mm256_madd_epi16(in[2 * k + 1], odd));
      }
    }
    for (__m256i& s : sum) s = _mm256_srav_epi32(s, bits_);
    *low = together(sum[0], sum[2], sum[4]);
    *high = together(sum[1], sum[3], sum[5]);
  }

  static __m256i together(__m256i r, __m256i g, __m256i b) {
    const __m256i order = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    // Both packs saturate: together they clamp to 0..255.
    const __m256i bytes = _mm256_packus_epi16(_mm256_packs_epi32(r, g), _mm256_packs_epi32(b, b));
    return _mm256_shuffle_epi8(bytes, order);
  }

  const ResampleBlock& b_;
  __m256i half_, bits_;
};

}  // namespace
}  // namespace cps
