#include "pipeline/energies/pairwise.h"

#include <utility>

namespace cps {

PairwiseStage::PairwiseStage(const EnergyRequest& request)
    : grid_(request.grid),
      kernels_(request.kernels),
      profile_(request.profile),
      ids_(request.ids.begin(), request.ids.end()),
      distinct_(request.distinctOfPosition.begin(), request.distinctOfPosition.end()) {
  const size_t frames = distinct_.size();
  scores_ = Buffer::allocate(kernels_.memory(),
                             frames * static_cast<size_t>(grid_.perFrame()) * sizeof(float));
  ready_.assign(ids_.size(), false);
  maps_.resize(ids_.size());
  started_.assign(frames, false);
  positions_ = PositionsOf(distinct_, ids_.size());
}

void PairwiseStage::addFrame(int32_t input, const FrameView& frame, const FrameView& luma) {
  const auto d = static_cast<size_t>(input);
  Buffer map = reduce(frame, luma);
  std::vector<size_t> complete;
  {
    std::lock_guard lock(mutex_);
    maps_[d] = std::move(map);
    ready_[d] = true;
    const auto look = [&](size_t t) {
      if (t == distinct_.size() || started_[t]) return;
      const auto cur = static_cast<size_t>(distinct_[t]);
      const size_t prev = t == 0 ? cur : static_cast<size_t>(distinct_[t - 1]);
      if (!ready_[cur] || !ready_[prev]) return;
      started_[t] = true;
      complete.push_back(t);
    };
    // Pairs that this picture is part of: at its own positions, and at those behind them.
    for (const int32_t position : positions_.frame(d)) {
      look(static_cast<size_t>(position));
      look(static_cast<size_t>(position) + 1);
    }
  }
  for (const size_t t : complete) score(t);
}

void PairwiseStage::score(size_t t) {
  Buffer scratch = takeScratch();
  if (t == 0) {
    kernels_.fillZero(scratch.data(), scratchBytes());
  } else {
    const Profile::Scope scope(profile_, "matchMs");
    compare(maps_[static_cast<size_t>(distinct_[t])], maps_[static_cast<size_t>(distinct_[t - 1])],
            scratch.data());
  }
  {
    const Profile::Scope scope(profile_, "scoresMs");
    toScores(scratch.data(), scores_.as<float>() + t * static_cast<size_t>(grid_.perFrame()));
  }
  std::lock_guard lock(mutex_);
  freeScratch_.push_back(std::move(scratch));
}

Buffer PairwiseStage::takeScratch() {
  {
    std::lock_guard lock(mutex_);
    if (!freeScratch_.empty()) {
      Buffer scratch = std::move(freeScratch_.back());
      freeScratch_.pop_back();
      return scratch;
    }
  }
  return Buffer::allocate(kernels_.memory(), scratchBytes());
}

}  // namespace cps
