#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "backend/kernels.h"
#include "core/options.h"
#include "core/profile.h"
#include "ops/geometry.h"

namespace cps {

// Note [Energy is a stage]
// An energy turns sampled pictures into one score per patch. It is told of pictures as they are
// decoded, in any order and from several threads, so that its work hides behind decoding; after the
// last one only that picture's share is left. New energies are new subclasses.
class EnergyStage {
 public:
  virtual ~EnergyStage() = default;
  // `distinct` indexes DistinctFrames::ids. Each exactly once. Thread-safe. `luma`: what to read
  // where luma is wanted; the same picture, or its luma plane where `frame` is RGB made of it.
  virtual void addFrame(int32_t distinct, const FrameView& frame, const FrameView& luma) = 0;
  // [T, rows, cols] in the kernels' memory. Valid after every frame was added.
  virtual const float* scores() const = 0;
};

std::unique_ptr<EnergyStage> makeEnergyStage(const PatchOptions& options, const PatchGrid& grid,
                                             std::span<const int32_t> distinctOfPosition,
                                             Kernels& kernels, Profile& profile);

}  // namespace cps
