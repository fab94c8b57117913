#pragma once

#include <immintrin.h>

#include "ops/simd/rows_math.h"

// YCbCr rows to RGB, 32 pixels at a time (Note [Colour as FFmpeg's scaler]).
namespace cps {
namespace {

struct RgbConstants256 {
  __m256i yOffset, half, round, one;
  __m256i lumaRed, lumaBlue, lumaGreen, greenV;  // pairs for multiply-add
  __m256i cy, green, blueRed;                    // the last two pairs for chroma pairs
  __m128i wrap;
  // Way Table. A step coefficient c as c = 65536 * high + low; a value as index + base +
  // (index * slope + baseLow >> 16), the last sum done as a 16-bit product and a carry.
  struct Step {
    __m256i high, low, zero;
  };
  Step stepRv, stepGu, stepGv, stepBu;
  __m256i roundLuma, roundMean, slope, base, carryFrom;
  __m128i extra, extraAndOne;

  static Step step(int32_t c) {
    return {_mm256_set1_epi16(static_cast<int16_t>(c >> 16)),
            _mm256_set1_epi16(static_cast<int16_t>(c)),
            _mm256_set1_epi16(static_cast<int16_t>(c >> 9))};
  }
  static __m256i pair(int32_t low, int32_t high) {
    return _mm256_set1_epi32(static_cast<int32_t>((static_cast<uint32_t>(low) & 0xffffu) |
                                                  static_cast<uint32_t>(high) << 16));
  }
  explicit RgbConstants256(const ColorCoeffs& c) {
    yOffset = _mm256_set1_epi16(static_cast<int16_t>(c.yOffset));
    half = _mm256_set1_epi16(static_cast<int16_t>(c.half));
    round = _mm256_set1_epi32(1 << (c.shift - 1));
    one = _mm256_set1_epi16(1);
    lumaRed = pair(c.cy, c.rv);
    lumaBlue = pair(c.cy, c.bu);
    lumaGreen = pair(c.cy, c.gu);
    greenV = pair(c.gv, 0);
    cy = _mm256_set1_epi16(static_cast<int16_t>(c.cy));
    green = pair(c.gu, c.gv);
    blueRed = pair(c.bu, c.rv);
    wrap = _mm_cvtsi32_si128(22 - c.shift);
    if (c.way != ColorWay::Table) return;
    stepRv = step(c.tableRv), stepGu = step(c.tableGu), stepGv = step(c.tableGv);
    stepBu = step(c.tableBu);
    const int32_t bits = c.shift - 13;
    roundLuma = _mm256_set1_epi16(static_cast<int16_t>(1 << (bits - 1)));
    roundMean = _mm256_set1_epi16(static_cast<int16_t>(1 << bits));
    extra = _mm_cvtsi32_si128(bits);
    extraAndOne = _mm_cvtsi32_si128(bits + 1);
    // tableCy is 65536 + slope. Where the low half is 0 there is no carry: one less, carried
    // always.
    const int32_t origin = c.tableBase + 32768, low = origin & 0xffff;
    slope = _mm256_set1_epi16(static_cast<int16_t>(c.tableCy - 65536));
    base = _mm256_set1_epi16(static_cast<int16_t>((origin >> 16) - (low ? 0 : 1)));
    carryFrom = _mm256_set1_epi16(static_cast<int16_t>(low ? 0x10000 - low : 0));
  }
};

// 16 samples from x on as 16-bit values less `offset`; `step` 1 or 2 bytes a sample.
template <int kBytes>
inline __m256i samples16(const uint8_t* p, int32_t x, __m128i shift, __m256i offset) {
  __m256i v;
  if constexpr (kBytes == 1) {
    v = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + x)));
  } else {
    v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 2 * static_cast<int64_t>(x)));
    v = _mm256_srl_epi16(v, shift);
  }
  return _mm256_sub_epi16(v, offset);
}

// The 8-bit channels of 16 pixels as 16-bit values, not yet clipped.
struct Words256 {
  __m256i r, g, b;
};

