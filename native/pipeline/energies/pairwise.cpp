#include "pipeline/energies/pairwise.h"

#include <algorithm>
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
  const auto count = static_cast<size_t>(distinct_.back()) + 1;
  ready_.assign(count, false);
  maps_.resize(count);
  started_.assign(frames, false);
  // Positions ascend with the pictures, each picture's in a row.
  for (size_t t = 0; t < frames; ++t) {
    if (static_cast<size_t>(distinct_[t]) == firstOf_.size()) firstOf_.push_back(t);
  }
  firstOf_.push_back(frames);
}

void PairwiseStage::addFrame(int32_t input, const FrameView& frame, const FrameView& luma) {
  const auto d = static_cast<size_t>(input);
  Buffer map = reduce(frame, luma);
  std::vector<size_t> complete;
  {
    std::lock_guard lock(mutex_);
    maps_[d] = std::move(map);
    ready_[d] = true;
    // Pairs that this picture is part of: its own positions, and the one behind them.
    const size_t end = std::min(firstOf_[d + 1] + 1, distinct_.size());
    for (size_t t = firstOf_[d]; t < end; ++t) {
      const auto cur = static_cast<size_t>(distinct_[t]);
      const size_t prev = t == 0 ? cur : static_cast<size_t>(distinct_[t - 1]);
      if (started_[t] || !ready_[cur] || !ready_[prev]) continue;
      started_[t] = true;
      complete.push_back(t);
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
