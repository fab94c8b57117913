#pragma once

#include "ops/energy/cell_maps.h"

namespace cps {

// Note [Global motion]
// What most of a picture does is the camera's. A block's residual level is floor(256 * sum / cells)
// over its cells; the blocks whose level is at most the median one vote, dy and dx each have their
// median vote (rank floor((n - 1) / 2)), and that is taken off every block's displacement. Blocks
// without one (kNoMove) neither vote nor move. Host memory; `moves` are those of `maps`.
void subtractGlobalMotionCpu(const CellMaps& maps, Move* moves);

}  // namespace cps
