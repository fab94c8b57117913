#pragma once

#include "core/picture.h"
#include "ops/geometry_math.h"
#include "ops/hd.h"

namespace cps {

// Note [Colour as FFmpeg's scaler]
// RGB is what libswscale makes of a picture on x86 with flags=bilinear alone (as torchcodec asks),
// bit for bit, in integers; what is not here, Note [Pictures of the scaler] has. Three ways:
// - Floor, 8-bit with chroma subsampled across (4:2:0, 4:2:2, 4:1:1): every product is rounded
// down,
//     R = clip8((cy * (Y - yOffset) >> 13) + (rv * (V - 128) >> 13)), G and B alike,
//   chroma is the stored sample of (y >> log2ChromaH, x >> log2ChromaW).
// - Table, above 8 bits with chroma subsampled across: samples are rounded to 8 bits; chroma moves
// the
//   index of a luma table by whole steps,
//     R = clip8(((Y + step(rv, V)) * tableCy + tableBase + 2^15) >> 16), step(c, v) =
//     (v * c >> 16) - (c >> 9);
//   with chroma subsampled down too, even rows and the last take the mean of two chroma rows
//   (as FFmpeg 5.1 and 7.1 do; 9.0 weighs them by chroma location; here a picture keeps its RGB).
// - Round, everything else (4:4:4, gray, RGB planes):
//     R = clip8((cy * (Y - yOffset) + rv * (V - half) + 2^(shift-1)) >> shift), shift = 13 + depth
//     - 8.
// Coefficients come from 16.16 numbers as in libswscale/yuv2rgb.c; those of 13 bits fit 16-bit
// multiplies for every matrix. RGB planes are scaled to 8 bits by cy = 255 / (2^depth - 1).
enum class ColorWay : int32_t { Round, Floor, Table };

struct ColorCoeffs {
  ColorWay way;
  int32_t planar3;  // 0: gray, 1: Y Cb Cr, 2: R G B
  int32_t cy, rv, gu, gv, bu;
  int32_t yOffset, half, shift;
  // Table only: 16.16 luma step, the chroma coefficients in luma steps, and the table's origin.
  int32_t tableCy, tableRv, tableGu, tableGv, tableBu, tableBase;
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
  c.shift = 13 + depth - 8;
  c.half = 1 << (depth - 1);
  if (f.color.matrix == ColorMatrix::Rgb && f.planes == 3) {
    c.planar3 = 2;
    c.cy = static_cast<int32_t>(lround(255.0 / ((1 << depth) - 1) * (1 << c.shift)));
    return c;
  }
  c.planar3 = f.planes == 3 ? 1 : 0;
  if (c.planar3 == 1 && f.log2ChromaW > 0) {
    c.way = depth > 8 ? ColorWay::Table : ColorWay::Floor;
  }
  const bool full = f.color.fullRange;
  double kr, kb;
  lumaWeights(f.color.matrix, &kr, &kb);
  const double kg = 1.0 - kr - kb;
  // 16.16, for samples of limited range; full range takes 224/255 of it.
  const auto chroma = [full](double coefficient) {
    const int64_t limited = llround(coefficient * 255.0 / 224.0 * 65536.0);
    return full ? limited * 224 / 255 : limited;
  };
  const int64_t cy = full ? 65536 : 65536 * 255 / 219;
  const int64_t rv = chroma(2.0 * (1.0 - kr)), bu = chroma(2.0 * (1.0 - kb));
  const int64_t gu = -chroma(2.0 * kb * (1.0 - kb) / kg), gv = -chroma(2.0 * kr * (1.0 - kr) / kg);
  const auto to13 = [](int64_t v) { return static_cast<int32_t>((v * 8192 + 32768) >> 16); };
  c.cy = to13(cy), c.rv = to13(rv), c.gu = to13(gu), c.gv = to13(gv), c.bu = to13(bu);
  c.yOffset = full ? 0 : 16 << (depth - 8);
  const auto inSteps = [cy](int64_t v) { return static_cast<int32_t>((v * 65536 + 32768) / cy); };
  c.tableCy = static_cast<int32_t>(cy);
  c.tableRv = inSteps(rv), c.tableGu = inSteps(gu), c.tableGv = inSteps(gv),
  c.tableBu = inSteps(bu);
  c.tableBase = static_cast<int32_t>((full ? 384 : 326) * cy - (384 << 16) - (full ? 0 : 16 << 16));
  return c;
}

CPS_HD uint8_t lumaTermToRgb(const ColorCoeffs& c, int32_t y) {
  return clip8((c.cy * (y - c.yOffset) + (1 << (c.shift - 1))) >> c.shift);
}

// A sample of more than 8 bits rounded to 8, and the mean of two. Luma may round up to 256, the
// table goes on there; chroma stops at 255.
CPS_HD int32_t roundLuma(int32_t v, int32_t extraBits) {
  return (v + (1 << (extraBits - 1))) >> extraBits;
}
CPS_HD int32_t roundTo8Bits(int32_t v, int32_t extraBits) {
  return minInt(roundLuma(v, extraBits), 255);
}
CPS_HD int32_t meanTo8Bits(int32_t a, int32_t b, int32_t extraBits) {
  return minInt((a + b + (1 << extraBits)) >> (extraBits + 1), 255);
}

// Luma steps by which a chroma sample moves the table index.
CPS_HD int32_t tableStep(int32_t coefficient, int32_t v) {
  return ((v * coefficient) >> 16) - (coefficient >> 9);
}
CPS_HD uint8_t tableValue(const ColorCoeffs& c, int32_t index) {
  return clip8((index * c.tableCy + c.tableBase + 32768) >> 16);
}

// Note [Wrapped sums]
// The scaler sums 4:4:4 with 22 bits behind the point in 32 bits: a colour so far outside RGB that
// the sum passes 512 wraps around and ends at the other side. Ours have fewer bits behind the
// point, so the bits above are dropped by hand.
CPS_HD int32_t wrappedSum(int32_t sum, int32_t shift) {
  return static_cast<int32_t>(static_cast<uint32_t>(sum) << (22 - shift)) >> 22;
}

// Floor and Round take samples as stored; Table takes them at 8 bits.
CPS_HD Rgb8 yuvToRgb(const ColorCoeffs& c, int32_t y, int32_t u, int32_t v) {
  if (c.way == ColorWay::Table) {
    return {tableValue(c, y + tableStep(c.tableRv, v)),
            tableValue(c, y + tableStep(c.tableGu, u) + tableStep(c.tableGv, v)),
            tableValue(c, y + tableStep(c.tableBu, u))};
  }
  u -= c.half;
  v -= c.half;
  if (c.way == ColorWay::Floor) {
    const int32_t luma = (c.cy * (y - c.yOffset)) >> 13;
    return {clip8(luma + ((c.rv * v) >> 13)), clip8(luma + ((c.gu * u) >> 13) + ((c.gv * v) >> 13)),
            clip8(luma + ((c.bu * u) >> 13))};
  }
  const int32_t luma = c.cy * (y - c.yOffset) + (1 << (c.shift - 1));
  return {clip8(wrappedSum(luma + c.rv * v, c.shift)),
          clip8(wrappedSum(luma + c.gu * u + c.gv * v, c.shift)),
          clip8(wrappedSum(luma + c.bu * u, c.shift))};
}

// Whether row y of a Table picture takes the mean of its chroma row and the one above.
CPS_HD bool meansTwoChromaRows(const FrameView& f, const ColorCoeffs& c, int32_t y) {
  return c.way == ColorWay::Table && f.log2ChromaH == 1 && y >= 2 &&
         ((y & 1) == 0 || y == f.height - 1);
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
  int32_t second = planeSample(f, 1, cy, cx);
  int32_t third = planeSample(f, 2, cy, cx);
  if (c.planar3 == 2) {
    return {lumaTermToRgb(c, first), lumaTermToRgb(c, second), lumaTermToRgb(c, third)};
  }
  if (c.way != ColorWay::Table) return yuvToRgb(c, first, second, third);
  const int32_t extra = f.bitDepth - 8;
  if (meansTwoChromaRows(f, c, y)) {
    second = meanTo8Bits(second, planeSample(f, 1, cy - 1, cx), extra);
    third = meanTo8Bits(third, planeSample(f, 2, cy - 1, cx), extra);
  } else {
    second = roundTo8Bits(second, extra);
    third = roundTo8Bits(third, extra);
  }
  return yuvToRgb(c, roundLuma(first, extra), second, third);
}

// The 8-bit RGB of display pixel (y, x).
CPS_HD Rgb8 rgbAt(const FrameView& f, const ColorCoeffs& c, int32_t displayY, int32_t displayX) {
  const SourcePosition s = sourcePosition(f, displayY, displayX);
  return rgbAtSource(f, c, s.y, s.x);
}

}  // namespace cps
