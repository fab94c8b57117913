#pragma once

#include "ops/energy/block_match_math.h"
#include "ops/energy/cells_math.h"
#include "ops/energy/reference_math.h"
#include "ops/pixels/gather_math.h"
#include "ops/simd/rgb_plain.h"
#include "ops/simd/table.h"

// Plain loops over rows: the scalar variant, and the ends of rows in the others.
namespace cps {

template <int kCell>
static inline void cells8Of(const uint8_t* src, int64_t stride, int32_t begin, int32_t count,
                            uint8_t* out) {
  for (int32_t i = begin; i < count; i++) {
    int32_t sum = 0;
    for (int32_t y = 0; y < kCell; y++) {
      for (int32_t x = 0; x < kCell; x++) sum += src[y * stride + i * kCell + x];
    }
    out[i] = cellMean(sum, kCell * kCell, 8);
  }
}

static inline void cells8Plain(const uint8_t* src, int64_t stride, int32_t cell, int32_t begin,
                               int32_t count, uint8_t* out) {
  if (cell == 4) return cells8Of<4>(src, stride, begin, count, out);
  if (cell == 2) return cells8Of<2>(src, stride, begin, count, out);
  cells8Of<1>(src, stride, begin, count, out);
}

template <int kCell>
static inline void cells16Of(const uint8_t* src, int64_t stride, int32_t bitDepth, int32_t shift,
                             int32_t begin, int32_t count, uint8_t* out) {
  for (int32_t i = begin; i < count; i++) {
    int32_t sum = 0;
    for (int32_t y = 0; y < kCell; y++) {
      const uint8_t* p = src + y * stride + 2 * kCell * i;
      for (int32_t x = 0; x < kCell; x++) sum += (p[2 * x] | p[2 * x + 1] << 8) >> shift;
    }
    out[i] = cellMean(sum, kCell * kCell, bitDepth);
  }
}

static inline void cells16Plain(const uint8_t* src, int64_t stride, int32_t cell, int32_t bitDepth,
                                int32_t shift, int32_t begin, int32_t count, uint8_t* out) {
  if (cell == 4) return cells16Of<4>(src, stride, bitDepth, shift, begin, count, out);
  if (cell == 2) return cells16Of<2>(src, stride, bitDepth, shift, begin, count, out);
  cells16Of<1>(src, stride, bitDepth, shift, begin, count, out);
}

// Motion and residuals of block `block` from its winning candidate.
static inline void matchResult(const MatchRow& row, const MatchCandidates& candidates,
                               int32_t block, int32_t rank) {
  const int32_t dy = candidates.dy[rank], dx = candidates.dx[rank];
  row.motion2[block] = static_cast<uint8_t>(dy * dy + dx * dx);
  if (row.ranks) row.ranks[block] = static_cast<uint8_t>(rank);
  const int32_t begin = block * kMatchBlock, end = minInt(begin + kMatchBlock, row.cols);
  for (int32_t y = 0; y < row.rows; y++) {
    const uint8_t* prev = row.prev + (y - dy) * row.prevStride - dx;
    for (int32_t x = begin; x < end; x++) {
      const int32_t d = row.cur[y * row.curStride + x] - prev[x];
      row.residual[static_cast<int64_t>(y) * row.cols + x] = static_cast<uint8_t>(d < 0 ? -d : d);
    }
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
  const auto each = [&](auto* to, auto cast) {
    for (int64_t i = begin; i < count; i++) to[i] = cast(normalizeValue(in[i], scale, mean, std));
  };
  switch (dtype) {
    case DType::U8:
      return each(static_cast<uint8_t*>(out), floatToU8);
    case DType::F16:
      return each(static_cast<uint16_t*>(out), floatToF16);
    case DType::BF16:
      return each(static_cast<uint16_t*>(out), floatToBf16);
    default:
      return each(static_cast<float*>(out), [](float v) { return v; });
  }
}

}  // namespace cps
