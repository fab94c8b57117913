#include "pipeline/energy_stage.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include "core/error.h"

namespace cps {
namespace {

// Shared part: which pairs of neighbouring positions are complete, and scratch that is reused.
// Map is what one picture is reduced to (cells, luma map); Scratch what one comparison needs.
class PairwiseStage : public EnergyStage {
 public:
  PairwiseStage(const PatchGrid& grid, std::span<const int32_t> distinctOfPosition,
                Kernels& kernels, Profile& profile)
      : grid_(grid),
        kernels_(kernels),
        profile_(profile),
        distinct_(distinctOfPosition.begin(), distinctOfPosition.end()) {
    const size_t frames = distinct_.size();
    scores_ = Buffer::allocate(kernels.memory(),
                               frames * static_cast<size_t>(grid.perFrame()) * sizeof(float));
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

  void addFrame(int32_t distinct, const FrameView& frame, const FrameView& luma) final {
    const auto d = static_cast<size_t>(distinct);
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

  const float* scores() const final { return scores_.as<float>(); }

 protected:
  virtual Buffer reduce(const FrameView& frame, const FrameView& luma) = 0;
  virtual size_t scratchBytes() const = 0;
  virtual void compare(const Buffer& cur, const Buffer& prev, void* scratch) = 0;
  virtual void zero(void* scratch) = 0;
  virtual void toScores(void* scratch, float* out) = 0;

  PatchGrid grid_;
  Kernels& kernels_;
  Profile& profile_;

 private:
  void score(size_t t) {
    Buffer scratch = takeScratch();
    if (t == 0) {
      zero(scratch.data());
    } else {
      const Profile::Scope scope(profile_, "matchMs");
      compare(maps_[static_cast<size_t>(distinct_[t])],
              maps_[static_cast<size_t>(distinct_[t - 1])], scratch.data());
    }
    {
      const Profile::Scope scope(profile_, "scoresMs");
      toScores(scratch.data(), scores_.as<float>() + t * static_cast<size_t>(grid_.perFrame()));
    }
    std::lock_guard lock(mutex_);
    freeScratch_.push_back(std::move(scratch));
  }

  Buffer takeScratch() {
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

  std::mutex mutex_;
  std::vector<int32_t> distinct_;  // of each position
  std::vector<size_t> firstOf_;    // first position of each distinct frame, then their number
  std::vector<bool> ready_;        // per distinct frame
  std::vector<bool> started_;      // per position
  std::vector<Buffer> maps_;       // per distinct frame; written under the lock, read when ready
  std::vector<Buffer> freeScratch_;
  Buffer scores_;
};

class BlockEnergy final : public PairwiseStage {
 public:
  BlockEnergy(const PatchOptions& options, const PatchGrid& grid,
              std::span<const int32_t> distinctOfPosition, Kernels& kernels, Profile& profile)
      : PairwiseStage(grid, distinctOfPosition, kernels, profile),
        cells_(makeCellGrid(grid.frameHeight, grid.frameWidth)),
        energyPct_(options.energyPct) {}

 private:
  Buffer reduce(const FrameView& /*frame*/, const FrameView& luma) override {
    Buffer cells = Buffer::allocate(kernels_.memory(), static_cast<size_t>(cells_.cells()));
    const Profile::Scope scope(profile_, "cellsMs");
    kernels_.lumaCells(luma, cells_, cells.as<uint8_t>());
    return cells;
  }
  size_t scratchBytes() const override { return residualOffset() + cellCount(); }
  void compare(const Buffer& cur, const Buffer& prev, void* scratch) override {
    kernels_.blockMatch(cur.as<uint8_t>(), prev.as<uint8_t>(), cells_, motion(scratch),
                        residual(scratch));
  }
  void zero(void* scratch) override { kernels_.fillZero(scratch, scratchBytes()); }
  void toScores(void* scratch, float* out) override {
    kernels_.blockScores(motion(scratch), residual(scratch), cells_, grid_, energyPct_, out);
  }

  size_t cellCount() const { return static_cast<size_t>(cells_.cells()); }
  size_t residualOffset() const {
    const auto blocks = static_cast<size_t>(cells_.blocks());
    return (blocks + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
  }
  uint8_t* motion(void* scratch) const { return static_cast<uint8_t*>(scratch); }
  uint8_t* residual(void* scratch) const { return motion(scratch) + residualOffset(); }

  CellGrid cells_;
  double energyPct_;
};

class ReferenceEnergy final : public PairwiseStage {
 public:
  ReferenceEnergy(const PatchOptions& options, const PatchGrid& grid,
                  std::span<const int32_t> distinctOfPosition, Kernels& kernels, Profile& profile)
      : PairwiseStage(grid, distinctOfPosition, kernels, profile),
        cells_(makeReferenceGrid(grid.frameHeight, grid.frameWidth)),
        energyPct_(options.energyPct) {}

 private:
  Buffer reduce(const FrameView& frame, const FrameView& /*luma*/) override {
    Buffer luma = Buffer::allocate(kernels_.memory(), mapBytes());
    const Profile::Scope scope(profile_, "cellsMs");
    kernels_.referenceLuma(frame, cells_, luma.as<float>());
    return luma;
  }
  size_t scratchBytes() const override { return 2 * mapBytes(); }
  void compare(const Buffer& cur, const Buffer& prev, void* scratch) override {
    kernels_.referenceMatch(cur.as<float>(), prev.as<float>(), cells_, motion(scratch),
                            residual(scratch));
  }
  void zero(void* scratch) override { kernels_.fillZero(scratch, scratchBytes()); }
  void toScores(void* scratch, float* out) override {
    kernels_.referenceScores(motion(scratch), residual(scratch), cells_, grid_, energyPct_, out);
  }

  size_t mapBytes() const { return static_cast<size_t>(cells_.cells()) * sizeof(float); }
  float* motion(void* scratch) const { return static_cast<float*>(scratch); }
  float* residual(void* scratch) const { return motion(scratch) + cells_.cells(); }

  ReferenceGrid cells_;
  double energyPct_;
};

}  // namespace

std::unique_ptr<EnergyStage> makeEnergyStage(const PatchOptions& options, const PatchGrid& grid,
                                             std::span<const int32_t> distinctOfPosition,
                                             Kernels& kernels, Profile& profile) {
  switch (options.energy) {
    case Energy::Block:
      return std::make_unique<BlockEnergy>(options, grid, distinctOfPosition, kernels, profile);
    case Energy::Reference:
      return std::make_unique<ReferenceEnergy>(options, grid, distinctOfPosition, kernels, profile);
  }
  throw Error(ErrorCode::InvalidArgument, Stage::Options, "Unknown energy");
}

}  // namespace cps
