#pragma once

#include <cstdint>

#include "core/cancel.h"
#include "ops/energy/cell_counts.h"
#include "ops/energy/cell_maps.h"
#include "ops/geometry.h"
#include "ops/scratch.h"
#include "ops/simd/table.h"

namespace cps {

// Cell maps on the CPU; contracts in kernels.h. `cancel` may be null.
void pyramidMatchCpu(const OpsTable& ops, ScratchPool& scratch, const uint8_t* const* cur,
                     const uint8_t* const* prev, const PyramidGrid& grid, Move* moves,
                     uint8_t* residual, const CancelToken* cancel);
// Texture of each cell as residuals of that many bytes.
void cellTextureCpu(const uint8_t* cells, const CellGrid& grid, int32_t residualBytes, void* out);
// Host memory: every cell's values; `motion2` may be null.
void expandMaps(const CellMaps& maps, const CellPercentiles& percentiles, int32_t* motion2,
                int32_t* residual, float* energy);
void countCellsCpu(const CellMaps& maps, CellCounts& counts);
void cellScoresCpu(ScratchPool& scratch, const CellMaps& maps, const CellPercentiles& percentiles,
                   const PatchGrid& grid, float* scores, const CancelToken* cancel);

}  // namespace cps
