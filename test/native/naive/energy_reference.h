#pragma once

#include <algorithm>
#include <cmath>

#include "naive/energy_block.h"
#include "naive/picture.h"

namespace naive {

inline int referenceSide(int side) { return std::min(side, std::max(32, side / 4)); }

// Of a video of another size where one is given.
inline Map<float> referenceLuma(const cps::FrameView& f, int height = 0, int width = 0) {
  const Map<Pixel> picture = rgb(f);
  Map<float> luma(picture.height, picture.width);
  for (size_t i = 0; i < luma.values.size(); i++) {
    const int* p = picture.values[i].c;
    luma.values[i] = 0.299f * float(p[0]) + 0.587f * float(p[1]) + 0.114f * float(p[2]);
  }
  if (height == 0) height = luma.height, width = luma.width;
  return resized(luma, referenceSide(height), referenceSide(width));
}

struct ReferenceMotion {
  Map<float> motion, residual;
};

inline ReferenceMotion referenceMatch(const Map<float>& cur, const Map<float>& prev) {
  const int r = std::max(1, std::min(4, std::max(1, std::min(cur.height, cur.width) / 2)));
  ReferenceMotion out{Map<float>(cur.height, cur.width), Map<float>(cur.height, cur.width)};
  for (int y = 0; y < cur.height; y++) {
    for (int x = 0; x < cur.width; x++) {
      float best = INFINITY, motion = 0;
      for (int dy = -r; dy <= r; dy++) {
        for (int dx = -r; dx <= r; dx++) {
          const int py = y - dy, px = x - dx;
          if (py < 0 || px < 0 || py >= cur.height || px >= cur.width) continue;
          const float d = std::abs(cur.at(y, x) - prev.at(py, px));
          if (d < best) best = d, motion = std::sqrt(float(dx * dx + dy * dy));
        }
      }
      out.motion.at(y, x) = motion;
      out.residual.at(y, x) = best;
    }
  }
  return out;
}

inline Map<float> normalised(Map<float> map, double pct) {
  const float p = std::max(percentile(map.values, pct), 1e-6f);
  for (float& v : map.values) v = std::min(std::max(v / p, 0.0f), 1.0f);
  return map;
}

// Patch scores through the full-size map.
inline Map<float> referenceScores(const ReferenceMotion& match, double pct, int height, int width,
                                  int targetHeight, int targetWidth, int patch) {
  const Map<float> m = normalised(match.motion, pct), r = normalised(match.residual, pct);
  Map<float> energy(m.height, m.width);
  for (size_t i = 0; i < energy.values.size(); i++) {
    energy.values[i] = 0.5f * (m.values[i] + r.values[i]);
  }
  Map<float> full = resized(energy, height, width);
  for (float& v : full.values) v = std::min(std::max(v, 0.0f), 1.0f);
  const Map<float> target = resized(full, targetHeight, targetWidth);
  Map<float> out(targetHeight / patch, targetWidth / patch);
  for (int i = 0; i < out.height; i++) {
    for (int j = 0; j < out.width; j++) {
      float total = 0;
      for (int y = 0; y < patch; y++) {
        float row = 0;
        for (int x = 0; x < patch; x++) row += target.at(i * patch + y, j * patch + x);
        total += row;
      }
      out.at(i, j) = total;
    }
  }
  return out;
}

}  // namespace naive
