#pragma once

#include <immintrin.h>

#include <cstdint>

namespace cps {
namespace {

// 16 lanes of AVX-512, in the words resize_impl.h uses.
struct Avx512 {
  static constexpr int32_t kLanes = 16;
  using I = __m512i;
  using F = __m512;

  static I set1(int32_t v) { return _mm512_set1_epi32(v); }
  static I load(const int32_t* p) { return _mm512_loadu_si512(p); }
  static I gather(const uint8_t* base, I offset) { return _mm512_i32gather_epi32(offset, base, 1); }
  static I add(I a, I b) { return _mm512_add_epi32(a, b); }
  static I sub(I a, I b) { return _mm512_sub_epi32(a, b); }
  static I mul(I a, I b) { return _mm512_mullo_epi32(a, b); }
  static I and_(I a, I b) { return _mm512_and_si512(a, b); }
  static I or_(I a, I b) { return _mm512_or_si512(a, b); }
  static I shiftRight(I a, I bits) { return _mm512_srlv_epi32(a, bits); }
  static I shiftLeft16(I a) { return _mm512_slli_epi32(a, 16); }
  static I multiplyAdd16(I a, I b) { return _mm512_madd_epi16(a, b); }
  static I shiftLeft(I a, int32_t bits) { return _mm512_sll_epi32(a, _mm_cvtsi32_si128(bits)); }
  static I shiftRightSigned(I a, int32_t bits) {
    return _mm512_sra_epi32(a, _mm_cvtsi32_si128(bits));
  }
  static I min255(I a) { return _mm512_min_epi32(a, _mm512_set1_epi32(255)); }
  static I clip255(I a) {
    return _mm512_min_epi32(_mm512_max_epi32(a, _mm512_setzero_si512()), _mm512_set1_epi32(255));
  }
  static F toFloat(I a) { return _mm512_cvtepi32_ps(a); }

  static F set1(float v) { return _mm512_set1_ps(v); }
  static F load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, F v) { _mm512_storeu_ps(p, v); }
  static F add(F a, F b) { return _mm512_add_ps(a, b); }
  static F sub(F a, F b) { return _mm512_sub_ps(a, b); }
  static F mul(F a, F b) { return _mm512_mul_ps(a, b); }
  static F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  static F div(F a, F b) { return _mm512_div_ps(a, b); }
  static F abs(F a) { return _mm512_abs_ps(a); }
  // Where d < best: best = d, value = v.
  static void takeSmaller(F d, F v, F* best, F* value) {
    const __mmask16 less = _mm512_cmp_ps_mask(d, *best, _CMP_LT_OQ);
    *best = _mm512_mask_mov_ps(*best, less, d);
    *value = _mm512_mask_mov_ps(*value, less, v);
  }

  // As floatToU8; max takes its second operand when the first is NaN.
  static void storeU8(uint8_t* p, F v) {
    v = _mm512_min_ps(_mm512_max_ps(v, _mm512_setzero_ps()), _mm512_set1_ps(255.0f));
    const I whole = _mm512_cvttps_epi32(v);
    const F rest = _mm512_sub_ps(v, _mm512_cvtepi32_ps(whole));
    const __mmask16 up = _mm512_cmp_ps_mask(rest, _mm512_set1_ps(0.5f), _CMP_GE_OQ);
    const I value = _mm512_mask_add_epi32(whole, up, whole, _mm512_set1_epi32(1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(value));
  }
  static void storeF16(uint16_t* p, F v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
  static void storeBf16(uint16_t* p, F v) {
    const I bits = _mm512_castps_si512(v);
    const I odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    I rounded = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    rounded = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16)));
  }
};

}  // namespace
}  // namespace cps
