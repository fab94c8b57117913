#pragma once

#include <immintrin.h>

#include <cstdint>

namespace cps {
namespace {

// 8 lanes of AVX2, in the words resize_impl.h uses.
struct Avx2 {
  static constexpr int32_t kLanes = 8;
  using I = __m256i;
  using F = __m256;

  static I set1(int32_t v) { return _mm256_set1_epi32(v); }
  static I load(const int32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const I*>(p)); }
  static I gather(const uint8_t* base, I offset) {
    return _mm256_i32gather_epi32(reinterpret_cast<const int*>(base), offset, 1);
  }
  static I add(I a, I b) { return _mm256_add_epi32(a, b); }
  static I sub(I a, I b) { return _mm256_sub_epi32(a, b); }
  static I mul(I a, I b) { return _mm256_mullo_epi32(a, b); }
  static I and_(I a, I b) { return _mm256_and_si256(a, b); }
  static I or_(I a, I b) { return _mm256_or_si256(a, b); }
  static I shiftRight(I a, I bits) { return _mm256_srlv_epi32(a, bits); }
  static I shiftLeft16(I a) { return _mm256_slli_epi32(a, 16); }
  static I multiplyAdd16(I a, I b) { return _mm256_madd_epi16(a, b); }
  static I shiftLeft(I a, int32_t bits) { return _mm256_sll_epi32(a, _mm_cvtsi32_si128(bits)); }
  static I shiftRightSigned(I a, int32_t bits) {
    return _mm256_sra_epi32(a, _mm_cvtsi32_si128(bits));
  }
  static I min255(I a) { return _mm256_min_epi32(a, _mm256_set1_epi32(255)); }
  static I clip255(I a) {
    return _mm256_min_epi32(_mm256_max_epi32(a, _mm256_setzero_si256()), _mm256_set1_epi32(255));
  }
  static F toFloat(I a) { return _mm256_cvtepi32_ps(a); }

  static F set1(float v) { return _mm256_set1_ps(v); }
  static F load(const float* p) { return _mm256_loadu_ps(p); }
  static void store(float* p, F v) { _mm256_storeu_ps(p, v); }
  static F add(F a, F b) { return _mm256_add_ps(a, b); }
  static F sub(F a, F b) { return _mm256_sub_ps(a, b); }
  static F mul(F a, F b) { return _mm256_mul_ps(a, b); }
  static F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }  // a * b + c
  static F div(F a, F b) { return _mm256_div_ps(a, b); }
  static F abs(F a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
  // Where d < best: best = d, value = v.
  static void takeSmaller(F d, F v, F* best, F* value) {
    const F less = _mm256_cmp_ps(d, *best, _CMP_LT_OQ);
    *best = _mm256_blendv_ps(*best, d, less);
    *value = _mm256_blendv_ps(*value, v, less);
  }

  // As floatToU8; max takes its second operand when the first is NaN.
  static void storeU8(uint8_t* p, F v) {
    v = _mm256_min_ps(_mm256_max_ps(v, _mm256_setzero_ps()), _mm256_set1_ps(255.0f));
    const I whole = _mm256_cvttps_epi32(v);
    const F rest = _mm256_sub_ps(v, _mm256_cvtepi32_ps(whole));
    const F up = _mm256_cmp_ps(rest, _mm256_set1_ps(0.5f), _CMP_GE_OQ);
    const I value = _mm256_sub_epi32(whole, _mm256_castps_si256(up));
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(value), _mm256_extracti128_si256(value, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
  }
  static void storeF16(uint16_t* p, F v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                     _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
  static void storeBf16(uint16_t* p, F v) {
    const I bits = _mm256_castps_si256(v);
    const I odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    I rounded = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
    const I nan = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    const I isNan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    rounded = _mm256_srli_epi32(_mm256_blendv_epi8(rounded, nan, isNan), 16);
    const I packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(rounded, rounded), 0x08);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(packed));
  }
};

}  // namespace
}  // namespace cps