// 8 samples of u and v as 16-bit pairs, to 16 of each: every one twice.
inline void spreadChroma(__m256i uv, __m256i* u, __m256i* v) {
  const __m128i low = _mm_setr_epi8(0, 1, 0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13);
  const __m128i high = _mm_setr_epi8(2, 3, 2, 3, 6, 7, 6, 7, 10, 11, 10, 11, 14, 15, 14, 15);
  *u = _mm256_shuffle_epi8(uv, _mm256_broadcastsi128_si256(low));
  *v = _mm256_shuffle_epi8(uv, _mm256_broadcastsi128_si256(high));
}

// Way Floor: products rounded down one by one, as the high half of (8 * x) * coefficient; those of
// chroma before a sample is spread over two pixels.
inline Words256 convertFloor(const RgbConstants256& k, __m256i y, __m256i uv) {
  const auto product = [](__m256i x, __m256i coefficient) {
    return _mm256_mulhi_epi16(_mm256_slli_epi16(x, 3), coefficient);
  };
  const __m128i other = _mm_setr_epi8(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
  const __m256i luma = product(y, k.cy), green = product(uv, k.green);
  __m256i blue, red;
  spreadChroma(product(uv, k.blueRed), &blue, &red);
  const __m256i both =
      _mm256_add_epi16(green, _mm256_shuffle_epi8(green, _mm256_broadcastsi128_si256(other)));
  return {_mm256_add_epi16(luma, red), _mm256_add_epi16(luma, both), _mm256_add_epi16(luma, blue)};
}

// Way Table, from stored samples; `above`: the chroma to take the mean with.
inline Words256 convertTable(const RgbConstants256& k, __m256i y, __m256i uv, __m256i above) {
  y = _mm256_srl_epi16(_mm256_add_epi16(y, k.roundLuma), k.extra);
  uv = _mm256_srl_epi16(_mm256_add_epi16(_mm256_add_epi16(uv, above), k.roundMean), k.extraAndOne);
  uv = _mm256_min_epi16(uv, _mm256_set1_epi16(255));
  __m256i u, v;
  spreadChroma(uv, &u, &v);
  const auto step = [](__m256i x, const RgbConstants256::Step& c) {
    return _mm256_sub_epi16(
        _mm256_add_epi16(_mm256_mullo_epi16(x, c.high), _mm256_mulhi_epu16(x, c.low)), c.zero);
  };
  const auto value = [&](__m256i index) {
    const __m256i low = _mm256_mullo_epi16(index, k.slope);
    const __m256i carry = _mm256_cmpeq_epi16(_mm256_max_epu16(low, k.carryFrom), low);
    const __m256i sum = _mm256_add_epi16(index, _mm256_mulhi_epi16(index, k.slope));
    return _mm256_sub_epi16(_mm256_add_epi16(sum, k.base), carry);
  };
  const __m256i green = _mm256_add_epi16(step(u, k.stepGu), step(v, k.stepGv));
  return {value(_mm256_add_epi16(y, step(v, k.stepRv))), value(_mm256_add_epi16(y, green)),
          value(_mm256_add_epi16(y, step(u, k.stepBu)))};
}

inline Words256 convertFull(const RgbConstants256& k, __m256i y, __m256i u, __m256i v) {
  const auto finish = [&](__m256i lo, __m256i hi) {
    // Note [Wrapped sums]
    const auto wrapped = [&](__m256i sum) {
      return _mm256_srai_epi32(_mm256_sll_epi32(_mm256_add_epi32(sum, k.round), k.wrap), 22);
    };
    return _mm256_packs_epi32(wrapped(lo), wrapped(hi));
  };
  const __m256i yuLo = _mm256_unpacklo_epi16(y, u), yuHi = _mm256_unpackhi_epi16(y, u);
  const __m256i yvLo = _mm256_unpacklo_epi16(y, v), yvHi = _mm256_unpackhi_epi16(y, v);
  const __m256i zero = _mm256_setzero_si256();
  const __m256i vLo = _mm256_madd_epi16(_mm256_unpacklo_epi16(v, zero), k.greenV);
  const __m256i vHi = _mm256_madd_epi16(_mm256_unpackhi_epi16(v, zero), k.greenV);
  return {finish(_mm256_madd_epi16(yvLo, k.lumaRed), _mm256_madd_epi16(yvHi, k.lumaRed)),
          finish(_mm256_add_epi32(_mm256_madd_epi16(yuLo, k.lumaGreen), vLo),
                 _mm256_add_epi32(_mm256_madd_epi16(yuHi, k.lumaGreen), vHi)),
          finish(_mm256_madd_epi16(yuLo, k.lumaBlue), _mm256_madd_epi16(yuHi, k.lumaBlue))};
}

// 16 pixels of each 128-bit lane to 48 bytes of RGB: the first lane's at out, the second's behind.
inline void storeRgb32(uint8_t* out, __m256i r, __m256i g, __m256i b) {
  const auto shuffle = [](__m256i v, __m128i order) {
    return _mm256_shuffle_epi8(v, _mm256_broadcastsi128_si256(order));
  };
  constexpr char n = -1;
  const __m128i r0 = _mm_setr_epi8(0, n, n, 1, n, n, 2, n, n, 3, n, n, 4, n, n, 5);
  const __m128i g0 = _mm_setr_epi8(n, 0, n, n, 1, n, n, 2, n, n, 3, n, n, 4, n, n);
  const __m128i b0 = _mm_setr_epi8(n, n, 0, n, n, 1, n, n, 2, n, n, 3, n, n, 4, n);
  const __m128i r1 = _mm_setr_epi8(n, n, 6, n, n, 7, n, n, 8, n, n, 9, n, n, 10, n);
  const __m128i g1 = _mm_setr_epi8(5, n, n, 6, n, n, 7, n, n, 8, n, n, 9, n, n, 10);
  const __m128i b1 = _mm_setr_epi8(n, 5, n, n, 6, n, n, 7, n, n, 8, n, n, 9, n, n);
  const __m128i r2 = _mm_setr_epi8(n, 11, n, n, 12, n, n, 13, n, n, 14, n, n, 15, n, n);
  const __m128i g2 = _mm_setr_epi8(n, n, 11, n, n, 12, n, n, 13, n, n, 14, n, n, 15, n);
  const __m128i b2 = _mm_setr_epi8(10, n, n, 11, n, n, 12, n, n, 13, n, n, 14, n, n, 15);
  const auto merge = [&](__m128i ro, __m128i go, __m128i bo) {
    return _mm256_or_si256(_mm256_or_si256(shuffle(r, ro), shuffle(g, go)), shuffle(b, bo));
  };
  const __m256i part[3] = {merge(r0, g0, b0), merge(r1, g1, b1), merge(r2, g2, b2)};
  for (int i = 0; i < 3; i++) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i * 16), _mm256_castsi256_si128(part[i]));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 48 + i * 16),
                     _mm256_extracti128_si256(part[i], 1));
  }
}

