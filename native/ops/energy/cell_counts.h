#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "ops/energy/cell_maps.h"

namespace cps {

// How many cells have each value, of any number of frames.
struct CellCounts {
  std::map<int32_t, int64_t> motion2;
  std::vector<int64_t> residual;  // by value
  int64_t cells = 0;

  void add(const CellCounts& other);
};

// At least one cell has been counted.
CellPercentiles percentilesOf(const CellCounts& counts, double pct);

}  // namespace cps
