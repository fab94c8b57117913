#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "core/buffer.h"
#include "core/device.h"
#include "core/picture.h"
#include "ops/energy/cell_counts.h"
#include "ops/geometry.h"
#include "ops/pixels/arrange.h"
#include "ops/pixels/gather.h"
#include "ops/pixels/kept_rows.h"
#include "ops/pixels/resample.h"
#include "ops/pixels/values.h"

namespace cps {

// Note [Kernels]
// The operations of the pipeline, as one table per device. An instance belongs to one call. All
// pointers are memory of `device()`, frames included. CPU instances run an operation to its end
// before returning and may be called from several threads at once for different frames; CUDA
// instances enqueue on the call's stream and return, and serialise callers themselves.
// The arithmetic of every operation lives in ops/X_math.h and is shared by all devices, so the same
// input gives the same bits (patches within 1 of 255 before the cast, indices always equal).

// --- by concern: what works for one of them is given no more than that -------------------------

// Memory of the device, and what has been enqueued on it.
class DeviceMemory {
 public:
  virtual ~DeviceMemory() = default;
  virtual Device device() const = 0;
  virtual std::shared_ptr<MemoryResource> memory() const = 0;
  virtual void fillZero(void* device, size_t bytes) = 0;
  // Copies device memory to host memory and waits for it.
  virtual void download(void* host, const void* device, size_t bytes) = 0;
  // Waits for everything enqueued.
  virtual void synchronize() = 0;
};

// What an energy keeps of a picture.
class CellKernels {
 public:
  virtual ~CellKernels() = default;
  // 'block': rounded mean of the luma samples of each cell, 8-bit units. out: [rows * cols].
  virtual void lumaCells(const FrameView& frame, const CellGrid& grid, uint8_t* out) = 0;
  // 'reference': luma of the resized picture. luma: [rows * cols].
  virtual void referenceLuma(const FrameView& frame, const ReferenceGrid& grid, float* luma) = 0;
};

// What moved between two pictures, and what moving does not explain.
class MatchKernels {
 public:
  virtual ~MatchKernels() = default;
  // Best displacement of each 4x4 block: motion2 [blocks] = dy^2 + dx^2 (0..32); residual [cells].
  virtual void blockMatch(const uint8_t* cur, const uint8_t* prev, const CellGrid& grid,
                          uint8_t* motion2, uint8_t* residual) = 0;
  // motion, residual: [cells] each.
  virtual void referenceMatch(const float* cur, const float* prev, const ReferenceGrid& grid,
                              float* motion, float* residual) = 0;
};

// One score per patch of a frame; scores: [grid.rows * grid.cols].
class ScoreKernels {
 public:
  virtual ~ScoreKernels() = default;
  // Percentiles by exact histograms, energy tables, area-weighted patch scores.
  virtual void blockScores(const uint8_t* motion2, const uint8_t* residual, const CellGrid& cells,
                           const PatchGrid& grid, double energyPct, float* scores) = 0;
  // Normalises both maps by their percentile, mixes, resizes and sums per patch.
  virtual void referenceScores(const float* motion, const float* residual,
                               const ReferenceGrid& cells, const PatchGrid& grid, double energyPct,
                               float* scores) = 0;
};

// What energies other than plain 'block' are made of (Note [Cell maps]).
class CellMapKernels {
 public:
  virtual ~CellMapKernels() = default;
  // Cells of both pictures, level by level (host arrays of addresses), to displacements [blocks]
  // and residuals of the last level (Note [Pyramid matching]).
  virtual void pyramidMatch(const uint8_t* const* cur, const uint8_t* const* prev,
                            const PyramidGrid& grid, Move* moves, uint8_t* residual) = 0;
  // sums[i] += |a[i] - b[i]|, saturating.
  virtual void addDifferences(const uint8_t* a, const uint8_t* b, int64_t count,
                              uint16_t* sums) = 0;
  // max - min of the 3x3 cells around each, as residuals of that many bytes.
  virtual void cellTexture(const uint8_t* cells, const CellGrid& grid, int32_t residualBytes,
                           void* out) = 0;
  // Note [Global motion]; `moves` are those of `maps`.
  virtual void subtractGlobalMotion(const CellMaps& maps, Move* moves) = 0;
  // Adds the maps' cells to `counts` (host).
  virtual void countCells(const CellMaps& maps, CellCounts& counts) = 0;
  // Patch scores [grid.rows * grid.cols] by given percentiles, and by the maps' own.
  virtual void cellScores(const CellMaps& maps, const PatchGrid& grid,
                          const CellPercentiles& percentiles, float* scores) = 0;
  virtual void cellScores(const CellMaps& maps, const PatchGrid& grid, double energyPct,
                          float* scores) = 0;
};

// Pixels of chosen patches.
class GatherKernels {
 public:
  virtual ~GatherKernels() = default;
  // What gatherPatches may read of a picture, as a copy that lets the picture itself go (Note [Kept
  // rows]); nothing where the picture has to stay.
  virtual std::optional<KeptPicture> keepForGather(const FrameView& /*frame*/,
                                                   const PatchGrid& /*grid*/) {
    return std::nullopt;
  }
  // Patches `indices` (host, linear patch indices in the order of the result) of `frames` (host
  // array of views indexed by sampled position) into out [count, 3, P, P] or [count, P, P, 3].
  virtual void gatherPatches(std::span<const FrameView> frames, std::span<const int32_t> indices,
                             const GatherSpec& spec, void* out) = 0;
  // The same of pictures that have been made already: interleaved 8-bit RGB of the grid's target
  // size, rows without gaps (host array of addresses, by sampled position). Values come from the
  // table, whose type is spec.dtype (Note [Value tables]).
  virtual void cutPatches(std::span<const uint8_t* const> pictures,
                          std::span<const int32_t> indices, const GatherSpec& spec,
                          const ValueTable& table, void* out) = 0;
};

// Whole pictures.
class FrameKernels {
 public:
  virtual ~FrameKernels() = default;
  // One frame as interleaved 8-bit RGB in display orientation, out [outHeight, outWidth, 3];
  // bilinear as in gatherPatches (rounded half away) when the size differs from the display size.
  virtual void toRgb(const FrameView& frame, int32_t outHeight, int32_t outWidth, uint8_t* out) = 0;
  // The same of parts of the frame or of the result: out [y.count, x.count, 3], rows outStride
  // bytes apart.
  virtual void resizeRgb(const FrameView& frame, const ResampleAxis& y, const ResampleAxis& x,
                         uint8_t* out, int64_t outStride) = 0;
  // One frame by a plan made for its size and orientation (Note [Antialiased resize]), as
  // interleaved 8-bit RGB: out [plan.y.count, plan.x.count, 3], rows outStride bytes apart.
  virtual void resample(const FrameView& frame, const std::shared_ptr<const ResamplePlan>& plan,
                        uint8_t* out, int64_t outStride) = 0;
  // Interleaved 8-bit RGB, rows inStride bytes apart, into a tensor of the table's type.
  virtual void lookUp(const uint8_t* rgb, int64_t inStride, int32_t height, int32_t width,
                      const std::shared_ptr<const ValueTable>& table, const PixelStrides& strides,
                      void* out) = 0;
};

// Tensors of models' inputs.
class ArrangeKernels {
 public:
  virtual ~ArrangeKernels() = default;
  // Note [Arranging pixels]; part.source and out on the device, `part` has been checked.
  virtual void arrange(const ArrangePart& part, const ValueTable& table, void* out) = 0;
};

class Kernels : public DeviceMemory,
                public CellKernels,
                public MatchKernels,
                public ScoreKernels,
                public CellMapKernels,
                public GatherKernels,
                public FrameKernels,
                public ArrangeKernels {};

}  // namespace cps
