#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "backend/kernels.h"
#include "core/memory_budget.h"
#include "core/options.h"
#include "core/profile.h"
#include "media/decode/frame_source.h"
#include "ops/geometry.h"

namespace cps {

// What an energy sees (option maps), on the host; frames that have none are zero.
struct EnergyMaps {
  int32_t rows = 0, cols = 0;
  Buffer motion2;   // int32 [T, rows, cols]; none where the energy has no motion
  Buffer residual;  // int32 [T, rows, cols]
  Buffer energy;    // float32 [T, rows, cols]
};

// What an energy is made for.
struct EnergyRequest {
  const PatchOptions& options;
  const PatchGrid& grid;
  std::span<const int64_t> ids;                 // distinct sampled display indices, ascending
  std::span<const int32_t> distinctOfPosition;  // [T]: index into ids
  Kernels& kernels;
  Profile& profile;
  MemoryBudget& memory;
  // Whether a frame is known not to be had (Note [Damaged frames]): nothing can be compared with
  // it.
  std::function<bool(int64_t)> isLost = [](int64_t) { return false; };
  // Whether the container flags a frame as a key frame.
  std::function<bool(int64_t)> isKeyFrame = [](int64_t) { return false; };
};

// Note [Energy is a stage]
// An energy turns sampled pictures into one score per patch. It says which pictures it has to see
// and is told of them as they are decoded, in any order and from several threads, so that its work
// hides behind decoding; after the last one only that picture's share is left. A new energy is a
// file in energies/ and a line in energy_stage.cpp. Pictures beyond the sampled ones are decoded
// like them, but not kept.
class EnergyStage {
 public:
  virtual ~EnergyStage() = default;
  // Display indices of the pictures that it has to see, ascending and distinct: the sampled ones,
  // and whatever it compares them with.
  virtual std::span<const int64_t> inputs() const = 0;
  // Whether they should come in about that order: what it keeps of them would grow otherwise.
  virtual bool wantsOrder() const { return false; }
  // Whether they should come with what the stream says of their motion, and each of the video's
  // size.
  virtual bool wantsMotion() const { return false; }
  // `input` indexes inputs(). Each exactly once. Thread-safe. `luma`: what to read where luma is
  // wanted; the same picture, or its luma plane where `frame` is RGB made of it.
  virtual void addFrame(int32_t input, const FrameView& frame, const FrameView& luma) = 0;
  // What is called of the two: for energies that keep pictures, or read more than their samples.
  virtual void addPicture(int32_t input, const SourceFrame& picture) {
    addFrame(input, picture.view, picture.luma ? picture.luma->view : picture.view);
  }
  // Once, after every input was added.
  virtual void finish() {}
  // [T, rows, cols] in the kernels' memory. Valid after finish().
  virtual const float* scores() const = 0;
  // Of option maps, once; valid after finish().
  virtual std::optional<EnergyMaps> takeMaps() { return std::nullopt; }
};

std::unique_ptr<EnergyStage> makeEnergyStage(const EnergyRequest& request);

}  // namespace cps
