#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "core/picture.h"

// Naive reference, written straight from the contract: plain loops, full-size maps, no code of
// native/ops. Slow on purpose. Everything else is compared with it.
namespace naive {

template <typename T>
struct Map {
  int height = 0, width = 0;
  std::vector<T> values;

  Map() = default;
  Map(int h, int w) : height(h), width(w), values(static_cast<size_t>(h) * w) {}
  T& at(int y, int x) { return values[static_cast<size_t>(y) * width + x]; }
  const T& at(int y, int x) const { return values[static_cast<size_t>(y) * width + x]; }
};

template <typename T>
Map<T> transposed(const Map<T>& in) {
  Map<T> out(in.width, in.height);
  for (int y = 0; y < in.height; y++) {
    for (int x = 0; x < in.width; x++) out.at(x, y) = in.at(y, x);
  }
  return out;
}

template <typename T>
Map<T> flippedRows(const Map<T>& in) {
  Map<T> out(in.height, in.width);
  for (int y = 0; y < in.height; y++) {
    for (int x = 0; x < in.width; x++) out.at(in.height - 1 - y, x) = in.at(y, x);
  }
  return out;
}

template <typename T>
Map<T> flippedColumns(const Map<T>& in) {
  return transposed(flippedRows(transposed(in)));
}

// Stored samples of one component at full size (chroma repeated), in display orientation.
inline Map<int> component(const cps::FrameView& f, int plane) {
  Map<int> stored(f.height, f.width);
  const cps::PlaneView& p = f.plane[plane];
  const bool chroma = plane > 0 && f.color.matrix != cps::ColorMatrix::Rgb;
  for (int y = 0; y < f.height; y++) {
    for (int x = 0; x < f.width; x++) {
      const int sy = chroma ? y >> f.log2ChromaH : y, sx = chroma ? x >> f.log2ChromaW : x;
      const uint8_t* at = p.data + sy * p.stride + sx * p.step;
      stored.at(y, x) = f.bitDepth == 8 ? at[0] : (at[0] + 256 * at[1]) >> p.shift;
    }
  }
  if (f.orientation.flipY) stored = flippedRows(stored);
  if (f.orientation.flipX) stored = flippedColumns(stored);
  if (f.orientation.swapXY) stored = transposed(stored);
  return stored;
}

struct Pixel {
  int c[3];  // R, G, B, 0..255
};

inline int clipRound(double v) { return v <= 0 ? 0 : v >= 255 ? 255 : int(std::floor(v + 0.5)); }

inline void weights(cps::ColorMatrix m, double& kr, double& kb) {
  kr = 0.299, kb = 0.114;
  if (m == cps::ColorMatrix::Bt709) kr = 0.2126, kb = 0.0722;
  if (m == cps::ColorMatrix::Bt2020) kr = 0.2627, kb = 0.0593;
  if (m == cps::ColorMatrix::Smpte240m) kr = 0.212, kb = 0.087;
  if (m == cps::ColorMatrix::Fcc) kr = 0.30, kb = 0.11;
}

// The 8-bit RGB picture in real numbers (what the standard says), rounded once.
inline Map<Pixel> rgbExact(const cps::FrameView& f) {
  const Map<int> y = component(f, 0);
  Map<Pixel> out(y.height, y.width);
  const double top = std::pow(2.0, f.bitDepth) - 1, unit = std::pow(2.0, f.bitDepth - 8);
  const bool rgb = f.color.matrix == cps::ColorMatrix::Rgb, gray = f.planes == 1;
  const Map<int> u = gray ? y : component(f, 1), v = gray ? y : component(f, 2);
  double kr, kb;
  weights(f.color.matrix, kr, kb);
  for (size_t i = 0; i < out.values.size(); i++) {
    int* c = out.values[i].c;
    if (rgb) {
      c[0] = clipRound(y.values[i] / top * 255);
      c[1] = clipRound(u.values[i] / top * 255);
      c[2] = clipRound(v.values[i] / top * 255);
      continue;
    }
    const bool full = f.color.fullRange;
    const double luma = full ? y.values[i] / top : (y.values[i] - 16 * unit) / (219 * unit);
    const double half = 128 * unit, span = full ? top : 224 * unit;
    const double cb = gray ? 0 : (u.values[i] - half) / span;
    const double cr = gray ? 0 : (v.values[i] - half) / span;
    const double r = luma + 2 * (1 - kr) * cr, b = luma + 2 * (1 - kb) * cb;
    const double g = (luma - kr * r - kb * b) / (1 - kr - kb);
    c[0] = clipRound(255 * r);
    c[1] = clipRound(255 * g);
    c[2] = clipRound(255 * b);
  }
  return out;
}

// The same as FFmpeg's scaler computes it by default on x86 (OpsSwscale compares with the scaler
// itself): 16.16 numbers for the matrix, then one of three ways.
inline Map<Pixel> rgb(const cps::FrameView& f) {
  const Map<int> luma = component(f, 0);
  Map<Pixel> out(luma.height, luma.width);
  const int extra = f.bitDepth - 8, top = (1 << f.bitDepth) - 1;
  const auto clip = [](int64_t v) { return int(v < 0 ? 0 : v > 255 ? 255 : v); };
  const bool isRgb = f.color.matrix == cps::ColorMatrix::Rgb, gray = f.planes == 1;
  if (isRgb) {
    const int64_t c = std::llround(255.0 / top * (8192 << extra));
    for (int p = 0; p < 3; p++) {
      const Map<int> in = component(f, p);
      for (size_t i = 0; i < in.values.size(); i++) {
        out.values[i].c[p] = clip((c * in.values[i] + (4096 << extra)) >> (13 + extra));
      }
    }
    return out;
  }
  const bool full = f.color.fullRange;
  double kr, kb;
  weights(f.color.matrix, kr, kb);
  int64_t m[4] = {std::llround(2 * (1 - kr) * 255 / 224 * 65536),
                  std::llround(2 * kb * (1 - kb) / (1 - kr - kb) * 255 / 224 * 65536),
                  std::llround(2 * kr * (1 - kr) / (1 - kr - kb) * 255 / 224 * 65536),
                  std::llround(2 * (1 - kb) * 255 / 224 * 65536)};
  int64_t cy = 65536;
  if (full) {
    for (auto& v : m) v = v * 224 / 255;
  } else {
    cy = 65536 * 255 / 219;
  }
  m[1] = -m[1], m[2] = -m[2];
  const auto divFloor = [](int64_t a, int64_t b) { return (a - ((a % b + b) % b)) / b; };
  const auto short13 = [&](int64_t v) { return divFloor(v + 4, 8); };  // 16.16 to 3.13, halves up
  const int black = full ? 0 : 16;
  Map<int> u = gray ? luma : component(f, 1), v = gray ? luma : component(f, 2);
  const bool subsampled = !gray && f.log2ChromaW > 0;
  if (!subsampled) {
    for (size_t i = 0; i < out.values.size(); i++) {
      const int half = 128 << extra, den = 8192 << extra;
      const int64_t y = short13(cy) * (luma.values[i] - (black << extra));
      const int64_t cb = gray ? 0 : u.values[i] - half, cr = gray ? 0 : v.values[i] - half;
      // Ten bits before the point are all that the scaler's sums have.
      const auto value = [&](int64_t sum) {
        const int64_t whole = divFloor(sum + den / 2, den);
        return clip(whole - divFloor(whole + 512, 1024) * 1024);
      };
      int* c = out.values[i].c;
      c[0] = value(y + short13(m[0]) * cr);
      c[1] = value(y + short13(m[1]) * cb + short13(m[2]) * cr);
      c[2] = value(y + short13(m[3]) * cb);
    }
    return out;
  }
  if (extra == 0) {
    for (size_t i = 0; i < out.values.size(); i++) {
      const int64_t y = divFloor(short13(cy) * (luma.values[i] - black), 8192);
      const int64_t cb = u.values[i] - 128, cr = v.values[i] - 128;
      int* c = out.values[i].c;
      c[0] = clip(y + divFloor(short13(m[0]) * cr, 8192));
      c[1] = clip(y + divFloor(short13(m[1]) * cb, 8192) + divFloor(short13(m[2]) * cr, 8192));
      c[2] = clip(y + divFloor(short13(m[3]) * cb, 8192));
    }
    return out;
  }
  // A table of luma from which chroma picks by whole steps. Works on the stored picture, since rows
  // are averaged there, and is turned at the end.
  cps::FrameView plain = f;
  plain.orientation = {};
  const Map<int> y0 = component(plain, 0), u0 = component(plain, 1), v0 = component(plain, 2);
  const int start = -2000;  // the lowest table index kept
  std::vector<int> table;
  for (int i = start; i < 2000; i++) {
    table.push_back(
        clip(divFloor((i + (full ? 384 : 326)) * cy - (384 + black) * 65536 + 32768, 65536)));
  }
  int64_t steps[4];
  for (int i = 0; i < 4; i++) steps[i] = (m[i] * 65536 + 32768) / cy;
  const auto offset = [&](int64_t c, int x) { return divFloor(c * x, 65536) - divFloor(c, 512); };
  Map<Pixel> stored(f.height, f.width);
  for (int row = 0; row < f.height; row++) {
    const bool mean = f.log2ChromaH == 1 && row > 1 && (row % 2 == 0 || row + 1 == f.height);
    for (int col = 0; col < f.width; col++) {
      const auto sample = [&](const Map<int>& plane) {
        const int own = plane.at(row, col);
        const int both = own + (mean ? plane.at(row / 2 * 2 - 1, col) : own);
        return std::min(
            255, mean ? (both + (1 << extra)) >> (extra + 1) : (own + (1 << (extra - 1))) >> extra);
      };
      const int y = (y0.at(row, col) + (1 << (extra - 1))) >> extra;
      const int cb = sample(u0), cr = sample(v0);
      int* c = stored.at(row, col).c;
      c[0] = table[size_t(y + offset(steps[0], cr) - start)];
      c[1] = table[size_t(y + offset(steps[1], cb) + offset(steps[2], cr) - start)];
      c[2] = table[size_t(y + offset(steps[3], cb) - start)];
    }
  }
  if (f.orientation.flipY) stored = flippedRows(stored);
  if (f.orientation.flipX) stored = flippedColumns(stored);
  if (f.orientation.swapXY) stored = transposed(stored);
  return stored;
}

// Bilinear to another size in float32: half-pixel centres, no antialiasing, src = max(0, (dst +
// 0.5)
// * in / out - 0.5), neighbours clamped to the last row and column; sums with the fused
// multiply-adds of PyTorch's CPU kernel.
inline Map<float> resized(const Map<float>& in, int height, int width) {
  struct Tap {
    int a, b;
    float wa, wb;
  };
  const auto tap = [](int dst, int inSize, int outSize) -> Tap {
    if (inSize == outSize) return {dst, dst, 1.0f, 0.0f};
    const float ratio = float(inSize) / float(outSize);
    const float src = std::max(0.0f, std::fma(float(dst) + 0.5f, ratio, -0.5f));
    const int a = std::min(inSize - 1, int(std::floor(src)));
    const float w = std::min(1.0f, src - float(a));
    return {a, std::min(inSize - 1, a + 1), 1.0f - w, w};
  };
  Map<float> out(height, width);
  for (int y = 0; y < height; y++) {
    const Tap ty = tap(y, in.height, height);
    for (int x = 0; x < width; x++) {
      const Tap tx = tap(x, in.width, width);
      const float top = std::fma(in.at(ty.a, tx.b), tx.wb, in.at(ty.a, tx.a) * tx.wa);
      const float bottom = std::fma(in.at(ty.b, tx.b), tx.wb, in.at(ty.b, tx.a) * tx.wa);
      out.at(y, x) = std::fma(bottom, ty.wb, top * ty.wa);
    }
  }
  return out;
}

inline Map<float> channel(const Map<Pixel>& picture, int c) {
  Map<float> out(picture.height, picture.width);
  for (size_t i = 0; i < out.values.size(); i++) out.values[i] = float(picture.values[i].c[c]);
  return out;
}

// The picture patches are cut from: three float maps of the target size.
inline std::vector<Map<float>> resizedRgb(const cps::FrameView& f, int height, int width) {
  const Map<Pixel> picture = rgb(f);
  std::vector<Map<float>> out;
  for (int c = 0; c < 3; c++) out.push_back(resized(channel(picture, c), height, width));
  return out;
}

}  // namespace naive
