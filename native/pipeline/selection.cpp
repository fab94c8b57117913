#include "pipeline/selection.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/buffer.h"
#include "ops/percentile_math.h"

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

}  // namespace

std::vector<float> staticFallbackBoosts(std::span<const float> unitScores,
                                        std::span<const uint8_t> isI, int32_t unitsPerFrame,
                                        int32_t unitArea, const PatchOptions& options) {
  std::vector<float> boosts(isI.size(), 0.0f);
  std::vector<size_t> others;  // frames that are not I, in order
  float low = std::numeric_limits<float>::infinity();
  float high = -low;
  for (size_t t = 0; t < isI.size(); ++t) {
    if (isI[t] != 0) continue;
    others.push_back(t);
    const auto units = unitScores.subspan(t * static_cast<size_t>(unitsPerFrame),
                                          static_cast<size_t>(unitsPerFrame));
    const auto [lowest, highest] = std::minmax_element(units.begin(), units.end());
    low = std::min(low, *lowest);
    high = std::max(high, *highest);
  }
  if (others.empty() || options.staticUniformFrames <= 0) return boosts;
  if (!isStatic(unitScores, unitArea, options)) return boosts;
  const size_t n = others.size();
  const size_t chosen = std::clamp<size_t>(static_cast<size_t>(options.staticUniformFrames), 1, n);
  for (size_t j = 0; j < chosen; ++j) boosts[others[j * n / chosen]] = high - low + 1.0f;
  return boosts;
}

std::vector<int32_t> selectPatches(const SelectionInput& input, const PatchOptions& options,
                                   Kernels& kernels) {
  const PatchGrid& grid = input.grid;
  const auto frames = static_cast<int32_t>(input.isI.size());
  const bool blocks = options.selectionUnit == SelectionUnit::Block2x2;
  const int32_t patchesPerUnit = blocks ? 4 : 1;
  const int32_t unitsPerFrame = grid.perFrame() / patchesPerUnit;
  const int64_t allUnits = int64_t{frames} * unitsPerFrame;
  const int64_t k = std::min<int64_t>(options.kKeep / patchesPerUnit, allUnits);
  if (k <= 0) return {};

  Buffer blockScores;
  const float* unitScores = input.scores;
  if (blocks) {
    blockScores = Buffer::allocate(kernels.memory(), static_cast<size_t>(allUnits) * sizeof(float));
    kernels.block2x2Scores(input.scores, grid, frames, blockScores.as<float>());
    unitScores = blockScores.as<float>();
  }

  std::vector<float> boosts(input.isI.size(), 0.0f);
  const int64_t iUnits =
      std::count_if(input.isI.begin(), input.isI.end(), [](uint8_t f) { return f != 0; }) *
      int64_t{unitsPerFrame};
  if (options.staticFallback && iUnits < k) {
    std::vector<float> host(static_cast<size_t>(allUnits));
    kernels.download(host.data(), unitScores, host.size() * sizeof(float));
    boosts = staticFallbackBoosts(host, input.isI, unitsPerFrame,
                                  grid.patchSize * grid.patchSize * patchesPerUnit, options);
  }

  std::vector<int32_t> units(static_cast<size_t>(k));
  kernels.topK({unitScores, input.isI, boosts, unitsPerFrame, k}, units.data());
  if (!blocks) return units;

  std::vector<int32_t> patches;
  patches.reserve(units.size() * 4);
  const int32_t blockCols = grid.cols / 2;
  for (const int32_t unit : units) {
    const int32_t frame = unit / unitsPerFrame;
    const int32_t inFrame = unit % unitsPerFrame;
    const int32_t row = inFrame / blockCols * 2;
    const int32_t col = inFrame % blockCols * 2;
    const int32_t base = (frame * grid.rows + row) * grid.cols + col;
    for (const int32_t offset : {0, 1, grid.cols, grid.cols + 1}) patches.push_back(base + offset);
  }
  return patches;
}

}  // namespace cps
