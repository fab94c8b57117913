#pragma once

#include "ops/geometry.h"
#include "ops/geometry_math.h"
#include "ops/hd.h"
#include "ops/pixels/color_math.h"

namespace cps {

// Note [Energy 'reference']
// The original package's arithmetic (DESIGN section 4), in the order PyTorch's float32 CPU kernels
// evaluate it. Only the taps that the patch sums need are computed: no full-size map exists.

CPS_HD float referenceLumaOfRgb(Rgb8 p) {
  return 0.299f * static_cast<float>(p.r) + 0.587f * static_cast<float>(p.g) +
         0.114f * static_cast<float>(p.b);
}

// Cell (row, col) of the luma map: the full-size luma, bilinear to rows x cols.
CPS_HD float referenceLumaAt(const FrameView& f, const ColorCoeffs& c, const BilinearTap& ty,
                             const BilinearTap& tx) {
  const float topLeft = referenceLumaOfRgb(rgbAt(f, c, ty.i0, tx.i0));
  const float topRight = referenceLumaOfRgb(rgbAt(f, c, ty.i0, tx.i1));
  const float bottomLeft = referenceLumaOfRgb(rgbAt(f, c, ty.i1, tx.i0));
  const float bottomRight = referenceLumaOfRgb(rgbAt(f, c, ty.i1, tx.i1));
  return bilinear(topLeft, topRight, bottomLeft, bottomRight, tx.w0, tx.w1, ty.w0, ty.w1);
}

// Displacement of cell (y, x): over dy, then dx, from -r to r, candidates (y-dy, x-dx) inside the
// previous frame; the first with the smallest difference wins.
struct ReferenceMotion {
  float motion, residual;
};
CPS_HD float referenceMotionLength(int32_t dy, int32_t dx) {
  return sqrtf(static_cast<float>(dx * dx + dy * dy));
}
CPS_HD ReferenceMotion referenceMatchAt(const float* cur, const float* prev,
                                        const ReferenceGrid& grid, int32_t y, int32_t x) {
  const float value = cur[static_cast<int64_t>(y) * grid.cols + x];
  float best = 0.0f;
  int32_t bestDy = 0, bestDx = 0;
  bool found = false;
  for (int32_t dy = -grid.radius; dy <= grid.radius; dy++) {
    const int32_t py = y - dy;
    if (py < 0 || py >= grid.rows) continue;
    for (int32_t dx = -grid.radius; dx <= grid.radius; dx++) {
      const int32_t px = x - dx;
      if (px < 0 || px >= grid.cols) continue;
      const float d = fabsf(value - prev[static_cast<int64_t>(py) * grid.cols + px]);
      if (!found || d < best) {
        found = true;
        best = d;
        bestDy = dy;
        bestDx = dx;
      }
    }
  }
  return {referenceMotionLength(bestDy, bestDx), best};
}

CPS_HD float clampUnit(float v) { return v < 0.0f ? 0.0f : v > 1.0f ? 1.0f : v; }

// Energy of a cell from its maps and their percentiles.
CPS_HD float referenceEnergy(float motion, float residual, float motionPercentile,
                             float residualPercentile) {
  const float m = clampUnit(motion / (motionPercentile > 1e-6f ? motionPercentile : 1e-6f));
  const float r = clampUnit(residual / (residualPercentile > 1e-6f ? residualPercentile : 1e-6f));
  return 0.5f * (m + r);
}

// Pixel of the full-size energy map (cells bilinear to H x W, clamped to [0, 1]).
CPS_HD float referenceEnergyFull(const float* energy, int32_t cols, const BilinearTap& ty,
                                 const BilinearTap& tx) {
  const float* top = energy + static_cast<int64_t>(ty.i0) * cols;
  const float* bottom = energy + static_cast<int64_t>(ty.i1) * cols;
  return clampUnit(
      bilinear(top[tx.i0], top[tx.i1], bottom[tx.i0], bottom[tx.i1], tx.w0, tx.w1, ty.w0, ty.w1));
}

// Pixel (y, x) of the energy map at the target size.
CPS_HD float referenceEnergyTarget(const float* energy, const ReferenceGrid& cells,
                                   const PatchGrid& grid, int32_t y, int32_t x) {
  const BilinearTap ty = bilinearTap(y, grid.frameHeight, grid.targetHeight);
  const BilinearTap tx = bilinearTap(x, grid.frameWidth, grid.targetWidth);
  const BilinearTap fy0 = bilinearTap(ty.i0, cells.rows, cells.frameHeight);
  const BilinearTap fy1 = bilinearTap(ty.i1, cells.rows, cells.frameHeight);
  const BilinearTap fx0 = bilinearTap(tx.i0, cells.cols, cells.frameWidth);
  const BilinearTap fx1 = bilinearTap(tx.i1, cells.cols, cells.frameWidth);
  return bilinear(referenceEnergyFull(energy, cells.cols, fy0, fx0),
                  referenceEnergyFull(energy, cells.cols, fy0, fx1),
                  referenceEnergyFull(energy, cells.cols, fy1, fx0),
                  referenceEnergyFull(energy, cells.cols, fy1, fx1), tx.w0, tx.w1, ty.w0, ty.w1);
}

// Patch score: row sums over x ascending from 0, then their sum over y ascending from 0.
CPS_HD float referencePatchScore(const float* energy, const ReferenceGrid& cells,
                                 const PatchGrid& grid, int32_t row, int32_t col) {
  const int32_t p = grid.patchSize;
  float total = 0.0f;
  for (int32_t y = row * p; y < (row + 1) * p; y++) {
    float rowSum = 0.0f;
    for (int32_t x = col * p; x < (col + 1) * p; x++) {
      rowSum += referenceEnergyTarget(energy, cells, grid, y, x);
    }
    total += rowSum;
  }
  return total;
}

}  // namespace cps
