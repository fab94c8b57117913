#include "pipeline/energies/map_stage.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/error.h"
#include "ops/energy/cell_maps_cpu.h"

namespace cps {

MapStage::MapStage(const EnergyRequest& request, const CellMaps& layout, bool moves)
    : grid_(request.grid),
      kernels_(request.kernels),
      profile_(request.profile),
      layout_(layout),
      hasMoves_(moves),
      energyPct_(request.options.energyPct),
      overVideo_(request.options.energyScope == EnergyScope::Video),
      texture_(request.options.intraEnergy == IntraEnergy::Texture),
      subtract_(moves && request.options.globalMotion == GlobalMotion::Subtract),
      memory_(request.memory) {
  const size_t positions = request.distinctOfPosition.size();
  const auto cells = static_cast<size_t>(layout.cells.cells());
  const auto blocks = static_cast<size_t>(layout.cells.blocks());
  double bytes = 0;
  if (overVideo_) {
    bytes += static_cast<double>(positions) *
             static_cast<double>(cells * static_cast<size_t>(layout.residualBytes) +
                                 (moves ? blocks * sizeof(Move) : 0));
  }
  const size_t all = positions * cells;
  if (request.options.maps) bytes += static_cast<double>(all) * (moves ? 12 : 8);
  reserve(bytes, request);
  scores_ = Buffer::allocate(kernels_.memory(),
                             positions * static_cast<size_t>(grid_.perFrame()) * sizeof(float));
  kernels_.fillZero(scores_.data(), scores_.bytes());
  if (!request.options.maps) return;
  const auto zeros = [&](size_t size) {
    Buffer buffer = Buffer::allocate(hostMemory(), all * size);
    std::fill_n(buffer.as<uint8_t>(), buffer.bytes(), uint8_t{0});
    return buffer;
  };
  result_.emplace();
  result_->rows = layout.cells.rows;
  result_->cols = layout.cells.cols;
  if (moves) result_->motion2 = zeros(sizeof(int32_t));
  result_->residual = zeros(sizeof(int32_t));
  result_->energy = zeros(sizeof(float));
}

MapStage::~MapStage() { memory_.give(reserved_); }

void MapStage::reserve(double bytes, const EnergyRequest& request) {
  if (!memory_.take(bytes)) {
    throw Error(ErrorCode::OutOfMemory, Stage::Process,
                "Keeping the energy maps of " + std::to_string(request.distinctOfPosition.size()) +
                    " frames (energyScope 'video' or maps) takes " +
                    std::to_string(static_cast<int64_t>(bytes / 1e6)) +
                    " MB, more than maxMemoryBytes leaves; sample fewer frames or raise "
                    "maxMemoryBytes");
  }
  reserved_ = bytes;
}

MapStage::Maps MapStage::newMaps() {
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

void MapStage::giveBack(Maps maps) {
  const std::lock_guard lock(mutex_);
  freeMaps_.push_back(std::move(maps));
}

CellMaps MapStage::viewOf(const Maps& maps) const {
  CellMaps view = layout_;
  view.moves = hasMoves_ ? maps.moves.as<Move>() : nullptr;
  view.residual = maps.residual.data();
  return view;
}

void MapStage::score(size_t position, Maps maps, bool counts) {
  const CellMaps view = viewOf(maps);
  if (subtract_) kernels_.subtractGlobalMotion(view, maps.moves.as<Move>());
  if (!overVideo_) {
    scoreByOwn(position, view);
    return giveBack(std::move(maps));
  }
  CellCounts own;
  if (counts) kernels_.countCells(view, own);
  const std::lock_guard lock(mutex_);
  kept_.push_back({position, std::move(maps)});
  counts_.add(own);
}

void MapStage::scoreAlone(size_t position, const uint8_t* cells) {
  Maps maps = newMaps();
  kernels_.cellTexture(cells, layout_.cells, layout_.residualBytes, maps.residual.data());
  if (hasMoves_) kernels_.fillZero(maps.moves.data(), maps.moves.bytes());
  scoreByOwn(position, viewOf(maps));
  giveBack(std::move(maps));
}

void MapStage::scoreByOwn(size_t position, const CellMaps& maps) {
  if (result_) {
    CellCounts counts;
    kernels_.countCells(maps, counts);
    return scoreBy(percentilesOf(counts, energyPct_), position, maps);
  }
  const Profile::Scope scope(profile_, "scoresMs");
  kernels_.cellScores(maps, grid_, energyPct_, scoresAt(position));
}

void MapStage::scoreBy(const CellPercentiles& percentiles, size_t position, const CellMaps& maps) {
  const Profile::Scope scope(profile_, "scoresMs");
  kernels_.cellScores(maps, grid_, percentiles, scoresAt(position));
  if (!result_) return;
  CellMaps host = maps;
  Buffer moves, residual;
  if (!kernels_.device().isCpu()) {
    const auto download = [&](const void* from, int64_t bytes) {
      Buffer to = Buffer::allocate(hostMemory(), static_cast<size_t>(bytes));
      kernels_.download(to.data(), from, to.bytes());
      return to;
    };
    residual = download(maps.residual, maps.cells.cells() * maps.residualBytes);
    host.residual = residual.data();
    if (maps.moves) {
      moves = download(maps.moves, maps.cells.blocks() * int64_t{sizeof(Move)});
      host.moves = moves.as<Move>();
    }
  }
  const size_t at = position * static_cast<size_t>(maps.cells.cells());
  expandMaps(host, percentiles, maps.moves ? result_->motion2.as<int32_t>() + at : nullptr,
             result_->residual.as<int32_t>() + at, result_->energy.as<float>() + at);
}

void MapStage::finish() {
  if (counts_.cells == 0) return;
  const CellPercentiles percentiles = percentilesOf(counts_, energyPct_);
  for (Kept& kept : kept_) {
    scoreBy(percentiles, kept.position, viewOf(kept.maps));
    kept.maps = {};
  }
}

}  // namespace cps
