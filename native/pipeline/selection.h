#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/cancel.h"
#include "core/options.h"
#include "ops/geometry.h"
#include "pipeline/selection_rule.h"

namespace cps {

// Note [Selection on the host]
// Scores are downloaded anyway, as part of the result; choosing among a few thousand of them takes
// microseconds. So the selection is written once, here, for every device: the same indices wherever
// the scores come from.

struct SelectionInput {
  std::span<const float> scores;        // [T, rows, cols]
  std::span<const uint8_t> isI;         // [T]
  std::span<const uint8_t> candidates;  // [rows, cols], the same for each frame
  PatchGrid grid;
};

struct Selection {
  // Linear patch indices in the order of the result: units ascending, a block as base, base + 1,
  // base + cols, base + cols + 1.
  std::vector<int32_t> patches;
  // Key frames, which come before others, left nothing for those.
  bool keyFramesFilledK = false;
};

// Throws Error(InvalidArgument) where no unit is a candidate, or where the first frame's do not
// fit.
void checkCandidates(std::span<const uint8_t> candidates, const PatchGrid& grid,
                     const SelectionRule& rule, int64_t frames);

// By Note [Selection]. Throws as above, and where all frames are key frames and those are out.
Selection selectPatches(const SelectionInput& input, const SelectionRule& rule,
                        const PatchOptions& options, const CancelPtr& cancel);

// What competes: patches, or blocks of 2x2 patches.
struct Units {
  std::span<const float> scores;        // [frames * perFrame]
  std::span<const uint8_t> candidates;  // [perFrame]
  size_t perFrame() const { return candidates.size(); }
};

// The score added to every unit of a frame when the clip counts as static; all zero otherwise.
// Both are decided by candidates alone, those of key frames included. unitArea: in pixels of the
// resized picture.
std::vector<float> staticFallbackBoosts(const Units& units, std::span<const uint8_t> isI,
                                        int32_t unitArea, const PatchOptions& options);

// Indices of the chosen units, ascending; scores count with their frame's boost (NaN below
// everything, -0 as 0). isI and boosts: [frames].
std::vector<int32_t> chooseUnits(const Units& units, std::span<const uint8_t> isI,
                                 std::span<const float> boosts, const SelectionRule& rule,
                                 const CancelPtr& cancel);

// Per block of 2x2 patches the sum of its four scores, added in the order base, base + 1,
// base + cols, base + cols + 1. [frames, rows / 2, cols / 2]
std::vector<float> block2x2Scores(std::span<const float> scores, const PatchGrid& grid);

}  // namespace cps
