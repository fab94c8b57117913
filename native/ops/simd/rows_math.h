#pragma once

#include "ops/block_match_math.h"
#include "ops/cells_math.h"
#include "ops/gather_math.h"
#include "ops/reference_math.h"
#include "ops/simd/table.h"

// Plain loops over rows: the scalar variant, and the ends of rows in the others.
namespace cps {

static inline void cells8Plain(const uint8_t* src, int64_t stride, int32_t cell, int32_t begin,
                               int32_t count, uint8_t* out) {
  for (int32_t i = begin; i < count; i++) {
    int32_t sum = 0;
    for (int32_t y = 0; y < cell; y++) {
      for (int32_t x = 0; x < cell; x++) sum += src[y * stride + i * cell + x];
    }
    out[i] = cellMean(sum, cell * cell, 8);
  }
}

static inline void cells16Plain(const uint8_t* src, int64_t stride, int32_t cell, int32_t bitDepth,
                                int32_t shift, int32_t begin, int32_t count, uint8_t* out) {
  for (int32_t i = begin; i < count; i++) {
    int32_t sum = 0;
    for (int32_t y = 0; y < cell; y++) {
      for (int32_t x = 0; x < cell; x++) {
        sum += loadSample(src + y * stride + 2 * (i * cell + x), bitDepth, shift);
      }
    }
    out[i] = cellMean(sum, cell * cell, bitDepth);
  }
}

// Motion and residuals of block `block` from its winning candidate.
static inline void matchResult(const MatchRow& row, const MatchCandidates& candidates,
                               int32_t block, int32_t rank) {
  const int32_t dy = candidates.dy[rank], dx = candidates.dx[rank];
  row.motion2[block] = static_cast<uint8_t>(dy * dy + dx * dx);
  const int32_t begin = block * kMatchBlock, end = minInt(begin + kMatchBlock, row.cols);
  for (int32_t y = 0; y < row.rows; y++) {
    const uint8_t* prev = row.prev + (y - dy) * row.prevStride - dx;
    for (int32_t x = begin; x < end; x++) {
      const int32_t d = row.cur[y * row.curStride + x] - prev[x];
      row.residual[static_cast<int64_t>(y) * row.cols + x] = static_cast<uint8_t>(d < 0 ? -d : d);
    }
  }
}

// One chroma sample of a Table row at 8 bits.
static inline int32_t tableChroma(const RgbRow& r, int32_t plane, int64_t cx) {
  const int32_t extra = r.bitDepth - 8, shift = r.shift[plane];
  const int32_t own = loadSample(r.plane[plane] + cx * r.step[plane], r.bitDepth, shift);
  const uint8_t* above = r.above[plane - 1];
  if (above == nullptr) return roundTo8Bits(own, extra);
  return meanTo8Bits(own, loadSample(above + cx * r.step[plane], r.bitDepth, shift), extra);
}

static inline void rgbRowTable(const RgbRow& r, int32_t begin, int32_t end) {
  const ColorCoeffs c = *r.coeffs;
  const int32_t perChroma = 1 << r.log2ChromaW;
  for (int32_t x = begin; x < end;) {
    const int64_t cx = x >> r.log2ChromaW;
    const int32_t u = tableChroma(r, 1, cx), v = tableChroma(r, 2, cx);
    const int32_t red = tableStep(c.tableRv, v), blue = tableStep(c.tableBu, u);
    const int32_t green = tableStep(c.tableGu, u) + tableStep(c.tableGv, v);
    const int32_t stop = minInt(end, static_cast<int32_t>(cx + 1) * perChroma);
    for (; x < stop; x++) {
      const uint8_t* at = r.plane[0] + int64_t{x} * r.step[0];
      const int32_t y = roundLuma(loadSample(at, r.bitDepth, r.shift[0]), r.bitDepth - 8);
      uint8_t* out = r.out + int64_t{x} * 3;
      out[0] = tableValue(c, y + red);
      out[1] = tableValue(c, y + green);
      out[2] = tableValue(c, y + blue);
    }
  }
}

static inline void rgbRowPlain(const RgbRow& r, int32_t begin, int32_t end) {
  if (r.coeffs->way == ColorWay::Table) {
    rgbRowTable(r, begin, end);
    return;
  }
  const ColorCoeffs c = *r.coeffs;
  for (int32_t x = begin; x < end; x++) {
    const int32_t first = loadSample(r.plane[0] + int64_t{x} * r.step[0], r.bitDepth, r.shift[0]);
    Rgb8 p;
    if (c.planar3 == 0) {
      p.r = p.g = p.b = lumaTermToRgb(c, first);
    } else {
      const int64_t cx = x >> r.log2ChromaW;
      const int32_t second = loadSample(r.plane[1] + cx * r.step[1], r.bitDepth, r.shift[1]);
      const int32_t third = loadSample(r.plane[2] + cx * r.step[2], r.bitDepth, r.shift[2]);
      if (c.planar3 == 2) {
        p = {lumaTermToRgb(c, first), lumaTermToRgb(c, second), lumaTermToRgb(c, third)};
      } else {
        p = yuvToRgb(c, first, second, third);
      }
    }
    uint8_t* out = r.out + int64_t{x} * 3;
    out[0] = p.r;
    out[1] = p.g;
    out[2] = p.b;
  }
}

static inline void resizeRowsPlain(const ResizePlan& plan, int32_t y, int32_t rows, int32_t x,
                                   int32_t count, float* const out[3], int64_t outStride) {
  for (int32_t i = 0; i < rows; i++) {
    for (int32_t j = 0; j < count; j++) {
      const RgbF v = resizedRgb(plan.frame, plan.coeffs, plan.tapY[y + i], plan.tapX[x + j]);
      out[0][i * outStride + j] = v.r;
      out[1][i * outStride + j] = v.g;
      out[2][i * outStride + j] = v.b;
    }
  }
}

static inline void resizeLumaPlain(const ResizePlan& plan, int32_t y, int32_t rows, int32_t x,
                                   int32_t count, float* out, int64_t outStride) {
  for (int32_t i = 0; i < rows; i++) {
    for (int32_t j = 0; j < count; j++) {
      out[i * outStride + j] =
          referenceLumaAt(plan.frame, plan.coeffs, plan.tapY[y + i], plan.tapX[x + j]);
    }
  }
}

static inline void castValuesPlain(const float* in, int64_t begin, int64_t count, float scale,
                                   float mean, float std, DType dtype, void* out) {
  for (int64_t i = begin; i < count; i++) {
    const float v = normalizeValue(in[i], scale, mean, std);
    switch (dtype) {
      case DType::U8:
        static_cast<uint8_t*>(out)[i] = floatToU8(v);
        break;
      case DType::F16:
        static_cast<uint16_t*>(out)[i] = floatToF16(v);
        break;
      case DType::BF16:
        static_cast<uint16_t*>(out)[i] = floatToBf16(v);
        break;
      default:
        static_cast<float*>(out)[i] = v;
    }
  }
}

}  // namespace cps
