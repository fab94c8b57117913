#pragma once

#include "core/motion.h"
#include "naive/energy_block.h"

// Energy 'codec', written from the text: vectors per sample, turned with the picture.
namespace naive {

struct CodecMaps {
  Map<int> motion2, residual;  // per cell
};

// Vectors of the displayed picture in quarter samples; has = 0: none.
struct Vectors {
  Map<int> y, x, has;
};

inline Vectors vectorsOf(const cps::FrameView& f, const std::vector<cps::MotionBlock>& blocks) {
  Vectors v{Map<int>(f.height, f.width), Map<int>(f.height, f.width), Map<int>(f.height, f.width)};
  const auto clamped = [](int m) { return std::max(-2047, std::min(2047, m)); };
  for (const cps::MotionBlock& b : blocks) {
    for (int y = std::max(0, b.top); y < std::min(f.height, b.top + b.height); y++) {
      for (int x = std::max(0, b.left); x < std::min(f.width, b.left + b.width); x++) {
        v.y.at(y, x) = clamped(b.my);
        v.x.at(y, x) = clamped(b.mx);
        v.has.at(y, x) = 1;
      }
    }
  }
  const auto eachMap = [&](const auto& turn) {
    v.y = turn(v.y);
    v.x = turn(v.x);
    v.has = turn(v.has);
  };
  if (f.orientation.flipY) {
    eachMap([](const Map<int>& m) { return flippedRows(m); });
    for (int& m : v.y.values) m = -m;
  }
  if (f.orientation.flipX) {
    eachMap([](const Map<int>& m) { return flippedColumns(m); });
    for (int& m : v.x.values) m = -m;
  }
  if (f.orientation.swapXY) {
    eachMap([](const Map<int>& m) { return transposed(m); });
    std::swap(v.y, v.x);
  }
  return v;
}

inline CodecMaps codecMaps(const cps::FrameView& cur, const cps::FrameView& ref,
                           const std::vector<cps::MotionBlock>& blocks) {
  const Map<int> own = cells(cur), before = component(ref, 0);
  const Vectors v = vectorsOf(cur, blocks);
  const int c = cellSize(before.height, before.width);
  CodecMaps out{Map<int>(own.height, own.width), Map<int>(own.height, own.width)};
  for (int row = 0; row < own.height; row++) {
    for (int col = 0; col < own.width; col++) {
      const int sy = std::min(row * c + c / 2, before.height - 1);
      const int sx = std::min(col * c + c / 2, before.width - 1);
      const int my = v.has.at(sy, sx) ? v.y.at(sy, sx) : 0;
      const int mx = v.has.at(sy, sx) ? v.x.at(sy, sx) : 0;
      const int dy = int(std::floor((my + 2) / 4.0)), dx = int(std::floor((mx + 2) / 4.0));
      double sum = 0;
      int n = 0;
      for (int y = row * c; y < std::min(row * c + c, before.height); y++) {
        for (int x = col * c; x < std::min(col * c + c, before.width); x++, n++) {
          sum += before.at(std::max(0, std::min(before.height - 1, y + dy)),
                           std::max(0, std::min(before.width - 1, x + dx)));
        }
      }
      const int mean =
          std::min(255, int(std::floor(sum / (n * std::pow(2.0, cur.bitDepth - 8)) + 0.5)));
      out.motion2.at(row, col) = my * my + mx * mx;
      out.residual.at(row, col) = std::abs(own.at(row, col) - mean);
    }
  }
  return out;
}

}  // namespace naive