enum class ChromaKind { Full, HalfPlanar, HalfSemi };

// 8 chroma samples from pixel x on, as 16-bit pairs.
template <int kBytes, ChromaKind kChroma>
inline __m256i chromaPairs(const uint8_t* u, const uint8_t* v, int32_t x, __m128i shift) {
  if constexpr (kChroma == ChromaKind::HalfSemi) {
    return samples16<kBytes>(u, x, shift, _mm256_setzero_si256());
  } else if constexpr (kBytes == 1) {
    const __m128i a = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(u + x / 2));
    const __m128i b = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(v + x / 2));
    return _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b));
  } else {
    const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(u + x));
    const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(v + x));
    return _mm256_srl_epi16(_mm256_set_m128i(_mm_unpackhi_epi16(a, b), _mm_unpacklo_epi16(a, b)),
                            shift);
  }
}

template <int kBytes, ChromaKind kChroma>
inline Words256 pixels16(const RgbRow& r, const RgbConstants256& k, int32_t x) {
  const __m128i shift = _mm_cvtsi32_si128(r.shift[0]);
  if constexpr (kChroma == ChromaKind::Full) {
    return convertFull(k, samples16<kBytes>(r.plane[0], x, shift, k.yOffset),
                       samples16<kBytes>(r.plane[1], x, shift, k.half),
                       samples16<kBytes>(r.plane[2], x, shift, k.half));
  } else {
    const __m256i uv = chromaPairs<kBytes, kChroma>(r.plane[1], r.plane[2], x, shift);
    if constexpr (kBytes == 1) {
      return convertFloor(k, samples16<1>(r.plane[0], x, shift, k.yOffset),
                          _mm256_sub_epi16(uv, k.half));
    } else {
      const __m256i above =
          r.above[0] ? chromaPairs<2, kChroma>(r.above[0], r.above[1], x, shift) : uv;
      return convertTable(k, samples16<2>(r.plane[0], x, shift, _mm256_setzero_si256()), uv, above);
    }
  }
}

