#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "core/call_context.h"
#include "core/profile.h"
#include "pipeline/backends.h"
#include "pipeline/damage.h"
#include "pipeline/energy_stage.h"
#include "pipeline/ignored.h"
#include "pipeline/pipeline.h"
#include "pipeline/sampling/sampling.h"

namespace cps {

// What both calls have in common while they run.
struct Stages {
  const VideoInput& input;
  const CallContext& call;
  const DevicesOptions& devices;
  Context& context;
  Backends& backends;
};

// What is kept of the pictures of one attempt (Note [Damaged frames]), and when the last one came.
class Collector : public FrameSink {
 public:
  Collector(SampledFrames frames, const Stages& stages);

  // Display indices of what it has to get, ascending and distinct.
  virtual std::span<const int64_t> inputs() const { return distinct_.ids; }
  const SampledFrames& sampled() const { return sampled_; }

  bool takesLosses() const final { return takesLosses_; }
  void onLost(int64_t displayIndex, const Error& why) final;
  // By display index.
  const std::map<int64_t, Error>& lost() const { return lost_; }

  void onFrame(SourceFrame frame) final;
  Profile::Clock::time_point lastArrival() const { return lastArrival_; }
  bool empty() const { return lastArrival_ == Profile::Clock::time_point::min(); }

  void describe(SampleInfo& sample) const;

 protected:
  static constexpr int32_t kNotSampled = -1;
  // `input`: index into inputs(); `distinct`: into distinct_.ids, or kNotSampled.
  virtual void accept(int32_t input, int32_t distinct, SourceFrame frame) = 0;

  const SampledFrames sampled_;
  const DistinctFrames distinct_;
  Kernels& kernels_;

 private:
  Context& context_;
  const bool takesLosses_;
  std::vector<double> timestamps_;
  std::vector<uint8_t> keyFlags_;
  std::mutex mutex_;
  Profile::Clock::time_point lastArrival_ = Profile::Clock::time_point::min();
  std::map<int64_t, Error> lost_;
};

// patchStream: feeds the energy and keeps the pictures in their own planes, or what patches can
// need of them.
class PatchCollector final : public Collector {
 public:
  PatchCollector(SampledFrames frames, const Stages& stages, const PatchOptions& patch,
                 const PatchGrid& grid, const KnownFrames* known);

  std::span<const int64_t> inputs() const override { return energy_->inputs(); }
  size_t keepsFrames(size_t /*wanted*/) const override { return distinct_.ids.size(); }
  bool wantsOrder() const override { return energy_->wantsOrder(); }
  // Cells, luma maps and patches are scaled anyway.
  bool takesAnySize() const override { return true; }
  // The energy, when everything has come. [T, rows, cols] in the kernels' memory; option maps.
  void finish() { energy_->finish(); }
  const float* scores() const { return energy_->scores(); }
  std::optional<EnergyMaps> takeMaps() { return energy_->takeMaps(); }
  void gather(std::span<const int32_t> indices, GatherSpec spec, void* out);
  // Of the sampled frames, where 'letterbox' is ignored.
  std::optional<Bars> bars() const;

 private:
  struct Kept {
    std::shared_ptr<const void> owner;  // of the picture, or
    Buffer memory;                      // the rows that are left of it
    FrameView view;
    std::shared_ptr<const KeptRows> rows;
  };

  void accept(int32_t input, int32_t distinct, SourceFrame frame) override;
  void findBars(const FrameView& luma);

  std::unique_ptr<EnergyStage> energy_;
  PatchGrid grid_;
  Profile& profile_;
  const CellGrid cells_;
  std::unique_ptr<BarFinder> barFinder_;  // where they are asked for
  std::vector<Kept> frames_;
};

// decodeOnly: converts every picture straight into its place in the result.
class RgbCollector final : public Collector {
 public:
  // `anySize`: pictures of another size than the video's are wanted in this one, too.
  RgbCollector(SampledFrames frames, const Stages& stages, int32_t width, int32_t height,
               bool anySize);

  size_t keepsFrames(size_t /*wanted*/) const override { return 0; }
  bool takesAnySize() const override { return anySize_; }
  // [T, height, width, 3]
  Buffer take() { return std::move(rgb_); }

 private:
  void accept(int32_t input, int32_t distinct, SourceFrame frame) override;

  const bool anySize_;
  Profile& profile_;
  int32_t width_, height_;
  size_t frameBytes_;
  Buffer rgb_;
};

}  // namespace cps
