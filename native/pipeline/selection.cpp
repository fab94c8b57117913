#include "pipeline/selection.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "ops/energy/percentile_math.h"

namespace cps {
namespace {

// The value with the rank of DESIGN section 4.6.
float percentileOf(std::vector<float>& values, double pct) {
  const auto rank = percentileRank(pct, static_cast<int64_t>(values.size()));
  auto nth = values.begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(values.begin(), nth, values.end());
  return *nth;
}

bool isStatic(std::span<const float> unitScores, int32_t unitArea, const PatchOptions& options) {
  std::vector<float> means(unitScores.begin(), unitScores.end());
  for (float& m : means) m /= static_cast<float>(unitArea);
  const float p95 = percentileOf(means, 95);
  const float p50 = percentileOf(means, 50);
  auto threshold = static_cast<float>(options.staticAbsThresh);
  if (threshold > 1.0f) threshold /= 255.0f;
  threshold = std::clamp(threshold, 0.0f, 1.0f);
  const float relative = std::max(0.0f, static_cast<float>(options.staticRelThresh));
  return p95 < threshold ||
         (p95 < 2.0f * threshold && (p95 - p50) / std::max(p95, 1e-6f) < relative);
}

// One integer that orders units as DESIGN section 4 does. All keys of one selection differ, so the
// k largest are unique. Bits: 63 isI, 62..31 score, 30..0 inverted index.
uint64_t unitKey(bool isI, float score, int32_t index) {
  return static_cast<uint64_t>(isI ? 1 : 0) << 63 |
         static_cast<uint64_t>(orderedBits(score)) << 31 |
         static_cast<uint64_t>(0x7fffffff - index);
}
int32_t unitIndex(uint64_t key) { return 0x7fffffff - static_cast<int32_t>(key & 0x7fffffff); }

void checkCancel(const CancelPtr& cancel) {
  if (cancel) cancel->check(Stage::Process);
}

}  // namespace

std::vector<float> staticFallbackBoosts(const Units& units, std::span<const uint8_t> isI,
                                        int32_t unitArea, const PatchOptions& options) {
  std::vector<float> boosts(isI.size(), 0.0f);
  std::vector<size_t> others;  // frames that are not I, in order
  float low = std::numeric_limits<float>::infinity();
  float high = -low;
  for (size_t t = 0; t < isI.size(); ++t) {
    if (isI[t] != 0) continue;
    others.push_back(t);
    const auto perFrame = static_cast<size_t>(units.perFrame);
    const auto ofFrame = units.scores.subspan(t * perFrame, perFrame);
    const auto [lowest, highest] = std::minmax_element(ofFrame.begin(), ofFrame.end());
    low = std::min(low, *lowest);
    high = std::max(high, *highest);
  }
  if (others.empty() || options.staticUniformFrames <= 0) return boosts;
  if (!isStatic(units.scores, unitArea, options)) return boosts;
  const size_t n = others.size();
  const size_t chosen = std::clamp<size_t>(static_cast<size_t>(options.staticUniformFrames), 1, n);
  for (size_t j = 0; j < chosen; ++j) boosts[others[j * n / chosen]] = high - low + 1.0f;
  return boosts;
}

std::vector<int32_t> bestUnits(const Units& units, std::span<const uint8_t> isI,
                               std::span<const float> boosts, int64_t k, const CancelPtr& cancel) {
  std::vector<uint64_t> keys;
  keys.reserve(units.scores.size());
  int32_t index = 0;
  for (size_t t = 0; t < isI.size(); ++t) {
    checkCancel(cancel);
    for (int32_t u = 0; u < units.perFrame; ++u, ++index) {
      const float score = units.scores[static_cast<size_t>(index)] + boosts[t];
      keys.push_back(unitKey(isI[t] != 0, score, index));
    }
  }
  const auto end = keys.begin() + k;
  if (end != keys.end()) std::nth_element(keys.begin(), end, keys.end(), std::greater<>());
  std::vector<int32_t> best(static_cast<size_t>(k));
  std::transform(keys.begin(), end, best.begin(), unitIndex);
  std::sort(best.begin(), best.end());
  return best;
}

std::vector<float> block2x2Scores(std::span<const float> scores, const PatchGrid& grid) {
  std::vector<float> sums;
  sums.reserve(scores.size() / 4);
  // Rows of all frames in one go: a frame has an even number of them.
  const auto cols = static_cast<size_t>(grid.cols);
  for (size_t top = 0; top < scores.size(); top += 2 * cols) {
    for (size_t i = top; i + 1 < top + cols; i += 2) {
      sums.push_back(((scores[i] + scores[i + 1]) + scores[i + cols]) + scores[i + cols + 1]);
    }
  }
  return sums;
}

std::vector<int32_t> selectPatches(const SelectionInput& input, const PatchOptions& options,
                                   const CancelPtr& cancel) {
  const PatchGrid& grid = input.grid;
  const bool blocks = options.selectionUnit == SelectionUnit::Block2x2;
  const int32_t patchesPerUnit = blocks ? 4 : 1;
  std::vector<float> sums;
  if (blocks) sums = block2x2Scores(input.scores, grid);
  const Units units{blocks ? std::span<const float>(sums) : input.scores,
                    grid.perFrame() / patchesPerUnit};
  const auto all = static_cast<int64_t>(units.scores.size());
  const int64_t k = std::min<int64_t>(options.kKeep / patchesPerUnit, all);
  if (k <= 0) return {};

  std::vector<float> boosts(input.isI.size(), 0.0f);
  const int64_t iUnits =
      std::count_if(input.isI.begin(), input.isI.end(), [](uint8_t f) { return f != 0; }) *
      int64_t{units.perFrame};
  if (options.staticFallback && iUnits < k) {
    const int32_t unitArea = grid.patchSize * grid.patchSize * patchesPerUnit;
    boosts = staticFallbackBoosts(units, input.isI, unitArea, options);
  }

  const std::vector<int32_t> best = bestUnits(units, input.isI, boosts, k, cancel);
  if (!blocks) return best;

  std::vector<int32_t> patches;
  patches.reserve(best.size() * 4);
  const int32_t blockCols = grid.cols / 2;
  for (const int32_t unit : best) {
    const int32_t frame = unit / units.perFrame;
    const int32_t inFrame = unit % units.perFrame;
    const int32_t row = inFrame / blockCols * 2;
    const int32_t col = inFrame % blockCols * 2;
    const int32_t base = (frame * grid.rows + row) * grid.cols + col;
    for (const int32_t offset : {0, 1, grid.cols, grid.cols + 1}) patches.push_back(base + offset);
  }
  return patches;
}

}  // namespace cps
