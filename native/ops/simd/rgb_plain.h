#pragma once

#include "ops/pixels/color_math.h"
#include "ops/simd/table.h"

// Any stored row to RGB, in steps that a compiler can vectorise: samples to integers,
// integers to channels, channels together.
namespace cps {

constexpr int32_t kRgbChunk = 64;

struct RgbChunk {
  int32_t sample[3][kRgbChunk];
  uint8_t channel[3][kRgbChunk];
};

static inline void loadChunk(const RgbRow& r, const uint8_t* row, int32_t plane, int32_t log2,
                             int32_t x, int32_t count, int32_t* out) {
  const int64_t step = r.step[plane];
  if (r.bitDepth <= 8) {
    for (int32_t i = 0; i < count; i++) out[i] = row[((x + i) >> log2) * step];
    return;
  }
  const int32_t shift = r.shift[plane];
  for (int32_t i = 0; i < count; i++) {
    const uint8_t* p = row + ((x + i) >> log2) * step;
    out[i] = (p[0] | p[1] << 8) >> shift;
  }
}

// Way Table: samples at 8 bits, chroma as the mean with the row above where there is one.
static inline void roundChunk(const RgbRow& r, int32_t x, int32_t count, RgbChunk* chunk) {
  const int32_t extra = r.bitDepth - 8;
  for (int32_t i = 0; i < count; i++) chunk->sample[0][i] = roundLuma(chunk->sample[0][i], extra);
  for (int32_t plane = 1; plane < 3; plane++) {
    int32_t* own = chunk->sample[plane];
    if (r.above[plane - 1] == nullptr) {
      for (int32_t i = 0; i < count; i++) own[i] = roundTo8Bits(own[i], extra);
      continue;
    }
    int32_t above[kRgbChunk];
    loadChunk(r, r.above[plane - 1], plane, r.log2ChromaW, x, count, above);
    for (int32_t i = 0; i < count; i++) own[i] = meanTo8Bits(own[i], above[i], extra);
  }
}

static inline void convertChunk(const ColorCoeffs& c, int32_t count, RgbChunk* chunk) {
  const int32_t *y = chunk->sample[0], *u = chunk->sample[1], *v = chunk->sample[2];
  uint8_t *red = chunk->channel[0], *green = chunk->channel[1], *blue = chunk->channel[2];
  if (c.planar3 != 1) {
    for (int32_t p = 0; p < 3; p++) {
      const int32_t* in = chunk->sample[c.planar3 == 2 ? p : 0];
      for (int32_t i = 0; i < count; i++) chunk->channel[p][i] = lumaTermToRgb(c, in[i]);
    }
    return;
  }
  // The way is looked at once here; yuvToRgb then folds to one of its branches.
  const auto all = [&](ColorWay way) {
    ColorCoeffs k = c;
    k.way = way;
    for (int32_t i = 0; i < count; i++) {
      const Rgb8 p = yuvToRgb(k, y[i], u[i], v[i]);
      red[i] = p.r;
      green[i] = p.g;
      blue[i] = p.b;
    }
  };
  if (c.way == ColorWay::Floor) return all(ColorWay::Floor);
  if (c.way == ColorWay::Table) return all(ColorWay::Table);
  all(ColorWay::Round);
}

static inline void rgbRowPlain(const RgbRow& r, int32_t begin, int32_t end) {
  const ColorCoeffs c = *r.coeffs;
  RgbChunk chunk;
  for (int32_t x = begin; x < end; x += kRgbChunk) {
    const int32_t count = minInt(kRgbChunk, end - x);
    loadChunk(r, r.plane[0], 0, 0, x, count, chunk.sample[0]);
    for (int32_t p = 1; p < 3 && c.planar3 != 0; p++) {
      loadChunk(r, r.plane[p], p, r.log2ChromaW, x, count, chunk.sample[p]);
    }
    if (c.way == ColorWay::Table) roundChunk(r, x, count, &chunk);
    convertChunk(c, count, &chunk);
    if (r.outPlane) {
      for (int32_t p = 0; p < 3; p++) {
        __builtin_memcpy(r.out + p * r.outPlane + x, chunk.channel[p], static_cast<size_t>(count));
      }
      continue;
    }
    uint8_t* out = r.out + int64_t{x} * 3;
    for (int32_t i = 0; i < count; i++) {
      out[3 * i] = chunk.channel[0][i];
      out[3 * i + 1] = chunk.channel[1][i];
      out[3 * i + 2] = chunk.channel[2][i];
    }
  }
}

}  // namespace cps
