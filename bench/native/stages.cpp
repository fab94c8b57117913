// What comes after decoding, alone: the sampled frames are decoded once and stay in their planes.
//
//   cps_stages VIDEO FRAMES THREADS [K]
//
// Answers each line on stdin with one JSON line of milliseconds:
//
//   patches   scores of all frames, selection, gather: what patchStream does with decoded frames
//   rgb       all frames to RGB: what decodeOnly does with them
//   small     all frames to 224x224 by bicubic, float32, normalised: the same with these options
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <mutex>
#include <optional>

#include "backend/cpu_kernels.h"
#include "bench_common.h"
#include "core/memory_budget.h"
#include "ops/pixels/values.h"
#include "pipeline/energy_stage.h"
#include "pipeline/picture_maker.h"
#include "pipeline/selection.h"

namespace cps::bench {
namespace {

PatchOptions patchOptions(int64_t k) {
  PatchOptions o{};
  o.energy = Energy::Block;
  o.minPixels = o.maxPixels = 224 * 224;
  o.patchSize = 14;
  o.kKeep = {k};
  o.keyFramePatches = KeyFramePatches::Auto;
  o.selectionUnit = SelectionUnit::Patch;
  o.staticAbsThresh = 2.0;
  o.staticRelThresh = 0.15;
  o.staticUniformFrames = 4;
  o.energyPct = 95;
  o.outputDtype = DType::BF16;
  o.layout = Layout::Nchw;
  o.normalize = {1, {0, 0, 0}, {1, 1, 1}};
  return o;
}

class Keep final : public FrameSink {
 public:
  void onFrame(SourceFrame frame) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    frames_.push_back(std::move(frame));
  }
  // In display order.
  std::vector<SourceFrame> take() {
    std::sort(frames_.begin(), frames_.end(), [](const SourceFrame& a, const SourceFrame& b) {
      return a.displayIndex < b.displayIndex;
    });
    return std::move(frames_);
  }

 private:
  std::mutex mutex_;
  std::vector<SourceFrame> frames_;
};

class Stages {
 public:
  Stages(const std::string& path, int64_t frames, int threads, int64_t k)
      : options_(sourceOptions()),
        pool_(std::make_shared<TaskPool>(threads)),
        services_(makeMediaServices(pool_, std::make_shared<ThreadBudget>(threads))),
        patch_(patchOptions(k)),
        threads_(threads) {
    const CallContext call{options_, cancel_, profile_};
    const auto source = openCpuSource({path, nullptr, nullptr}, call, services_);
    info_ = source->info();
    distinct_ = distinctFrames(placeEnds(info_.totalFrames, frames));
    Keep keep;
    source->decode(distinct_.ids, keep);
    frames_ = keep.take();
    for (const int32_t d : distinct_.ofPosition) {
      keys_.push_back(frames_[static_cast<size_t>(d)].isKeyFrame ? 1 : 0);
    }
    kernels_ = makeCpuKernels({pool_.get(), threads, cancel_});
    grid_ = makePatchGrid(info_.height, info_.width, patch_.minPixels, patch_.maxPixels,
                          patch_.patchSize);
  }

  void patches() {
    Profile profile;
    double gatherMs = 0;
    const Usage usage = measure([&] {
      MemoryBudget budget(options_.maxMemoryBytes);
      const auto energy = makeEnergyStage(
          {patch_, grid_, distinct_.ids, distinct_.ofPosition, *kernels_, profile, budget});
      std::vector<std::optional<KeptPicture>> kept(frames_.size());
      pool_->parallelFor(frames_.size(), threads_, [&](size_t i) {
        energy->addFrame(static_cast<int32_t>(i), frames_[i].view, frames_[i].view);
        kept[i] = kernels_->keepForGather(frames_[i].view, grid_);
      });
      std::vector<FrameView> views;
      std::vector<const KeptRows*> rows;
      for (const int32_t d : distinct_.ofPosition) {
        const auto i = static_cast<size_t>(d);
        views.push_back(kept[i] ? kept[i]->view : frames_[i].view);
        rows.push_back(kept[i] ? kept[i]->rows.get() : nullptr);
      }
      const std::vector<uint8_t> isI = withFirstFrameRule(keys_);
      const std::span<const float> scores(energy->scores(),
                                          keys_.size() * static_cast<size_t>(grid_.perFrame()));
      Notes notes;
      const SelectionRule rule = selectionRule(
          patch_, grid_, std::ssize(isI), [] { return 0.0; }, notes);
      const std::vector<uint8_t> all(static_cast<size_t>(grid_.perFrame()), 1);
      const auto indices = selectPatches({scores, isI, all, grid_}, rule, patch_, cancel_).patches;
      const size_t values =
          size_t{3} * static_cast<size_t>(patch_.patchSize) * static_cast<size_t>(patch_.patchSize);
      const Buffer out =
          Buffer::allocate(hostMemory(), indices.size() * values * dtypeSize(patch_.outputDtype));
      gatherMs =
          measure([&] {
            kernels_->gatherPatches(
                views, indices, {grid_, patch_.outputDtype, patch_.layout, patch_.normalize, rows},
                out.data());
          }).wallMs;
    });
    std::printf("{\"ms\":%.3f,\"cpuMs\":%.3f,\"gatherMs\":%.3f", usage.wallMs, usage.cpuMs,
                gatherMs);
    for (const auto& [key, value] : profile.values())
      std::printf(",\"%s\":%.3f", key.c_str(), value);
    std::printf("}\n");
  }

