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
#include "pipeline/picture_maker.h"
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

// patchStream: feeds the energy and keeps the pictures: in their own planes or what patches can
// need of them, and where they are to be of another making than that, the small pictures alone.
class PatchCollector final : public Collector {
 public:
  PatchCollector(SampledFrames frames, const Stages& stages, const PatchOptions& patch,
                 const PatchGrid& grid, const KnownFrames* known,
                 std::unique_ptr<PictureMaker> maker);

  std::span<const int64_t> inputs() const override { return energy_->inputs(); }
  // Pictures that are made into small ones are let go.
  size_t keepsFrames(size_t /*wanted*/) const override { return maker_ ? 0 : distinct_.ids.size(); }
  bool wantsOrder() const override { return energy_->wantsOrder(); }
  bool wantsMotion() const override { return energy_->wantsMotion(); }
  // Cells, luma maps and patches are scaled anyway.
  bool takesAnySize() const override { return !energy_->wantsMotion(); }
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
    Buffer memory;                      // the rows that are left of it, or what was made of it
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
  const std::unique_ptr<PictureMaker> maker_;
  std::vector<Kept> frames_;
};

// The tensor of decodeOnly: its size, and where pictures and pixels go in it.
struct FramesLayout {
  FrameSize size;
  FrameLayout layout = FrameLayout::Thwc;
  std::shared_ptr<const ValueTable> values;

  size_t elementBytes() const { return dtypeSize(values->dtype); }
  size_t pixels() const {
    return static_cast<size_t>(size.height) * static_cast<size_t>(size.width);
  }
  size_t bytes(size_t frames) const { return 3 * pixels() * frames * elementBytes(); }
  // Of the first value of picture t of `frames`, in elements.
  size_t begin(size_t t) const {
    return layout == FrameLayout::Cthw ? t * pixels() : 3 * t * pixels();
  }
  PixelStrides strides(size_t frames) const;
  // Whether pictures stand in it as they are made: 8-bit RGB, one after the other.
  bool plain() const { return values->copies && layout == FrameLayout::Thwc; }
};

// decodeOnly: converts every picture straight into its place in the result.
class RgbCollector final : public Collector {
 public:
  // `maker`: null where pictures are wanted as they are, which then have to be of the video's size.
  RgbCollector(SampledFrames frames, const Stages& stages, FramesLayout layout,
               std::unique_ptr<PictureMaker> maker);

  size_t keepsFrames(size_t /*wanted*/) const override { return 0; }
  bool takesAnySize() const override { return maker_ != nullptr; }
  // [T, height, width, 3], or as the layout has it
  Buffer take() { return std::move(tensor_); }

 private:
  void accept(int32_t input, int32_t distinct, SourceFrame frame) override;
  // One picture as 8-bit RGB.
  void make(const FrameView& frame, uint8_t* rgb);
  // Memory for one, used again and again: each decoding thread needs one at a time.
  Buffer takeSpare();
  void giveBack(Buffer rgb);

  const FramesLayout layout_;
  const std::unique_ptr<PictureMaker> maker_;
  Profile& profile_;
  Buffer tensor_;
  std::mutex spareMutex_;
  std::vector<Buffer> spare_;
};

}  // namespace cps
