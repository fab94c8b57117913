#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <utility>

#include "pipeline/energies/map_stage.h"

namespace cps {
namespace {

CellMaps layoutOf(const CellGrid& cells) {
  CellMaps layout;
  layout.cells = cells;
  layout.residualBytes = 2;
  return layout;
}

// What changed from each shown frame to the next, added up since the sampled frame before. Every
// frame in between is decoded; its cells are kept until they have been compared with those of both
// neighbours, so that where decoding goes on in order one map is kept, and one at each seam between
// segments that are decoded at the same time.
class AccumulatedEnergy final : public MapStage {
 public:
  AccumulatedEnergy(const EnergyRequest& request, const CellGrid& cells)
      : MapStage(request, layoutOf(cells), false), cells_(cells) {
    const auto& ids = request.ids;
    const int64_t gap = ids.size() > 1 ? ids[1] - ids[0] : 1;
    const PositionsOf positions(request.distinctOfPosition, ids.size());
    for (size_t k = 0; k < ids.size(); k++) {
      const int64_t first = k == 0 ? std::max<int64_t>(0, ids[0] - gap) : ids[k - 1] + 1;
      for (int64_t id = first; id <= ids[k]; id++) {
        if (id == ids[k] || !request.isLost(id)) inputs_.push_back(id);
      }
      // Repeats of a frame have no energy.
      intervals_.push_back({inputs_.size(), static_cast<size_t>(positions.frame(k)[0]), 0, {}});
    }
    size_t begin = 1;  // nothing comes before the first input
    for (Interval& interval : intervals_) {
      interval.open = interval.end - std::min(begin, interval.end);
      begin = std::max(begin, interval.end);
    }
    firstIsAlone_ = scoresAlone() && intervals_[0].open == 0;
  }

  bool wantsOrder() const override { return true; }

  void addFrame(int32_t input, const FrameView& /*frame*/, const FrameView& luma) override {
    const auto i = static_cast<size_t>(input);
    auto picture = std::make_shared<Buffer>(
        Buffer::allocate(kernels_.memory(), static_cast<size_t>(cells_.cells())));
    {
      const Profile::Scope scope(profile_, "cellsMs");
      kernels_.lumaCells(luma, cells_, picture->as<uint8_t>());
    }
    Cells before, after;
    {
      const std::lock_guard lock(mutex_);
      // Who brings the second of two neighbours compares them, and the cells go with the last.
      const bool hasBefore = i > 0, hasAfter = i + 1 < inputs_.size();
      if (hasBefore) before = meet(i - 1);
      if (hasAfter) after = meet(i + 1);
      const int toCome = (hasBefore && !before ? 1 : 0) + (hasAfter && !after ? 1 : 0);
      if (toCome > 0) waiting_.emplace(i, Waiting{picture, toCome});
    }
    if (i == 0 && firstIsAlone_) scoreAlone(intervals_[0].position, picture->as<uint8_t>());
    if (before) add(i, *before, *picture);
    if (after) add(i + 1, *picture, *after);
  }

 private:
  using Cells = std::shared_ptr<Buffer>;
  // Cells of a picture that as many neighbours have not seen yet.
  struct Waiting {
    Cells cells;
    int neighbours;
  };
  // Inputs that end with sampled frame `k`: up to inputs_[end - 1].
  struct Interval {
    size_t end;
    size_t position;
    size_t open;  // differences that are to come
    Maps maps;    // there from the first difference on
  };

  // The neighbour's cells where they are there already.
  Cells meet(size_t neighbour) {
    const auto it = waiting_.find(neighbour);
    if (it == waiting_.end()) return nullptr;
    Cells cells = it->second.cells;
    if (--it->second.neighbours == 0) waiting_.erase(it);
    return cells;
  }

  // The difference between inputs i - 1 and i.
  void add(size_t i, const Buffer& prev, const Buffer& cur) {
    const auto k = static_cast<size_t>(
        std::upper_bound(intervals_.begin(), intervals_.end(), i,
                         [](size_t at, const Interval& v) { return at < v.end; }) -
        intervals_.begin());
    Interval& interval = intervals_[k];
    Maps complete;
    {
      // Two segments may meet in one interval.
      const std::lock_guard lock(sums_[k % sums_.size()]);
      if (!interval.maps.residual) {
        interval.maps = newMaps();
        kernels_.fillZero(interval.maps.residual.data(), interval.maps.residual.bytes());
      }
      const Profile::Scope scope(profile_, "matchMs");
      kernels_.addDifferences(cur.as<uint8_t>(), prev.as<uint8_t>(), cells_.cells(),
                              interval.maps.residual.as<uint16_t>());
      if (--interval.open == 0) complete = std::move(interval.maps);
    }
    if (complete.residual) score(interval.position, std::move(complete));
  }

  CellGrid cells_;
  std::vector<Interval> intervals_;
  bool firstIsAlone_ = false;          // nothing comes before the first sampled frame
  std::map<size_t, Waiting> waiting_;  // by input
  std::array<std::mutex, 16> sums_;
};

}  // namespace

std::unique_ptr<EnergyStage> makeAccumulatedEnergy(const EnergyRequest& request) {
  return std::make_unique<AccumulatedEnergy>(
      request, makeCellGrid(request.grid.frameHeight, request.grid.frameWidth));
}

}  // namespace cps
