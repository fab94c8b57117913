#include "pipeline/energies/map_stage.h"

#include <utility>

namespace cps {

MapStage::MapStage(const EnergyRequest& request, const CellMaps& layout, bool moves)
    : grid_(request.grid),
      kernels_(request.kernels),
      profile_(request.profile),
      layout_(layout),
      hasMoves_(moves),
      energyPct_(request.options.energyPct) {
  const size_t positions = request.distinctOfPosition.size();
  scores_ = Buffer::allocate(kernels_.memory(),
                             positions * static_cast<size_t>(grid_.perFrame()) * sizeof(float));
  kernels_.fillZero(scores_.data(), scores_.bytes());
}

MapStage::Maps MapStage::takeMaps() {
  {
    const std::lock_guard lock(mutex_);
    if (!freeMaps_.empty()) {
      Maps maps = std::move(freeMaps_.back());
      freeMaps_.pop_back();
      return maps;
    }
  }
  Maps maps;
  const auto cells = static_cast<size_t>(layout_.cells.cells());
  maps.residual =
      Buffer::allocate(kernels_.memory(), cells * static_cast<size_t>(layout_.residualBytes));
  if (hasMoves_) {
    maps.moves = Buffer::allocate(kernels_.memory(),
                                  static_cast<size_t>(layout_.cells.blocks()) * sizeof(Move));
  }
  return maps;
}

CellMaps MapStage::viewOf(const Maps& maps) const {
  CellMaps view = layout_;
  view.moves = hasMoves_ ? maps.moves.as<Move>() : nullptr;
  view.residual = maps.residual.data();
  return view;
}

void MapStage::score(size_t position, Maps maps) {
  {
    const Profile::Scope scope(profile_, "scoresMs");
    kernels_.cellScores(viewOf(maps), grid_, energyPct_,
                        scores_.as<float>() + position * static_cast<size_t>(grid_.perFrame()));
  }
  const std::lock_guard lock(mutex_);
  freeMaps_.push_back(std::move(maps));
}

}  // namespace cps
