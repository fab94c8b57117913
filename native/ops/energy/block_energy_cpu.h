#pragma once

#include <cstdint>

#include "core/cancel.h"
#include "core/picture.h"
#include "ops/geometry.h"
#include "ops/scratch.h"
#include "ops/simd/table.h"

namespace cps {

// Energy 'block' on the CPU; contracts in kernels.h. `cancel` may be null; it is heard at each row
// of cells or blocks, since one picture may be very large.
void lumaCellsCpu(const OpsTable& ops, ScratchPool& scratch, const FrameView& frame,
                  const CellGrid& grid, uint8_t* out, const CancelToken* cancel);
void blockMatchCpu(const OpsTable& ops, ScratchPool& scratch, const uint8_t* cur,
                   const uint8_t* prev, const CellGrid& grid, uint8_t* motion2, uint8_t* residual,
                   const CancelToken* cancel, uint8_t* ranks = nullptr);
void blockScoresCpu(const OpsTable& ops, ScratchPool& scratch, const uint8_t* motion2,
                    const uint8_t* residual, const CellGrid& cells, const PatchGrid& grid,
                    double energyPct, float* scores, const CancelToken* cancel);

}  // namespace cps
