#pragma once

#include <cstdint>
#include <span>

#include "core/motion.h"
#include "core/picture.h"
#include "ops/energy/cell_maps.h"
#include "ops/geometry.h"

namespace cps {

// Note [Codec motion]
// Energy 'codec': displacements are the stream's own vectors, from a block of this picture to where
// its reference has it, in quarter samples, turned with the picture; a block is a cell here. A cell
// belongs to the block that covers its sample (start + cell / 2, the last one of the picture at
// most). Its residual is the difference between the cell and the rounded mean of the reference's
// samples under the cell moved by the vector in whole samples, floor((m + 2) / 4), clamped to the
// picture. Cells without a vector are intra: kNoMove, and compared with the reference unmoved.
//
// `cells`: those of `frame`. `reference`: the luma of the picture it refers to, of the same size
// and orientation. Host memory.
void codecMapsCpu(const FrameView& frame, const FrameView& reference,
                  std::span<const MotionBlock> motion, const uint8_t* cells, const CellGrid& grid,
                  Move* moves, uint8_t* residual);

}  // namespace cps
