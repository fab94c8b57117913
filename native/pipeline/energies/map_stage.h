#pragma once

#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "core/buffer.h"
#include "pipeline/energies/energies.h"
#include "pipeline/sampling/sampling.h"

namespace cps {

// An energy that is made of cell maps (Note [Cell maps]), one pair of maps per scored position.
// Positions that are never scored have zero.
class MapStage : public EnergyStage {
 public:
  std::span<const int64_t> inputs() const final { return inputs_; }
  const float* scores() const final { return scores_.as<float>(); }

 protected:
  // Of one position; empty buffers where an energy has none of the kind.
  struct Maps {
    Buffer moves, residual;
  };
  // `layout`: what all maps have in common, without addresses.
  MapStage(const EnergyRequest& request, const CellMaps& layout, bool moves);

  // Uninitialised maps, used again from position to position.
  Maps takeMaps();
  // Scores a position. Thread-safe for different positions.
  void score(size_t position, Maps maps);

  PatchGrid grid_;
  Kernels& kernels_;
  Profile& profile_;
  std::vector<int64_t> inputs_;  // for subclasses to fill when they are made
  std::mutex mutex_;

 private:
  CellMaps viewOf(const Maps& maps) const;

  CellMaps layout_;
  bool hasMoves_;
  double energyPct_;
  std::vector<Maps> freeMaps_;
  Buffer scores_;
};

}  // namespace cps
