#pragma once

#include <cstdint>
#include <vector>

#include "ops/geometry.h"
#include "ops/geometry_math.h"
#include "ops/scratch.h"
#include "ops/simd/table.h"

namespace cps {

// Rows [begin, end) of referenceLuma and referenceMatch (kernels.h).
void referenceLumaRows(const OpsTable& ops, ScratchPool& scratch, const ResizePlan& plan,
                       const ReferenceGrid& grid, int32_t begin, int32_t end, float* luma);

class ReferenceMatch {
 public:
  ReferenceMatch(const OpsTable& ops, ScratchPool& scratch, const float* prev,
                 const ReferenceGrid& grid);
  void rows(int32_t begin, int32_t end, const float* cur, float* motion, float* residual) const;

 private:
  const OpsTable& ops_;
  ScratchPool& scratch_;
  const ReferenceGrid& grid_;
  int64_t stride_;
  ScratchPool::Lease padded_;  // prev with `radius` cells of infinity around it
};

// Patch scores in two steps, each over rows: cells interpolated to the target's columns, then patch
// rows summed.
class ReferenceScores {
 public:
  ReferenceScores(const OpsTable& ops, ScratchPool& scratch, const float* motion,
                  const float* residual, const ReferenceGrid& cells, const PatchGrid& grid,
                  double energyPct);
  void cellRows(int32_t begin, int32_t end);
  void patchRows(int32_t begin, int32_t end, float* scores) const;

 private:
  // A target coordinate's two full-size pixels, each of two cells.
  struct Tap {
    BilinearTap target;
    BilinearTap cell[2];
  };
  static std::vector<Tap> makeTaps(int32_t target, int32_t frame, int32_t cells);

  const OpsTable& ops_;
  ScratchPool& scratch_;
  const float* motion_;
  const float* residual_;
  const ReferenceGrid& cells_;
  const PatchGrid& grid_;
  float motionPercentile_, residualPercentile_;
  std::vector<Tap> rows_;
  // Columns: first the left full-size pixel of each target pixel, then the right one.
  std::vector<int32_t> i0_, i1_;
  std::vector<float> w0_, w1_, targetW0_, targetW1_;
  ScratchPool::Lease columns_;  // [cell rows][2 * target width]
};

}  // namespace cps
