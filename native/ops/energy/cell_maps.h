#pragma once

#include <cstdint>

#include "ops/geometry.h"
#include "ops/hd.h"

namespace cps {

// Displacement of a block: its cells are compared with those (dy, dx) above and left of them.
struct Move {
  int16_t dy, dx;
};

// Of what has no displacement: 0, and not part of Note [Global motion].
constexpr Move kNoMove = {INT16_MIN, INT16_MIN};
CPS_HD bool isNoMove(Move m) { return m.dy == INT16_MIN; }

// Note [Cell maps]
// What a frame's energy is made of: a displacement per block and a residual per cell. Of these come
// motion^2 and residual of each cell, the percentiles that both are divided by, and patch scores
// (Note [Block scores]). Without displacements a cell's energy is that of its residual alone.
struct CellMaps {
  CellGrid cells;
  int32_t log2Block = 2;           // cells a side of a block, as a power of two
  const Move* moves = nullptr;     // [cells.blockRows, cells.blockCols], or null
  const void* residual = nullptr;  // [cells.rows, cells.cols] of uint8_t or uint16_t
  int32_t residualBytes = 1;
};

// What motion and residual are divided by; of motion its square.
struct CellPercentiles {
  int32_t motion2 = 0;
  int32_t residual = 0;
};

// Energy 'accumulated'.
CPS_HD uint16_t addDifference(uint16_t sum, uint8_t a, uint8_t b) {
  return static_cast<uint16_t>(minInt(sum + (a > b ? a - b : b - a), 65535));
}

CPS_HD int32_t residualLevels(int32_t residualBytes) { return residualBytes == 1 ? 256 : 65536; }

}  // namespace cps
