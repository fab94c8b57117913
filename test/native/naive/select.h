#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

namespace naive {

// The k best units, I units first, then higher score, then lower index; in ascending order.
inline std::vector<int32_t> topK(const std::vector<float>& scores, const std::vector<bool>& isI,
                                 int64_t k) {
  std::vector<int32_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    if (isI[a] != isI[b]) return bool(isI[a]);
    return scores[a] > scores[b];
  });
  order.resize(static_cast<size_t>(k));
  std::sort(order.begin(), order.end());
  return order;
}

// Scores of 2x2 blocks of a grid of one frame.
inline std::vector<float> blocks(const std::vector<float>& scores, int rows, int cols) {
  std::vector<float> out;
  for (int y = 0; y < rows; y += 2) {
    for (int x = 0; x < cols; x += 2) {
      const size_t base = size_t(y) * cols + x;
      out.push_back(scores[base] + scores[base + 1] + scores[base + cols] +
                    scores[base + cols + 1]);
    }
  }
  return out;
}

}  // namespace naive
