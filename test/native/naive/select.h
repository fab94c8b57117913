#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// The selection as docs/selection.md tells it, one unit after the other.
namespace naive {

struct Field {
  int rows = 0, cols = 0;     // of patches
  std::vector<float> scores;  // [T, rows, cols]
  std::vector<bool> isI;      // [T]
  std::vector<bool> ignored;  // [rows, cols]
  int patchSize = 14;
  int frames() const { return static_cast<int>(isI.size()); }
  int perFrame() const { return rows * cols; }
};

struct Asked {
  bool blocks = false, whole = false, reference = false;
  std::string keys = "auto";
  double k = 1;  // patches, before blocks cut it down
  double min = 0;
  std::optional<double> max = {};
  bool staticFallback = false;
  double staticAbs = 2, staticRel = 0.15;
  int staticFrames = 4;
};

// A patch or a block, with all that decides about it.
struct Unit {
  int frame = 0;
  float score = 0;
  std::vector<int> patches;
  bool candidate = true, taken = false;
};

inline std::vector<Unit> unitsOf(const Field& field, bool blocks) {
  std::vector<Unit> units;
  const int side = blocks ? 2 : 1;
  for (int t = 0; t < field.frames(); t++) {
    for (int y = 0; y < field.rows; y += side) {
      for (int x = 0; x < field.cols; x += side) {
        Unit unit;
        unit.frame = t;
        for (int dy = 0; dy < side; dy++) {
          for (int dx = 0; dx < side; dx++) {
            const int inFrame = (y + dy) * field.cols + x + dx;
            const int index = t * field.perFrame() + inFrame;
            unit.score =
                unit.patches.empty() ? field.scores[index] : unit.score + field.scores[index];
            unit.patches.push_back(index);
            if (field.ignored[inFrame]) unit.candidate = false;
          }
        }
        units.push_back(unit);
      }
    }
  }
  return units;
}

inline float rankOf(std::vector<float> values, double pct) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(std::floor(pct / 100 * double(values.size() - 1) + 0.5))];
}

// What a static clip adds to the units of some frames that are no key frames.
inline void boost(std::vector<Unit>& units, const Field& field, const Asked& asked) {
  std::vector<float> means, others;
  std::vector<int> frames;
  for (int t = 0; t < field.frames(); t++) {
    if (!field.isI[t]) frames.push_back(t);
  }
  const auto area = float(field.patchSize * field.patchSize * (asked.blocks ? 4 : 1));
  for (const Unit& unit : units) {
    if (!unit.candidate) continue;
    means.push_back(unit.score / area);
    if (!field.isI[unit.frame]) others.push_back(unit.score);
  }
  if (frames.empty() || means.empty() || asked.staticFrames == 0) return;
  const float p95 = rankOf(means, 95), p50 = rankOf(means, 50);
  float threshold = float(asked.staticAbs);
  if (threshold > 1) threshold /= 255;
  threshold = std::min(1.0f, std::max(0.0f, threshold));
  const bool small = p95 < threshold;
  const bool even = p95 < 2 * threshold &&
                    (p95 - p50) / std::max(p95, 1e-6f) < std::max(0.0f, float(asked.staticRel));
  if (!small && !even) return;
  const float added = *std::max_element(others.begin(), others.end()) -
                      *std::min_element(others.begin(), others.end()) + 1;
  const int n = static_cast<int>(frames.size()), count = std::min(n, asked.staticFrames);
  for (int j = 0; j < count; j++) {
    for (Unit& unit : units) {
      if (unit.frame == frames[j * n / count]) unit.score += added;
    }
  }
}

// Linear indices of the kept patches in the order of the result; nothing where options contradict
// each other or no candidate is left.
inline std::optional<std::vector<int32_t>> select(const Field& field, const Asked& asked) {
  std::vector<Unit> units = unitsOf(field, asked.blocks);
  const int per = asked.blocks ? 4 : 1, T = field.frames(), inFrame = field.perFrame() / per;
  std::string keys = asked.keys;
  if (keys == "auto") {
    keys = !asked.reference && asked.k < 2.0 * field.perFrame() ? "compete" : "before-others";
  }
  const auto bound = [&](double b) {
    return static_cast<int>(b < 1 ? std::floor(b * inFrame) : b / per);
  };
  const int K = std::max(1, static_cast<int>(asked.k) / per);
  const int least = bound(asked.min), most = asked.max ? bound(*asked.max) : 1 << 30;
  if (most == 0 || least > most || least * T > K) return std::nullopt;

  const auto competes = [&](const Unit& unit) {
    return unit.candidate && !(keys == "none" && field.isI[unit.frame]);
  };
  int whole = 0, ofKeys = 0;
  for (const Unit& unit : units) whole += unit.frame == 0 && unit.candidate;
  if (asked.whole && (whole > most || whole > K || whole + least * (T - 1) > K)) {
    return std::nullopt;
  }
  for (int t = 0; t < T; t++) ofKeys += field.isI[t] ? std::min(whole, most) : 0;
  if (asked.staticFallback && (keys != "before-others" || ofKeys < K)) boost(units, field, asked);

  std::vector<int> count(T, 0);
  int total = 0;
  const auto take = [&](Unit& unit) {
    unit.taken = true;
    count[unit.frame]++;
    total++;
  };
  if (asked.whole) {
    for (Unit& unit : units) {
      if (unit.frame == 0 && unit.candidate) take(unit);
    }
  }
  // The best one that is left of one frame, or of all.
  const auto best = [&](int frame) -> Unit* {
    Unit* found = nullptr;
    for (Unit& unit : units) {
      if (unit.taken || !competes(unit) || count[unit.frame] >= most) continue;
      if (frame >= 0 && unit.frame != frame) continue;
      const bool isKey = field.isI[unit.frame] && keys == "before-others";
      const bool other = found && field.isI[found->frame] && keys == "before-others";
      if (!found || (isKey && !other) || (isKey == other && unit.score > found->score)) {
        found = &unit;
      }
    }
    return found;
  };
  for (int t = 0; t < T; t++) {
    while (count[t] < least) {
      Unit* unit = best(t);
      if (!unit) break;
      take(*unit);
    }
  }
  while (total < K) {
    Unit* unit = best(-1);
    if (!unit) break;
    take(*unit);
  }
  if (total == 0) return std::nullopt;
  std::vector<int32_t> patches;
  for (const Unit& unit : units) {
    if (unit.taken) patches.insert(patches.end(), unit.patches.begin(), unit.patches.end());
  }
  return patches;
}

}  // namespace naive
