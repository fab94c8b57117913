#pragma once

#include "ops/frame_view.h"
#include "ops/geometry_math.h"
#include "ops/hd.h"

namespace cps {

// Note [Colour in fixed point]
// One implementation of matrix and range for every device, in 32-bit integers:
//   R = clip8((cy * (Y - yOffset) + rv * (V - half) + 2^(shift-1)) >> shift)
//   G = clip8((cy * (Y - yOffset) + gu * (U - half) + gv * (V - half) + 2^(shift-1)) >> shift)
//   B = clip8((cy * (Y - yOffset) + bu * (U - half) + 2^(shift-1)) >> shift)
// with shift = 13 + bitDepth - 8 and coefficients round(c * 2^shift), which stay under 2^15 for
// every matrix and depth, so that 16-bit multiply-add instructions apply. Gray uses the luma term
// for all three; RGB planes are scaled to 8 bits by the same term (cy = 255 / (2^bitDepth - 1)).
// The chroma sample of luma (y, x) is the stored sample (y >> log2ChromaH, x >> log2ChromaW): no
// interpolation, as in FFmpeg's fast path.
struct ColorCoeffs {
  int32_t cy, rv, gu, gv, bu;
  int32_t yOffset, half, shift;
  int32_t planar3;  // 0: gray, 1: Y Cb Cr, 2: R G B
};

struct Rgb8 {
  uint8_t r, g, b;
};

// The luma weights of each matrix (ITU-T H.273 table 4). Host only.
static inline void lumaWeights(ColorMatrix matrix, double* kr, double* kb) {
  switch (matrix) {
    case ColorMatrix::Bt709:
      *kr = 0.2126, *kb = 0.0722;
      return;
    case ColorMatrix::Bt2020:
      *kr = 0.2627, *kb = 0.0593;
      return;
    case ColorMatrix::Smpte240m:
      *kr = 0.212, *kb = 0.087;
      return;
    case ColorMatrix::Fcc:
      *kr = 0.30, *kb = 0.11;
      return;
    default:
      *kr = 0.299, *kb = 0.114;
      return;
  }
}

// Coefficients of a frame (ITU-T H.273 section 8.3). Host only; kernels get the result.
static inline ColorCoeffs makeColorCoeffs(const FrameView& f) {
  ColorCoeffs c{};
  const int depth = f.bitDepth;
  const double one = static_cast<double>(int64_t{1} << (13 + depth - 8));
  const double maxValue = static_cast<double>((1 << depth) - 1);
  c.shift = 13 + depth - 8;
  c.half = 1 << (depth - 1);
  if (f.color.matrix == ColorMatrix::Rgb && f.planes == 3) {
    c.planar3 = 2;
    c.cy = static_cast<int32_t>(lround(255.0 / maxValue * one));
    return c;
  }
  c.planar3 = f.planes == 3 ? 1 : 0;
  const bool full = f.color.fullRange;
  const double unit = static_cast<double>(1 << (depth - 8));
  const double lumaRange = full ? maxValue : 219.0 * unit;
  const double chromaRange = full ? maxValue : 224.0 * unit;
  double kr, kb;
  lumaWeights(f.color.matrix, &kr, &kb);
  const double kg = 1.0 - kr - kb;
  const double chroma = 255.0 / chromaRange * one;
  c.yOffset = full ? 0 : 16 << (depth - 8);
  c.cy = static_cast<int32_t>(lround(255.0 / lumaRange * one));
  c.rv = static_cast<int32_t>(lround(2.0 * (1.0 - kr) * chroma));
  c.gu = static_cast<int32_t>(lround(-2.0 * kb * (1.0 - kb) / kg * chroma));
  c.gv = static_cast<int32_t>(lround(-2.0 * kr * (1.0 - kr) / kg * chroma));
  c.bu = static_cast<int32_t>(lround(2.0 * (1.0 - kb) * chroma));
  return c;
}

CPS_HD uint8_t lumaTermToRgb(const ColorCoeffs& c, int32_t y) {
  return clip8((c.cy * (y - c.yOffset) + (1 << (c.shift - 1))) >> c.shift);
}

CPS_HD Rgb8 yuvToRgb(const ColorCoeffs& c, int32_t y, int32_t u, int32_t v) {
  const int32_t luma = c.cy * (y - c.yOffset) + (1 << (c.shift - 1));
  u -= c.half;
  v -= c.half;
  return {clip8((luma + c.rv * v) >> c.shift), clip8((luma + c.gu * u + c.gv * v) >> c.shift),
          clip8((luma + c.bu * u) >> c.shift)};
}

// One stored sample: 8 bits, or 16 bits little-endian shifted right.
CPS_HD int32_t loadSample(const uint8_t* p, int32_t bitDepth, int32_t shift) {
  return bitDepth <= 8 ? *p : (p[0] | p[1] << 8) >> shift;
}

CPS_HD int32_t planeSample(const FrameView& f, int32_t plane, int32_t y, int32_t x) {
  const PlaneView& p = f.plane[plane];
  return loadSample(p.data + y * p.stride + static_cast<int64_t>(x) * p.step, f.bitDepth, p.shift);
}

// The 8-bit RGB of stored pixel (y, x).
CPS_HD Rgb8 rgbAtSource(const FrameView& f, const ColorCoeffs& c, int32_t y, int32_t x) {
  const int32_t first = planeSample(f, 0, y, x);
  if (c.planar3 == 0) {
    const uint8_t v = lumaTermToRgb(c, first);
    return {v, v, v};
  }
  const int32_t cy = y >> f.log2ChromaH, cx = x >> f.log2ChromaW;
  const int32_t second = planeSample(f, 1, cy, cx);
  const int32_t third = planeSample(f, 2, cy, cx);
  if (c.planar3 == 2) {
    return {lumaTermToRgb(c, first), lumaTermToRgb(c, second), lumaTermToRgb(c, third)};
  }
  return yuvToRgb(c, first, second, third);
}

// The 8-bit RGB of display pixel (y, x).
CPS_HD Rgb8 rgbAt(const FrameView& f, const ColorCoeffs& c, int32_t displayY, int32_t displayX) {
  const SourcePosition s = sourcePosition(f, displayY, displayX);
  return rgbAtSource(f, c, s.y, s.x);
}

}  // namespace cps
