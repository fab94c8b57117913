#pragma once

#include "ops/geometry.h"
#include "ops/hd.h"
#include "ops/pixels/color_math.h"

namespace cps {

// Luma of an RGB source: BT.601 weights, rounded to nearest (exact in integers).
CPS_HD int32_t lumaOfRgb8(Rgb8 p) { return (299 * p.r + 587 * p.g + 114 * p.b + 500) / 1000; }

// Rounded mean of `count` samples in 8-bit units, halves up: round(sum / (count * 2^(bitDepth-8))).
template <typename Int>
CPS_HD uint8_t cellMean(Int sum, Int count, int32_t bitDepth) {
  const Int d = count << (bitDepth - 8);
  const Int mean = (2 * sum + d) / (2 * d);
  return static_cast<uint8_t>(mean > 255 ? 255 : mean);
}

// Note [Sizes]
// A stream may change its size. Everything that compares pictures then lives on the grid of the
// first one, whose size is the video's: cell i of a side covers the pixels [4i, min(4i + 4, S)) of
// the S that the video has there, and of a picture with S' pixels those that this part of the side
// touches: [floor(4i * S' / S), ceil(min(4i + 4, S) * S' / S)). A cell is the rounded mean of all
// of them. Patches and luma maps are resized from each picture's own pixels (Note [Resize plan]).
struct CellRange {
  int32_t begin, end;
};
CPS_HD CellRange cellRange(int32_t index, int32_t cell, int32_t videoSize, int32_t size) {
  const int64_t begin = int64_t{index} * cell;
  const int64_t end = begin + cell < videoSize ? begin + cell : videoSize;
  return {static_cast<int32_t>(begin * size / videoSize),
          static_cast<int32_t>((end * size + videoSize - 1) / videoSize)};
}

// Cell (row, col) of a picture of any size.
CPS_HD uint8_t cellOfOtherSize(const FrameView& f, const ColorCoeffs& c, const CellGrid& grid,
                               int32_t row, int32_t col) {
  const CellRange ys = cellRange(row, grid.cell, grid.frameHeight, displayHeight(f));
  const CellRange xs = cellRange(col, grid.cell, grid.frameWidth, displayWidth(f));
  const bool rgb = c.planar3 == 2;
  int64_t sum = 0;
  for (int32_t y = ys.begin; y < ys.end; y++) {
    for (int32_t x = xs.begin; x < xs.end; x++) {
      const SourcePosition s = sourcePosition(f, y, x);
      sum += rgb ? lumaOfRgb8(rgbAtSource(f, c, s.y, s.x)) : planeSample(f, 0, s.y, s.x);
    }
  }
  const int64_t count = int64_t{ys.end - ys.begin} * (xs.end - xs.begin);
  return cellMean(sum, count, rgb ? 8 : f.bitDepth);
}

CPS_HD bool hasSizeOf(const FrameView& f, const CellGrid& grid) {
  return displayHeight(f) == grid.frameHeight && displayWidth(f) == grid.frameWidth;
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
