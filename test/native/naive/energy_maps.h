#pragma once

#include "naive/energy_block.h"

// The energies on cell maps: 'adjacent', 'accumulated', scopes, texture, global motion. Plain loops
// over whole maps, written from the text.
namespace naive {

// Displacement and residual of every cell.
struct CellMotion {
  Map<int> dy, dx, residual;
};

// levels[l]: cells of half the side of those of level l - 1.
inline CellMotion pyramidMatch(const std::vector<Map<int>>& cur,
                               const std::vector<Map<int>>& prev) {
  const int blockRows = (cur[0].height + 3) / 4, blockCols = (cur[0].width + 3) / 4;
  Map<int> dy(blockRows, blockCols), dx(blockRows, blockCols);
  CellMotion out;
  for (size_t level = 0; level < cur.size(); level++) {
    const Map<int>&c = cur[level], &p = prev[level];
    const int side = 4 << level, radius = level == 0 ? 4 : 1;
    const auto difference = [&](int y, int x, int my, int mx) {
      const int py = std::min(std::max(y - my, 0), c.height - 1);
      const int px = std::min(std::max(x - mx, 0), c.width - 1);
      return std::abs(c.at(y, x) - p.at(py, px));
    };
    out = {Map<int>(c.height, c.width), Map<int>(c.height, c.width), Map<int>(c.height, c.width)};
    for (int by = 0; by < blockRows; by++) {
      for (int bx = 0; bx < blockCols; bx++) {
        const int yEnd = std::min((by + 1) * side, c.height);
        const int xEnd = std::min((bx + 1) * side, c.width);
        const int y0 = level == 0 ? 0 : 2 * dy.at(by, bx), x0 = level == 0 ? 0 : 2 * dx.at(by, bx);
        // cost, then the offset's length, dy and dx: the smallest tuple wins.
        std::tuple<int, int, int, int> best{1 << 30, 0, 0, 0};
        for (int oy = -radius; oy <= radius; oy++) {
          for (int ox = -radius; ox <= radius; ox++) {
            int cost = side * side / 4 * (std::abs(y0 + oy) + std::abs(x0 + ox));
            for (int y = by * side; y < yEnd; y++) {
              for (int x = bx * side; x < xEnd; x++) cost += difference(y, x, y0 + oy, x0 + ox);
            }
            best = std::min(best, {cost, oy * oy + ox * ox, oy, ox});
          }
        }
        const int my = y0 + std::get<2>(best), mx = x0 + std::get<3>(best);
        dy.at(by, bx) = my;
        dx.at(by, bx) = mx;
        for (int y = by * side; y < yEnd; y++) {
          for (int x = bx * side; x < xEnd; x++) {
            out.dy.at(y, x) = my;
            out.dx.at(y, x) = mx;
            out.residual.at(y, x) = difference(y, x, my, mx);
          }
        }
      }
    }
  }
  return out;
}

inline BlockMotion squared(const CellMotion& m) {
  BlockMotion out{Map<int>(m.dy.height, m.dy.width), m.residual};
  for (size_t i = 0; i < out.motion2.values.size(); i++) {
    const int dy = m.dy.values[i], dx = m.dx.values[i];
    out.motion2.values[i] = dy * dy + dx * dx;
  }
  return out;
}

// max - min of the 3x3 cells around each.
inline Map<int> texture(const Map<int>& cells) {
  Map<int> out(cells.height, cells.width);
  for (int y = 0; y < cells.height; y++) {
    for (int x = 0; x < cells.width; x++) {
      std::vector<int> around;
      for (int dy = -1; dy <= 1; dy++) {
        for (int dx = -1; dx <= 1; dx++) {
          around.push_back(cells.at(std::min(std::max(y + dy, 0), cells.height - 1),
                                    std::min(std::max(x + dx, 0), cells.width - 1)));
        }
      }
      std::sort(around.begin(), around.end());
      out.at(y, x) = around.back() - around.front();
    }
  }
  return out;
}

// Takes the frame's own motion off blocks of `side` cells.
inline CellMotion withoutGlobalMotion(CellMotion m, int side) {
  struct Block {
    int y, x, dy, dx;
    long level;
  };
  std::vector<Block> blocks;
  for (int y = 0; y < m.dy.height; y += side) {
    for (int x = 0; x < m.dy.width; x += side) {
      long sum = 0, n = 0;
      for (int yy = y; yy < std::min(y + side, m.dy.height); yy++) {
        for (int xx = x; xx < std::min(x + side, m.dy.width); xx++, n++)
          sum += m.residual.at(yy, xx);
      }
      blocks.push_back({y, x, m.dy.at(y, x), m.dx.at(y, x), 256 * sum / n});
    }
  }
  const auto median = [](auto values) {
    std::sort(values.begin(), values.end());
    return values[(values.size() - 1) / 2];
  };
  std::vector<long> levels;
  for (const Block& b : blocks) levels.push_back(b.level);
  const long most = median(levels);
  std::vector<int> dy, dx;
  for (const Block& b : blocks) {
    if (b.level > most) continue;
    dy.push_back(b.dy);
    dx.push_back(b.dx);
  }
  const int my = median(dy), mx = median(dx);
  for (int& v : m.dy.values) v -= my;
  for (int& v : m.dx.values) v -= mx;
  return m;
}

inline Map<float> accumulatedEnergy(const Map<int>& sums, double pct) {
  const float r = std::max(float(percentile(sums.values, pct)), 1.0f);
  Map<float> out(sums.height, sums.width);
  for (size_t i = 0; i < out.values.size(); i++) {
    out.values[i] = std::min(float(sums.values[i]) / r, 1.0f);
  }
  return out;
}

}  // namespace naive
