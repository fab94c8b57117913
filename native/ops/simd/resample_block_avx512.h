#pragma once

#include <immintrin.h>

#include "ops/simd/resample_block_avx2.h"

// Note [Rows in lanes] in resample_block.h with multiply-adds of bytes.
namespace cps {
namespace {

// A quad of the window: [channel], each one vector of a quad a row.
class BlockAvx512 {
 public:
  static constexpr int32_t kQuadBytes = 3 * 64;

  explicit BlockAvx512(const ResampleBlock& b)
      : b_(b), half_(_mm512_set1_epi32(1 << (b.bits - 1))), bits_(_mm512_set1_epi32(b.bits)) {}

  void fill(int32_t quad, uint8_t* to) const {
    const int64_t row = 3 * b_.inStride;
    for (int32_t c = 0; c < 3; c++) {
      const uint8_t* in = b_.in + c * b_.inStride + 4 * quad;
      for (int32_t k = 0; k < kResampleFill; k += 4, in += 16) {
        // Rows j, 4 + j, 8 + j and 12 + j, four quads of each.
        __m512i rows[4], quads[4];
        for (int j = 0; j < 4; j++) {
          const auto part = [&](int y) {
            return _mm_load_si128(reinterpret_cast<const __m128i*>(in + (y + j) * row));
          };
          rows[j] = _mm512_inserti32x4(_mm512_castsi128_si512(part(0)), part(4), 1);
          rows[j] = _mm512_inserti32x4(rows[j], part(8), 2);
          rows[j] = _mm512_inserti32x4(rows[j], part(12), 3);
        }
        turn(rows, quads);
        for (int j = 0; j < 4; j++) {
          _mm512_store_si512(to + (k + j) * kQuadBytes + c * 64, quads[j]);
        }
      }
    }
  }

  void four(int32_t i, int32_t n, const uint8_t* quads, bool twelve) const {
    const __m512i together = _mm512_broadcast_i32x4(
        _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
    __m512i pixels[4] = {}, rows[4];
    for (int32_t k = 0; k < n; k++) pixels[k] = pixel(i + k, quads);
    turn(pixels, rows);
    uint8_t* out = b_.out + 3 * int64_t{i};
    const int64_t stride = b_.outStride;
    const int32_t count = b_.rows;
    for (int j = 0; j < 4; j++) {
      const __m512i bytes = _mm512_shuffle_epi8(rows[j], together);
      const auto store = [&](int32_t y, __m128i four) {
        if (y + j < count) BlockAvx2::storePixels(out + (y + j) * stride, four, twelve);
      };
      store(0, _mm512_castsi512_si128(bytes));
      store(4, _mm512_extracti32x4_epi32(bytes, 1));
      store(8, _mm512_extracti32x4_epi32(bytes, 2));
      store(12, _mm512_extracti32x4_epi32(bytes, 3));
    }
  }

 private:
  // Exchanges rows and columns of 4x4 32-bit values in each quarter.
  static void turn(const __m512i in[4], __m512i out[4]) {
    const __m512i a = _mm512_unpacklo_epi32(in[0], in[1]), b = _mm512_unpacklo_epi32(in[2], in[3]);
    const __m512i c = _mm512_unpackhi_epi32(in[0], in[1]), d = _mm512_unpackhi_epi32(in[2], in[3]);
    out[0] = _mm512_unpacklo_epi64(a, b), out[1] = _mm512_unpackhi_epi64(a, b);
    out[2] = _mm512_unpacklo_epi64(c, d), out[3] = _mm512_unpackhi_epi64(c, d);
  }

  // Output i of every row, as bytes r, g, b and one more.
  __m512i pixel(int32_t i, const uint8_t* quads) const {
    const uint8_t* in = quads + (b_.first[i] >> 2) * kQuadBytes;
    const int32_t* weights = b_.quadBytes + int64_t{i} * b_.quads * 2;
    const __m512i zero = _mm512_setzero_si512();
    __m512i lowR = half_, lowG = half_, lowB = half_, highR = zero, highG = zero, highB = zero;
    for (int32_t q = 0; q < b_.quads; q++, in += kQuadBytes, weights += 2) {
      const __m512i high = _mm512_set1_epi32(weights[0]), low = _mm512_set1_epi32(weights[1]);
      const __m512i r = _mm512_load_si512(in), g = _mm512_load_si512(in + 64);
      const __m512i b = _mm512_load_si512(in + 128);
      highR = _mm512_dpbusd_epi32(highR, r, high), lowR = _mm512_dpbusd_epi32(lowR, r, low);
      highG = _mm512_dpbusd_epi32(highG, g, high), lowG = _mm512_dpbusd_epi32(lowG, g, low);
      highB = _mm512_dpbusd_epi32(highB, b, high), lowB = _mm512_dpbusd_epi32(lowB, b, low);
    }
    const auto sum = [&](__m512i high, __m512i low) {
      return _mm512_srav_epi32(_mm512_add_epi32(low, _mm512_slli_epi32(high, 8)), bits_);
    };
    const __m512i r = sum(highR, lowR), g = sum(highG, lowG), b = sum(highB, lowB);
    const __m512i order =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    // Both packs saturate: together they clamp to 0..255.
    const __m512i bytes = _mm512_packus_epi16(_mm512_packs_epi32(r, g), _mm512_packs_epi32(b, b));
    return _mm512_shuffle_epi8(bytes, order);
  }

  const ResampleBlock& b_;
  __m512i half_, bits_;
};

inline void resampleBlockAvx512(const ResampleBlock& b) {
  if (!b.quadBytes) return resampleBlockWide<BlockAvx2>(b);
  resampleBlockWide<BlockAvx512>(b);
}

}  // namespace
}  // namespace cps
