#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/options.h"
#include "ops/geometry.h"
#include "ops/kernels.h"

namespace cps {

// Selection policy: host logic over kernel results, the same for every device (DESIGN sections 4.4
// and 4.5).

struct SelectionInput {
  const float* scores = nullptr;  // [T, rows, cols], memory of the kernels' device
  std::span<const uint8_t> isI;   // [T]
  PatchGrid grid;
};

// Linear patch indices in the order of the result: units ascending, a block as base, base + 1,
// base + cols, base + cols + 1.
std::vector<int32_t> selectPatches(const SelectionInput& input, const PatchOptions& options,
                                   Kernels& kernels);

// The score added to every unit of a frame when the clip counts as static; all zero otherwise.
// unitScores: [frames * unitsPerFrame]; unitArea in pixels of the resized picture.
std::vector<float> staticFallbackBoosts(std::span<const float> unitScores,
                                        std::span<const uint8_t> isI, int32_t unitsPerFrame,
                                        int32_t unitArea, const PatchOptions& options);

}  // namespace cps
