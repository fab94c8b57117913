#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "ops/frame_view.h"

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

// The same in fixed point with 13 + (bitDepth - 8) fractional bits, as the package documents it:
// each coefficient rounded, one rounding at the end.
inline Map<Pixel> rgb(const cps::FrameView& f) {
  const Map<int> y = component(f, 0);
  Map<Pixel> out(y.height, y.width);
  const double top = std::pow(2.0, f.bitDepth) - 1, unit = std::pow(2.0, f.bitDepth - 8);
  const double one = std::pow(2.0, 13 + f.bitDepth - 8);
  const bool isRgb = f.color.matrix == cps::ColorMatrix::Rgb, gray = f.planes == 1;
  const bool full = f.color.fullRange || isRgb;
  const Map<int> u = gray ? y : component(f, 1), v = gray ? y : component(f, 2);
  double kr, kb;
  weights(f.color.matrix, kr, kb);
  const double chromaUnit = 255 / (full ? top : 224 * unit) * one;
  const int64_t lumaC = std::llround(255 / (full ? top : 219 * unit) * one);
  const int64_t redV = std::llround(2 * (1 - kr) * chromaUnit);
  const int64_t blueU = std::llround(2 * (1 - kb) * chromaUnit);
  const int64_t greenU = std::llround(-2 * kb * (1 - kb) / (1 - kr - kb) * chromaUnit);
  const int64_t greenV = std::llround(-2 * kr * (1 - kr) / (1 - kr - kb) * chromaUnit);
  const auto finish = [&](int64_t sum) {
    return int(std::min(255.0, std::max(0.0, std::floor(double(sum) / one + 0.5))));
  };
  for (size_t i = 0; i < out.values.size(); i++) {
    int* c = out.values[i].c;
    if (isRgb) {
      c[0] = finish(lumaC * y.values[i]);
      c[1] = finish(lumaC * u.values[i]);
      c[2] = finish(lumaC * v.values[i]);
      continue;
    }
    const int64_t luma = lumaC * (y.values[i] - (full ? 0 : int64_t(16 * unit)));
    const int64_t cb = gray ? 0 : u.values[i] - int64_t(128 * unit);
    const int64_t cr = gray ? 0 : v.values[i] - int64_t(128 * unit);
    c[0] = finish(luma + redV * cr);
    c[1] = finish(luma + greenU * cb + greenV * cr);
    c[2] = finish(luma + blueU * cb);
  }
  return out;
}

// Bilinear to another size in float32: half-pixel centres, no antialiasing, src = max(0, (dst +
// 0.5)
// * in / out - 0.5), neighbours clamped to the last row and column.
inline Map<float> resized(const Map<float>& in, int height, int width) {
  struct Tap {
    int a, b;
    float wa, wb;
  };
  const auto tap = [](int dst, int inSize, int outSize) -> Tap {
    if (inSize == outSize) return {dst, dst, 1.0f, 0.0f};
    const float ratio = float(inSize) / float(outSize);
    const float src = std::max(0.0f, (float(dst) + 0.5f) * ratio - 0.5f);
    const int a = std::min(inSize - 1, int(std::floor(src)));
    const float w = std::min(1.0f, src - float(a));
    return {a, std::min(inSize - 1, a + 1), 1.0f - w, w};
  };
  Map<float> out(height, width);
  for (int y = 0; y < height; y++) {
    const Tap ty = tap(y, in.height, height);
    for (int x = 0; x < width; x++) {
      const Tap tx = tap(x, in.width, width);
      const float top = in.at(ty.a, tx.a) * tx.wa + in.at(ty.a, tx.b) * tx.wb;
      const float bottom = in.at(ty.b, tx.a) * tx.wa + in.at(ty.b, tx.b) * tx.wb;
      out.at(y, x) = top * ty.wa + bottom * ty.wb;
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
