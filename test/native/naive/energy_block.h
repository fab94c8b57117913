#pragma once

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <tuple>
#include <vector>

#include "naive/picture.h"

namespace naive {

// Value of 0-based rank round(pct / 100 * (n - 1)) in ascending order, pct clamped to [1, 100].
template <typename T>
T percentile(std::vector<T> values, double pct) {
  std::sort(values.begin(), values.end());
  pct = std::min(100.0, std::max(1.0, pct));
  return values[static_cast<size_t>(std::round(pct / 100 * double(values.size() - 1)))];
}

inline int cellSize(int height, int width) {
  const int m = std::min(height, width);
  if (m < 64) return 1;
  if (m < 128) return 2;
  return 4;
}

// Pixels [begin, end) of a side of `size` that cell `i` covers where the video's side has `video`.
inline std::pair<int, int> covered(int i, int cell, int video, int size) {
  const double scale = double(size) / video;
  const int begin = i * cell, end = std::min(video, begin + cell);
  if (size == video) return {begin, end};
  return {int(std::floor(begin * scale + 1e-9)), int(std::ceil(end * scale - 1e-9))};
}

// Cells of energy 'block': rounded means (halves up) of the luma samples each covers, 8-bit units.
// Of a video of another size where one is given, and of another side `c` than that of 'block'.
inline Map<int> cells(const cps::FrameView& f, int height = 0, int width = 0, int c = 0) {
  Map<int> luma = component(f, 0);
  int depth = f.bitDepth;
  if (f.color.matrix == cps::ColorMatrix::Rgb) {
    const Map<Pixel> picture = rgb(f);
    for (size_t i = 0; i < luma.values.size(); i++) {
      const int* p = picture.values[i].c;
      luma.values[i] = (2 * (299 * p[0] + 587 * p[1] + 114 * p[2]) + 1000) / 2000;
    }
    depth = 8;
  }
  if (height == 0) height = luma.height, width = luma.width;
  if (c == 0) c = cellSize(height, width);
  Map<int> out((height + c - 1) / c, (width + c - 1) / c);
  for (int y = 0; y < out.height; y++) {
    for (int x = 0; x < out.width; x++) {
      double sum = 0;
      int n = 0;
      const auto [top, bottom] = covered(y, c, height, luma.height);
      const auto [left, right] = covered(x, c, width, luma.width);
      for (int yy = top; yy < bottom; yy++) {
        for (int xx = left; xx < right; xx++, n++) sum += luma.at(yy, xx);
      }
      out.at(y, x) = std::min(255, int(std::floor(sum / (n * std::pow(2.0, depth - 8)) + 0.5)));
    }
  }
  return out;
}

struct BlockMotion {
  Map<int> motion2;   // per cell: dy^2 + dx^2 of its block
  Map<int> residual;  // per cell
};

inline BlockMotion blockMatch(const Map<int>& cur, const Map<int>& prev) {
  BlockMotion out{Map<int>(cur.height, cur.width), Map<int>(cur.height, cur.width)};
  const auto difference = [&](int y, int x, int dy, int dx) {
    const int py = std::min(std::max(y - dy, 0), cur.height - 1);
    const int px = std::min(std::max(x - dx, 0), cur.width - 1);
    return std::abs(cur.at(y, x) - prev.at(py, px));
  };
  for (int by = 0; by < cur.height; by += 4) {
    for (int bx = 0; bx < cur.width; bx += 4) {
      const int yEnd = std::min(by + 4, cur.height), xEnd = std::min(bx + 4, cur.width);
      // cost, dy^2+dx^2, dy, dx: the smallest tuple wins.
      std::tuple<int, int, int, int> best{1 << 30, 0, 0, 0};
      for (int dy = -4; dy <= 4; dy++) {
        for (int dx = -4; dx <= 4; dx++) {
          int cost = 4 * (std::abs(dy) + std::abs(dx));
          for (int y = by; y < yEnd; y++) {
            for (int x = bx; x < xEnd; x++) cost += difference(y, x, dy, dx);
          }
          best = std::min(best, {cost, dy * dy + dx * dx, dy, dx});
        }
      }
      const auto [cost, motion2, dy, dx] = best;
      for (int y = by; y < yEnd; y++) {
        for (int x = bx; x < xEnd; x++) {
          out.motion2.at(y, x) = motion2;
          out.residual.at(y, x) = difference(y, x, dy, dx);
        }
      }
    }
  }
  return out;
}

// Energy of each cell.
inline Map<float> blockEnergy(const BlockMotion& match, double pct) {
  const int m2 = percentile(match.motion2.values, pct), r = percentile(match.residual.values, pct);
  const float m = std::max(std::sqrt(float(m2)), 1.0f), rr = std::max(float(r), 1.0f);
  Map<float> out(match.motion2.height, match.motion2.width);
  for (size_t i = 0; i < out.values.size(); i++) {
    const float motion = std::min(std::sqrt(float(match.motion2.values[i])) / m, 1.0f);
    const float residual = std::min(float(match.residual.values[i]) / rr, 1.0f);
    out.values[i] = 0.5f * (motion + residual);
  }
  return out;
}

// Patch scores in float32, summed over columns, then rows, in ascending order; a weight is the
// overlapping length over the patch's length.
inline Map<float> blockScores(const Map<float>& energy, int height, int width, int hb, int wb,
                              int patch, int c = 0) {
  if (c == 0) c = cellSize(height, width);
  // Overlap of [i * size / n, (i+1) * size / n) with [cell * c, (cell+1) * c), in 1/n pixels.
  const auto weight = [c](int cell, int i, int n, int size) {
    const int64_t a = std::max(int64_t(i) * size, int64_t(cell) * c * n);
    const int64_t b =
        std::min(int64_t(i + 1) * size, std::min(int64_t(cell + 1) * c, int64_t(size)) * n);
    return b > a ? float(b - a) / float(size) : 0.0f;
  };
  Map<float> out(hb, wb);
  for (int i = 0; i < hb; i++) {
    for (int j = 0; j < wb; j++) {
      float total = 0;
      for (int y = 0; y < energy.height; y++) {
        const float wy = weight(y, i, hb, height);
        if (wy == 0) continue;
        float row = 0;
        for (int x = 0; x < energy.width; x++) {
          const float wx = weight(x, j, wb, width);
          if (wx != 0) row += wx * energy.at(y, x);
        }
        total += wy * row;
      }
      out.at(i, j) = total * float(patch * patch);
    }
  }
  return out;
}

// The same as a plain mean over a picture magnified hb x wb times, in double: no weights at all.
// Only for small pictures.
inline Map<double> blockScoresByCounting(const Map<float>& energy, int height, int width, int hb,
                                         int wb, int patch) {
  const int c = cellSize(height, width);
  Map<double> out(hb, wb);
  for (int64_t y = 0; y < int64_t(height) * hb; y++) {
    for (int64_t x = 0; x < int64_t(width) * wb; x++) {
      out.at(int(y / height), int(x / width)) += energy.at(int(y / hb / c), int(x / wb / c));
    }
  }
  for (double& v : out.values) v *= double(patch) * patch / (double(height) * width);
  return out;
}

}  // namespace naive
