#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "core/buffer.h"
#include "core/memory_budget.h"
#include "pipeline/energies/energies.h"
#include "pipeline/sampling/sampling.h"

namespace cps {

// An energy that is made of cell maps (Note [Cell maps]), one pair of maps per scored position.
// Positions that are never scored have zero.
class MapStage : public EnergyStage {
 public:
  ~MapStage() override;
  std::span<const int64_t> inputs() const final { return inputs_; }
  void finish() final;
  const float* scores() const final { return scores_.as<float>(); }
  std::optional<EnergyMaps> takeMaps() final { return std::move(result_); }

 protected:
  // Of one position; no moves where an energy has none.
  struct Maps {
    Buffer moves, residual;
  };
  // `layout`: what all maps have in common, without addresses.
  MapStage(const EnergyRequest& request, const CellMaps& layout, bool moves);

  // Uninitialised maps, used again from position to position.
  Maps newMaps();
  // Scores a position whose picture was compared with another one. `counts`: whether its cells
  // count for percentiles over all frames. Thread-safe for different positions.
  void score(size_t position, Maps maps, bool counts = true);
  // A position whose picture has nothing to be compared with, by the cells of the maps' grid.
  void scoreAlone(size_t position, const uint8_t* cells);
  // Whether scoreAlone is of use.
  bool scoresAlone() const { return texture_; }

  PatchGrid grid_;
  Kernels& kernels_;
  Profile& profile_;
  std::vector<int64_t> inputs_;  // for subclasses to fill when they are made
  std::mutex mutex_;

 private:
  struct Kept {
    size_t position;
    Maps maps;
  };

  CellMaps viewOf(const Maps& maps) const;
  float* scoresAt(size_t position) const {
    return scores_.as<float>() + position * static_cast<size_t>(grid_.perFrame());
  }
  void reserve(double bytes, const EnergyRequest& request);
  void giveBack(Maps maps);
  void scoreByOwn(size_t position, const CellMaps& maps);
  void scoreBy(const CellPercentiles& percentiles, size_t position, const CellMaps& maps);

  CellMaps layout_;
  bool hasMoves_;
  double energyPct_;
  bool overVideo_, texture_, subtract_;
  MemoryBudget& memory_;
  double reserved_ = 0;
  std::vector<Maps> freeMaps_;
  std::vector<Kept> kept_;  // energyScope 'video': until all have been counted
  CellCounts counts_;
  Buffer scores_;
  std::optional<EnergyMaps> result_;
};

}  // namespace cps
