#pragma once

#include <immintrin.h>

#include "ops/simd/rgb_avx2.h"

namespace cps {
namespace {

// Way Floor, 8-bit planar with chroma of half the width, to planes: 64 pixels at a time. Words of
// pixels lie as unpacking leaves them, eight in each quarter, and packing puts them back. Returns
// how many pixels are done.
inline int32_t rgbPlanesFloor(const RgbRow& r) {
  const auto all = [](int32_t v) { return _mm512_set1_epi16(static_cast<int16_t>(v)); };
  const ColorCoeffs& c = *r.coeffs;
  const __m512i offset = all(c.yOffset), half = all(c.half), zero = _mm512_setzero_si512();
  const __m512i cy = all(c.cy), rv = all(c.rv), gu = all(c.gu), gv = all(c.gv), bu = all(c.bu);
  const auto eightfold = [](__m512i v, __m512i less) {
    return _mm512_slli_epi16(_mm512_sub_epi16(v, less), 3);
  };
  const auto chroma = [&](const uint8_t* p) {
    return eightfold(_mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))),
                     half);
  };
  int32_t x = 0;
  for (; x + 64 <= r.count; x += 64) {
    const __m512i y = _mm512_loadu_si512(r.plane[0] + x);
    const __m512i low = _mm512_mulhi_epi16(eightfold(_mm512_unpacklo_epi8(y, zero), offset), cy);
    const __m512i high = _mm512_mulhi_epi16(eightfold(_mm512_unpackhi_epi8(y, zero), offset), cy);
    const __m512i u = chroma(r.plane[1] + x / 2), v = chroma(r.plane[2] + x / 2);
    // `term` is that of two pixels side by side.
    const auto store = [&](int64_t plane, __m512i term) {
      const __m512i first = _mm512_add_epi16(low, _mm512_unpacklo_epi16(term, term));
      const __m512i second = _mm512_add_epi16(high, _mm512_unpackhi_epi16(term, term));
      _mm512_storeu_si512(r.out + plane * r.outPlane + x, _mm512_packus_epi16(first, second));
    };
    store(0, _mm512_mulhi_epi16(v, rv));
    store(1, _mm512_add_epi16(_mm512_mulhi_epi16(u, gu), _mm512_mulhi_epi16(v, gv)));
    store(2, _mm512_mulhi_epi16(u, bu));
  }
  return x;
}

inline void rgbRowAvx512(const RgbRow& r) {
  const bool floor = r.outPlane != 0 && r.bitDepth <= 8 && r.coeffs->way == ColorWay::Floor &&
                     rgbLoop(r) == static_cast<int32_t>(ChromaKind::HalfPlanar);
  rgbRowFrom(r, floor ? rgbPlanesFloor(r) : 0);
}

}  // namespace
}  // namespace cps
