#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/cancel.h"
#include "core/options.h"
#include "ops/geometry.h"

namespace cps {

// Note [Selection on the host]
// Scores are downloaded anyway, as part of the result; choosing among a few thousand of them takes
// microseconds. So the selection is written once, here, for every device (DESIGN sections 4.4 and
// 4.5): the same indices wherever the scores come from.

struct SelectionInput {
  std::span<const float> scores;  // [T, rows, cols]
  std::span<const uint8_t> isI;   // [T]
  PatchGrid grid;
};

// Linear patch indices in the order of the result: units ascending, a block as base, base + 1,
// base + cols, base + cols + 1.
std::vector<int32_t> selectPatches(const SelectionInput& input, const PatchOptions& options,
                                   const CancelPtr& cancel);

// What competes: patches, or blocks of 2x2 patches.
struct Units {
  std::span<const float> scores;  // [frames * perFrame]
  int32_t perFrame = 0;
};

// The score added to every unit of a frame when the clip counts as static; all zero otherwise.
// unitArea: in pixels of the resized picture.
std::vector<float> staticFallbackBoosts(const Units& units, std::span<const uint8_t> isI,
                                        int32_t unitArea, const PatchOptions& options);

// Indices of the k best units, ascending. Best: units of I frames before all others, then the
// higher score with its frame's boost (NaN below everything, -0 as 0), then the lower index.
// 0 < k <= all units; isI and boosts: [frames].
std::vector<int32_t> bestUnits(const Units& units, std::span<const uint8_t> isI,
                               std::span<const float> boosts, int64_t k, const CancelPtr& cancel);

// Per block of 2x2 patches the sum of its four scores, added in the order base, base + 1,
// base + cols, base + cols + 1. [frames, rows / 2, cols / 2]
std::vector<float> block2x2Scores(std::span<const float> scores, const PatchGrid& grid);

}  // namespace cps
