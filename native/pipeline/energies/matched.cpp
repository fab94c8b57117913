#include <algorithm>
#include <utility>

#include "pipeline/energies/map_stage.h"

namespace cps {
namespace {

size_t aligned(int64_t bytes) {
  return static_cast<size_t>((bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment);
}

CellMaps layoutOf(const PyramidGrid& pyramid) {
  CellMaps layout;
  layout.cells = pyramid.last();
  layout.log2Block = pyramid.levels + 1;  // 4 cells on the first level
  return layout;
}

// Pictures that are matched with another one each (Note [Pyramid matching]). Cells of a picture are
// kept until it has been compared with all that it has to be compared with.
class MatchedEnergy final : public MapStage {
 public:
  // What a position gets: input `cur` compared with input `prev`, or that it has none.
  struct Pair {
    static constexpr size_t kAlone = SIZE_MAX;
    size_t position;
    size_t cur, prev;
    bool counts = true;  // for percentiles over all frames
  };

  MatchedEnergy(const EnergyRequest& request, const PyramidGrid& pyramid,
                std::vector<int64_t> inputs, std::vector<Pair> pairs)
      : MapStage(request, layoutOf(pyramid), true), pyramid_(pyramid), pairs_(std::move(pairs)) {
    inputs_ = std::move(inputs);
    for (int32_t l = 0; l < pyramid.levels; l++) {
      offset_[l] = pyramidBytes_;
      pyramidBytes_ += aligned(pyramid.level[l].cells());
    }
    pictures_.resize(inputs_.size());
    missing_.resize(pairs_.size());
    for (size_t p = 0; p < pairs_.size(); p++) {
      const Pair& pair = pairs_[p];
      const bool two = pair.prev != Pair::kAlone && pair.prev != pair.cur;
      missing_[p] = two ? 2 : 1;
      if (pair.prev == Pair::kAlone && !scoresAlone()) continue;
      pictures_[pair.cur].pairs.push_back(p);
      if (two) pictures_[pair.prev].pairs.push_back(p);
    }
    for (Picture& picture : pictures_) picture.uses = picture.pairs.size();
  }

  void addFrame(int32_t input, const FrameView& /*frame*/, const FrameView& luma) override {
    Picture& picture = pictures_[static_cast<size_t>(input)];
    if (picture.pairs.empty()) return;
    Buffer cells = takeCells();
    {
      const Profile::Scope scope(profile_, "cellsMs");
      for (int32_t l = 0; l < pyramid_.levels; l++) {
        kernels_.lumaCells(luma, pyramid_.level[l], cells.as<uint8_t>() + offset_[l]);
      }
    }
    std::vector<size_t> complete;
    {
      const std::lock_guard lock(mutex_);
      picture.cells = std::move(cells);
      for (const size_t p : picture.pairs) {
        if (--missing_[p] == 0) complete.push_back(p);
      }
    }
    for (const size_t p : complete) compare(pairs_[p]);
  }

 private:
  struct Picture {
    std::vector<size_t> pairs;  // that it is part of
    size_t uses = 0;            // of these, how many are to come
    Buffer cells;               // every level; written under the lock, read when a pair is complete
  };

  void compare(const Pair& pair) {
    if (pair.prev == Pair::kAlone) {
      scoreAlone(pair.position,
                 pictures_[pair.cur].cells.as<uint8_t>() + offset_[pyramid_.levels - 1]);
      return letGo(pair);
    }
    Maps maps = newMaps();
    const uint8_t *cur[kMaxPyramidLevels], *prev[kMaxPyramidLevels];
    for (int32_t l = 0; l < pyramid_.levels; l++) {
      cur[l] = pictures_[pair.cur].cells.as<uint8_t>() + offset_[l];
      prev[l] = pictures_[pair.prev].cells.as<uint8_t>() + offset_[l];
    }
    {
      const Profile::Scope scope(profile_, "matchMs");
      kernels_.pyramidMatch(cur, prev, pyramid_, maps.moves.as<Move>(),
                            maps.residual.as<uint8_t>());
    }
    letGo(pair);
    score(pair.position, std::move(maps), pair.counts);
  }

  void letGo(const Pair& pair) {
    const std::lock_guard lock(mutex_);
    const auto done = [&](Picture& picture) {
      if (--picture.uses == 0) freeCells_.push_back(std::move(picture.cells));
    };
    done(pictures_[pair.cur]);
    if (pair.prev != Pair::kAlone && pair.prev != pair.cur) done(pictures_[pair.prev]);
  }

  // Cells of all levels; the blocks are used again, for fresh memory costs page faults.
  Buffer takeCells() {
    {
      const std::lock_guard lock(mutex_);
      if (!freeCells_.empty()) {
        Buffer cells = std::move(freeCells_.back());
        freeCells_.pop_back();
        return cells;
      }
    }
    return Buffer::allocate(kernels_.memory(), pyramidBytes_);
  }

  PyramidGrid pyramid_;
  size_t offset_[kMaxPyramidLevels] = {};
  size_t pyramidBytes_ = 0;
  std::vector<Pair> pairs_;
  std::vector<int32_t> missing_;   // pictures of each pair that are to come
  std::vector<Picture> pictures_;  // per input
  std::vector<Buffer> freeCells_;
};

}  // namespace

// Each sampled frame against the one that is shown just before it, whether that is sampled or not.
std::unique_ptr<EnergyStage> makeAdjacentEnergy(const EnergyRequest& request) {
  std::vector<int64_t> inputs;
  for (const int64_t id : request.ids) {
    if (id > 0 && !request.isLost(id - 1)) inputs.push_back(id - 1);
    inputs.push_back(id);
  }
  std::sort(inputs.begin(), inputs.end());
  inputs.erase(std::unique(inputs.begin(), inputs.end()), inputs.end());
  const PositionsOf positions(request.distinctOfPosition, request.ids.size());
  std::vector<MatchedEnergy::Pair> pairs;
  for (size_t d = 0; d < request.ids.size(); d++) {
    const int64_t id = request.ids[d];
    const auto at = std::lower_bound(inputs.begin(), inputs.end(), id);
    const auto cur = static_cast<size_t>(at - inputs.begin());
    const bool alone = cur == 0 || inputs[cur - 1] != id - 1;
    // Repeats of a frame have no energy.
    pairs.push_back({static_cast<size_t>(positions.frame(d)[0]), cur,
                     alone ? MatchedEnergy::Pair::kAlone : cur - 1});
  }
  return std::make_unique<MatchedEnergy>(
      request, makePyramidGrid(request.grid.frameHeight, request.grid.frameWidth),
      std::move(inputs), std::move(pairs));
}

// Plain 'block' where more is wanted of it than scores by each frame's own percentiles: each
// position against the one before it.
std::unique_ptr<EnergyStage> makeBlockMapsEnergy(const EnergyRequest& request) {
  std::vector<MatchedEnergy::Pair> pairs;
  std::vector<bool> seen(request.ids.size());
  for (size_t t = 0; t < request.distinctOfPosition.size(); t++) {
    const auto cur = static_cast<size_t>(request.distinctOfPosition[t]);
    const size_t prev = t == 0 ? MatchedEnergy::Pair::kAlone
                               : static_cast<size_t>(request.distinctOfPosition[t - 1]);
    pairs.push_back({t, cur, prev, !seen[cur]});
    seen[cur] = true;
  }
  PyramidGrid pyramid = makePyramidGrid(request.grid.frameHeight, request.grid.frameWidth);
  pyramid.levels = 1;
  return std::make_unique<MatchedEnergy>(
      request, pyramid, std::vector<int64_t>(request.ids.begin(), request.ids.end()),
      std::move(pairs));
}

}  // namespace cps
