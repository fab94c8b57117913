#pragma once

#include "ops/hd.h"
#include "ops/pixels/color_math.h"

namespace cps {

// Luma of an RGB source: BT.601 weights, rounded to nearest (exact in integers).
CPS_HD int32_t lumaOfRgb8(Rgb8 p) { return (299 * p.r + 587 * p.g + 114 * p.b + 500) / 1000; }

// Rounded mean of `count` samples in 8-bit units, halves up: round(sum / (count * 2^(bitDepth-8))).
CPS_HD uint8_t cellMean(int32_t sum, int32_t count, int32_t bitDepth) {
  const int32_t d = count << (bitDepth - 8);
  const int32_t mean = (2 * sum + d) / (2 * d);
  return static_cast<uint8_t>(mean > 255 ? 255 : mean);
}

// Cell (row, col) of the display picture, `cell` pixels a side.
CPS_HD uint8_t cellAt(const FrameView& f, const ColorCoeffs& c, int32_t cell, int32_t row,
                      int32_t col) {
  const int32_t yEnd = minInt((row + 1) * cell, displayHeight(f));
  const int32_t xEnd = minInt((col + 1) * cell, displayWidth(f));
  const bool rgb = c.planar3 == 2;
  int32_t sum = 0, count = 0;
  for (int32_t y = row * cell; y < yEnd; y++) {
    for (int32_t x = col * cell; x < xEnd; x++) {
      const SourcePosition s = sourcePosition(f, y, x);
      sum += rgb ? lumaOfRgb8(rgbAtSource(f, c, s.y, s.x)) : planeSample(f, 0, s.y, s.x);
      count++;
    }
  }
  return cellMean(sum, count, rgb ? 8 : f.bitDepth);
}

}  // namespace cps
