#pragma once

#include "ops/geometry_math.h"
#include "ops/hd.h"
#include "ops/pixels/color_math.h"

namespace cps {

// Note [Patch pixels]
// A pixel of a patch: its four neighbours become 8-bit RGB first, then each channel is interpolated
// in float32 (geometry_math.h, `bilinear`), normalised as (v * scale - mean) / std, and cast.
struct RgbF {
  float r, g, b;
};

CPS_HD RgbF resizedRgb(const FrameView& f, const ColorCoeffs& c, const BilinearTap& ty,
                       const BilinearTap& tx) {
  const Rgb8 a = rgbAt(f, c, ty.i0, tx.i0), b = rgbAt(f, c, ty.i0, tx.i1);
  const Rgb8 d = rgbAt(f, c, ty.i1, tx.i0), e = rgbAt(f, c, ty.i1, tx.i1);
  return {bilinear(a.r, b.r, d.r, e.r, tx.w0, tx.w1, ty.w0, ty.w1),
          bilinear(a.g, b.g, d.g, e.g, tx.w0, tx.w1, ty.w0, ty.w1),
          bilinear(a.b, b.b, d.b, e.b, tx.w0, tx.w1, ty.w0, ty.w1)};
}

CPS_HD float normalizeValue(float v, float scale, float mean, float std) {
  return (v * scale - mean) / std;
}

// Nearest 8-bit value, halves up. v in [0, 255].
CPS_HD uint8_t roundToU8(float v) {
  const int32_t whole = static_cast<int32_t>(v);
  return static_cast<uint8_t>(whole + (v - static_cast<float>(whole) >= 0.5f ? 1 : 0));
}

// The same for any v, clamped to [0, 255] first; NaN becomes 0.
CPS_HD uint8_t floatToU8(float v) { return roundToU8(v > 0.0f ? v < 255.0f ? v : 255.0f : 0.0f); }

// float32 to bfloat16, round to nearest even; NaN stays a (quiet) NaN.
CPS_HD uint16_t floatToBf16(float v) {
  const uint32_t bits = floatBits(v);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>(bits >> 16 | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

// float32 to IEEE float16, round to nearest even; the same bits as F16C's VCVTPS2PH.
CPS_HD uint16_t floatToF16(float v) {
  const uint32_t bits = floatBits(v);
  const uint32_t sign = bits >> 16 & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude >= 0x7f800000u) {  // infinity and NaN
    const uint32_t payload = magnitude > 0x7f800000u ? 0x200u | (magnitude >> 13 & 0x3ffu) : 0u;
    return static_cast<uint16_t>(sign | 0x7c00u | payload);
  }
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);  // rounds to infinity
  if (magnitude < 0x38800000u) {  // subnormal or zero: value * 2^24 rounded to an integer
    if (magnitude < 0x33000000u) return static_cast<uint16_t>(sign);
    const uint32_t exponent = magnitude >> 23;
    const uint32_t mantissa = (magnitude & 0x7fffffu) | 0x800000u;
    const uint32_t shift = 126u - exponent;
    const uint32_t half = 1u << (shift - 1);
    const uint32_t whole = mantissa >> shift;
    const uint32_t rest = mantissa & ((1u << shift) - 1u);
    const uint32_t up = rest > half || (rest == half && (whole & 1u)) ? 1u : 0u;
    return static_cast<uint16_t>(sign | (whole + up));
  }
  const uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1u) - 0x38000000u;
  return static_cast<uint16_t>(sign | rounded >> 13);
}

}  // namespace cps
