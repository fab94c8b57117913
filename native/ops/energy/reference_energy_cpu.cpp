#include "ops/energy/reference_energy_cpu.h"

#include <algorithm>

#include "ops/energy/percentile_math.h"
#include "ops/energy/reference_math.h"

namespace cps {
namespace {

float floatPercentile(ScratchPool& scratch, const float* values, int64_t n, double pct) {
  const auto memory = scratch.take(sizeof(float) * static_cast<size_t>(n));
  float* sorted = memory.as<float>();
  std::copy_n(values, n, sorted);
  float* nth = sorted + percentileRank(pct, n);
  std::nth_element(sorted, nth, sorted + n);
  return *nth;
}

}  // namespace

void referenceLumaRows(const OpsTable& ops, ScratchPool& scratch, const ResizePlan& plan,
                       const ReferenceGrid& grid, int32_t begin, int32_t end, float* luma) {
  const auto memory = scratch.take(sizeof(float) * (int64_t{grid.cols} + kOverrun));
  for (int32_t y = begin; y < end; y++) {
    ops.resizeLuma(plan, y, 1, 0, grid.cols, memory.as<float>(), grid.cols);
    std::copy_n(memory.as<float>(), grid.cols, luma + int64_t{y} * grid.cols);
  }
}

ReferenceMatch::ReferenceMatch(const OpsTable& ops, ScratchPool& scratch, const float* prev,
                               const ReferenceGrid& grid)
    : ops_(ops),
      scratch_(scratch),
      grid_(grid),
      stride_(int64_t{grid.cols} + 2 * grid.radius + kOverrun),
      padded_(scratch.take(sizeof(float) * (int64_t{grid.rows} + 2 * grid.radius) * stride_)) {
  float* padded = padded_.as<float>();
  std::fill_n(padded, (int64_t{grid.rows} + 2 * grid.radius) * stride_, INFINITY);
  for (int64_t y = 0; y < grid.rows; y++) {
    std::copy_n(prev + y * grid.cols, grid.cols,
                padded + (y + grid.radius) * stride_ + grid.radius);
  }
}

void ReferenceMatch::rows(int32_t begin, int32_t end, const float* cur, float* motion,
                          float* residual) const {
  const int64_t cols = grid_.cols, room = cols + kOverrun;
  const auto memory = scratch_.take(sizeof(float) * 3 * room);
  float *c = memory.as<float>(), *m = c + room, *d = m + room;
  std::fill_n(c, room, 0.0f);
  for (int64_t y = begin; y < end; y++) {
    std::copy_n(cur + y * cols, cols, c);
    const float* prev = padded_.as<float>() + (y + grid_.radius) * stride_ + grid_.radius;
    ops_.referenceMatchRow(c, prev, stride_, grid_.radius, grid_.cols, m, d);
    std::copy_n(m, cols, motion + y * cols);
    std::copy_n(d, cols, residual + y * cols);
  }
}

ReferenceScores::ReferenceScores(const OpsTable& ops, ScratchPool& scratch, const float* motion,
                                 const float* residual, const ReferenceGrid& cells,
                                 const PatchGrid& grid, double energyPct)
    : ops_(ops),
      scratch_(scratch),
      motion_(motion),
      residual_(residual),
      cells_(cells),
      grid_(grid),
      motionPercentile_(floatPercentile(scratch, motion, cells.cells(), energyPct)),
      residualPercentile_(floatPercentile(scratch, residual, cells.cells(), energyPct)),
      rows_(makeTaps(grid.targetHeight, grid.frameHeight, cells.rows)),
      columns_(scratch.take(sizeof(float) * 2 * int64_t{cells.rows} * grid.targetWidth)) {
  const std::vector<Tap> columns = makeTaps(grid.targetWidth, grid.frameWidth, cells.cols);
  for (int side = 0; side < 2; side++) {
    for (const Tap& tap : columns) {
      i0_.push_back(tap.cell[side].i0);
      i1_.push_back(tap.cell[side].i1);
      w0_.push_back(tap.cell[side].w0);
      w1_.push_back(tap.cell[side].w1);
    }
  }
  for (const Tap& tap : columns) {
    targetW0_.push_back(tap.target.w0);
    targetW1_.push_back(tap.target.w1);
  }
}

std::vector<ReferenceScores::Tap> ReferenceScores::makeTaps(int32_t target, int32_t frame,
                                                            int32_t cells) {
  std::vector<Tap> taps(target);
  for (int32_t i = 0; i < target; i++) {
    taps[i].target = bilinearTap(i, frame, target);
    taps[i].cell[0] = bilinearTap(taps[i].target.i0, cells, frame);
    taps[i].cell[1] = bilinearTap(taps[i].target.i1, cells, frame);
  }
  return taps;
}

void ReferenceScores::cellRows(int32_t begin, int32_t end) {
  const auto memory = scratch_.take(sizeof(float) * cells_.cols);
  float* energy = memory.as<float>();
  const int64_t count = 2 * int64_t{grid_.targetWidth};
  for (int64_t y = begin; y < end; y++) {
    const float *m = motion_ + y * cells_.cols, *r = residual_ + y * cells_.cols;
    for (int32_t x = 0; x < cells_.cols; x++) {
      energy[x] = referenceEnergy(m[x], r[x], motionPercentile_, residualPercentile_);
    }
    ops_.lerpColumns(energy, i0_.data(), i1_.data(), w0_.data(), w1_.data(),
                     static_cast<int32_t>(count), columns_.as<float>() + y * count);
  }
}

// As referencePatchScore: rows from top to bottom, each summed per patch from left to right.
void ReferenceScores::patchRows(int32_t begin, int32_t end, float* scores) const {
  const auto memory = scratch_.take(sizeof(float) * grid_.targetWidth);
  const int64_t count = 2 * int64_t{grid_.targetWidth};
  EnergyRow row;
  row.wx0 = targetW0_.data();
  row.wx1 = targetW1_.data();
  row.count = grid_.targetWidth;
  row.out = memory.as<float>();
  const int32_t p = grid_.patchSize;
  for (int32_t i = begin; i < end; i++) {
    float* out = scores + int64_t{i} * grid_.cols;
    std::fill_n(out, grid_.cols, 0.0f);
    for (int32_t y = i * p; y < (i + 1) * p; y++) {
      const Tap& tap = rows_[y];
      for (int a = 0; a < 2; a++) {
        row.columns[a][0] = columns_.as<float>() + tap.cell[a].i0 * count;
        row.columns[a][1] = columns_.as<float>() + tap.cell[a].i1 * count;
        row.cellWeight[a][0] = tap.cell[a].w0;
        row.cellWeight[a][1] = tap.cell[a].w1;
      }
      row.w0 = tap.target.w0;
      row.w1 = tap.target.w1;
      ops_.energyRow(row);
      const float* value = row.out;
      for (int32_t j = 0; j < grid_.cols; j++) {
        float rowSum = 0.0f;
        for (int32_t x = 0; x < p; x++) rowSum += *value++;
        out[j] += rowSum;
      }
    }
  }
}

}  // namespace cps