  void rgb() {
    const size_t bytes =
        size_t{3} * static_cast<size_t>(info_.width) * static_cast<size_t>(info_.height);
    const Usage usage = measure([&] {
      const Buffer out = Buffer::allocate(hostMemory(), bytes * frames_.size());
      pool_->parallelFor(frames_.size(), threads_, [&](size_t i) {
        kernels_->toRgb(frames_[i].view, info_.height, info_.width, out.as<uint8_t>() + i * bytes);
      });
    });
    std::printf("{\"ms\":%.3f,\"cpuMs\":%.3f}\n", usage.wallMs, usage.cpuMs);
  }

  void small() {
    constexpr int32_t kSide = 224;
    SizeStepRule rule;
    rule.height = rule.width = kSide;
    const FrameSize source{info_.height, info_.width};
    const PictureSteps steps = makePictureSteps(std::span(&rule, 1), {}, source, 1);
    const auto values = std::make_shared<const ValueTable>(
        makeValueTable({1.0 / 255, {0, 0, 0}, {1, 1, 1}}, DType::F32));
    const size_t count = size_t{3} * kSide * kSide;
    const Usage usage = measure([&] {
      PictureMaker maker(*kernels_, steps, Resample::Bicubic);
      const Buffer out = Buffer::allocate(hostMemory(), count * frames_.size() * sizeof(float));
      pool_->parallelFor(frames_.size(), threads_, [&](size_t i) {
        const Buffer rgb = Buffer::allocate(hostMemory(), count);
        maker.make(frames_[i].view, rgb.as<uint8_t>());
        kernels_->lookUp(rgb.as<uint8_t>(), kSide * 3, kSide, kSide, values,
                         {kSide * kSide, kSide, 1}, out.as<float>() + i * count);
      });
    });
    std::printf("{\"ms\":%.3f,\"cpuMs\":%.3f}\n", usage.wallMs, usage.cpuMs);
  }

 private:
  SourceOptions options_;
  CancelPtr cancel_ = std::make_shared<CancelToken>();
  Profile profile_;
  std::shared_ptr<TaskPool> pool_;
  MediaServices services_;
  PatchOptions patch_;
  int threads_;
  VideoInfo info_;
  DistinctFrames distinct_;
  std::vector<SourceFrame> frames_;
  std::vector<uint8_t> keys_;
  std::unique_ptr<Kernels> kernels_;
  PatchGrid grid_;
};

int serve(int argc, char** argv) {
  if (argc != 4 && argc != 5) {
    std::fprintf(stderr, "usage: cps_stages VIDEO FRAMES THREADS [K]\n");
    return 2;
  }
  const int64_t k = argc == 5 ? std::atoll(argv[4]) : 2048;
  Stages stages(argv[1], std::atoll(argv[2]), std::max(1, std::atoi(argv[3])), k);
  std::printf("{}\n");
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    if (line == "patches") {
      stages.patches();
    } else if (line == "rgb") {
      stages.rgb();
    } else if (line == "small") {
      stages.small();
    } else {
      std::fprintf(stderr, "cps_stages: expected 'patches', 'rgb' or 'small', received '%s'\n",
                   line.c_str());
      return 2;
    }
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace cps::bench

int main(int argc, char** argv) {
  try {
    return cps::bench::serve(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cps_stages: %s\n", error.what());
    return 1;
  }
}