template <int kBytes, ChromaKind kChroma>
int32_t rgbVectors(const RgbRow& r, int32_t x) {
  const RgbConstants256 k(*r.coeffs);
  for (; x + 32 <= r.count; x += 32) {
    const Words256 a = pixels16<kBytes, kChroma>(r, k, x);
    const Words256 b = pixels16<kBytes, kChroma>(r, k, x + 16);
    const auto pack = [](__m256i first, __m256i second) {
      return _mm256_permute4x64_epi64(_mm256_packus_epi16(first, second), 0xd8);
    };
    const __m256i red = pack(a.r, b.r), green = pack(a.g, b.g), blue = pack(a.b, b.b);
    if (r.outPlane) {
      const auto store = [&](int64_t plane, __m256i v) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(r.out + plane * r.outPlane + x), v);
      };
      store(0, red), store(1, green), store(2, blue);
    } else {
      storeRgb32(r.out + int64_t{x} * 3, red, green, blue);
    }
  }
  return x;
}

// Which vector loop takes this row; -1: none.
inline int32_t rgbLoop(const RgbRow& r) {
  const int32_t bytes = r.bitDepth > 8 ? 2 : 1;
  // 16-bit words must hold differences, and for way Table the sum of two samples.
  const int32_t deepest = r.coeffs->way == ColorWay::Table ? 14 : 15;
  if (r.coeffs->planar3 != 1 || r.bitDepth > deepest || r.step[0] != bytes) return -1;
  if (bytes == 2 && (r.shift[1] != r.shift[0] || r.shift[2] != r.shift[0])) return -1;
  const bool planar = r.step[1] == bytes && r.step[2] == bytes;
  const bool semi =
      r.step[1] == 2 * bytes && r.step[2] == 2 * bytes && r.plane[2] == r.plane[1] + bytes;
  if (r.log2ChromaW == 0 && planar) return static_cast<int32_t>(ChromaKind::Full);
  if (r.log2ChromaW == 1 && planar) return static_cast<int32_t>(ChromaKind::HalfPlanar);
  if (r.log2ChromaW == 1 && semi) return static_cast<int32_t>(ChromaKind::HalfSemi);
  return -1;
}

// From pixel `done` on, a multiple of 32.
inline void rgbRowFrom(const RgbRow& r, int32_t done) {
  const bool wide = r.bitDepth > 8;
  switch (rgbLoop(r)) {
    case static_cast<int32_t>(ChromaKind::Full):
      done = wide ? rgbVectors<2, ChromaKind::Full>(r, done)
                  : rgbVectors<1, ChromaKind::Full>(r, done);
      break;
    case static_cast<int32_t>(ChromaKind::HalfPlanar):
      done = wide ? rgbVectors<2, ChromaKind::HalfPlanar>(r, done)
                  : rgbVectors<1, ChromaKind::HalfPlanar>(r, done);
      break;
    case static_cast<int32_t>(ChromaKind::HalfSemi):
      done = wide ? rgbVectors<2, ChromaKind::HalfSemi>(r, done)
                  : rgbVectors<1, ChromaKind::HalfSemi>(r, done);
      break;
    default:
      break;
  }
  rgbRowPlain(r, done, r.count);
}

inline void rgbRowAvx2(const RgbRow& r) { rgbRowFrom(r, 0); }

}  // namespace
}  // namespace cps
