#include "pipeline/pipeline.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "pipeline/backends.h"
#include "pipeline/context.h"
#include "pipeline/energy_stage.h"
#include "pipeline/sampling.h"
#include "pipeline/selection.h"

namespace cps {
namespace {

using Clock = Profile::Clock;

double millisSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// Takes the result off the memory that is left for pictures. Checked before it is allocated: the
// sizes come from the file's own word.
void reserveResult(double bytes, DecodeOptions& options, const VideoInput& input) {
  if (bytes > static_cast<double>(options.maxMemoryBytes)) {
    throw Error(ErrorCode::OutOfMemory, Stage::Open,
                "Making the result for " + input.describe() + " would take " +
                    std::to_string(static_cast<int64_t>(bytes / 1e6)) +
                    " MB, more than maxMemoryBytes allows; lower sequenceLength or kKeep, or raise "
                    "maxMemoryBytes");
  }
  options.maxMemoryBytes -= static_cast<int64_t>(bytes);
}

// What one attempt asks for (Note [Damaged frames]).
struct Sampling {
  SampledFrames frames;
  DistinctFrames distinct;
};

Sampling sample(SampledFrames frames) {
  DistinctFrames distinct = distinctFrames(frames.ids);
  return {std::move(frames), std::move(distinct)};
}

// What both calls have in common while they run.
struct Stages {
  const VideoInput& input;
  const CallContext& call;
  Context& context;
  Backends& backends;
};

// What is kept of every distinct picture, and when the last one came.
class Collector : public FrameSink {
 public:
  Collector(SampledFrames frames, const Stages& stages)
      : sampling_(sample(std::move(frames))),
        distinct_(sampling_.distinct),
        kernels_(*stages.backends.kernels),
        context_(stages.context),
        takesLosses_(stages.call.options.damaged != Damaged::Error) {
    timestamps_.resize(distinct_.ids.size());
    keyFlags_.resize(distinct_.ids.size());
  }

  const Sampling& sampling() const { return sampling_; }
  bool takesLosses() const final { return takesLosses_; }
  void onLost(int64_t displayIndex, const Error& why) final {
    std::lock_guard lock(mutex_);
    lost_.emplace(displayIndex, why);
  }
  // By display index.
  const std::map<int64_t, Error>& lost() const { return lost_; }

  void onFrame(SourceFrame frame) final {
    const Clock::time_point arrived = Clock::now();
    const auto it =
        std::lower_bound(distinct_.ids.begin(), distinct_.ids.end(), frame.displayIndex);
    const auto d = static_cast<size_t>(it - distinct_.ids.begin());
    timestamps_[d] = frame.timestampSec;
    keyFlags_[d] = frame.isKeyFrame ? 1 : 0;
    {
      std::lock_guard lock(mutex_);
      lastArrival_ = std::max(lastArrival_, arrived);
    }
    accept(d, onDevice(std::move(frame), kernels_.device(), context_));
  }

  Clock::time_point lastArrival() const { return lastArrival_; }
  bool empty() const { return lastArrival_ == Clock::time_point::min(); }

  void describe(SampleInfo& sample) const {
    sample.frameIds = sampling_.frames.ids;
    sample.replaced = sampling_.frames.replaced;
    sample.skipped = sampling_.frames.skipped;
    for (const int32_t d : distinct_.ofPosition) {
      sample.timestampsSec.push_back(timestamps_[static_cast<size_t>(d)]);
      sample.isKeyFrame.push_back(keyFlags_[static_cast<size_t>(d)]);
    }
  }

 protected:
  virtual void accept(size_t distinct, SourceFrame frame) = 0;

  const Sampling sampling_;
  const DistinctFrames& distinct_;
  Kernels& kernels_;

 private:
  Context& context_;
  const bool takesLosses_;
  std::vector<double> timestamps_;
  std::vector<uint8_t> keyFlags_;
  std::mutex mutex_;
  Clock::time_point lastArrival_ = Clock::time_point::min();
  std::map<int64_t, Error> lost_;
};

// patchStream: feeds the energy and keeps the pictures in their own planes, or what patches can
// need of them.
class PatchCollector final : public Collector {
 public:
  PatchCollector(SampledFrames frames, const Stages& stages, const PatchOptions& patch,
                 const PatchGrid& grid)
      : Collector(std::move(frames), stages),
        energy_(makeEnergyStage({patch, grid, distinct_.ids, distinct_.ofPosition, kernels_,
                                 stages.call.profile})),
        grid_(grid),
        frames_(distinct_.ids.size()) {}

  // Cells, luma maps and patches are scaled anyway.
  bool takesAnySize() const override { return true; }
  const float* scores() const { return energy_->scores(); }

  void gather(Kernels& kernels, std::span<const int32_t> indices, GatherSpec spec, void* out) {
    std::vector<FrameView> views;
    std::vector<const KeptRows*> rows;
    for (const int32_t d : distinct_.ofPosition) {
      const Kept& kept = frames_[static_cast<size_t>(d)];
      views.push_back(kept.view);
      rows.push_back(kept.rows.get());
    }
    spec.rows = rows;
    kernels.gatherPatches(views, indices, spec, out);
  }

 private:
  struct Kept {
    std::shared_ptr<const void> owner;  // of the picture, or
    Buffer memory;                      // the rows that are left of it
    FrameView view;
    std::shared_ptr<const KeptRows> rows;
  };

  void accept(size_t d, SourceFrame frame) override {
    frames_[d] = {std::move(frame.owner), Buffer(), frame.view, nullptr};
    energy_->addFrame(static_cast<int32_t>(d), frame.view,
                      frame.luma ? frame.luma->view : frame.view);
    if (std::optional<KeptPicture> kept = kernels_.keepForGather(frame.view, grid_)) {
      frames_[d] = {nullptr, std::move(kept->memory), kept->view, std::move(kept->rows)};
    }
  }

  std::unique_ptr<EnergyStage> energy_;
  PatchGrid grid_;
  std::vector<Kept> frames_;
};

// decodeOnly: converts every picture straight into its place in the result.
class RgbCollector final : public Collector {
 public:
  // `anySize`: pictures of another size than the video's are wanted in this one, too.
  RgbCollector(SampledFrames frames, const Stages& stages, int32_t width, int32_t height,
               bool anySize)
      : Collector(std::move(frames), stages),
        anySize_(anySize),
        profile_(stages.call.profile),
        width_(width),
        height_(height),
        frameBytes_(size_t{3} * static_cast<size_t>(width) * static_cast<size_t>(height)),
        rgb_(Buffer::allocate(kernels_.memory(), frameBytes_ * distinct_.ofPosition.size())) {}

  bool keepsFrames() const override { return false; }
  bool takesAnySize() const override { return anySize_; }
  // [T, height, width, 3]
  Buffer take() { return std::move(rgb_); }

 private:
  void accept(size_t d, SourceFrame frame) override {
    const Profile::Scope scope(profile_, "convertMs");
    const auto [begin, end] = distinct_.positionsOf(d);
    for (size_t t = begin; t < end; ++t) {
      kernels_.toRgb(frame.view, height_, width_, rgb_.as<uint8_t>() + t * frameBytes_);
    }
    // The picture's owner may go when this returns, so asynchronous kernels must be done with it.
    if (!kernels_.device().isCpu()) kernels_.synchronize();
  }

  const bool anySize_;
  Profile& profile_;
  int32_t width_, height_;
  size_t frameBytes_;
  Buffer rgb_;
};

// An index from disk has led to an error and is forgotten.
struct StaleIndex {};

// Runs a call; once more without indexes from disk where one of them may have misled it.
template <typename Run>
auto withTrueIndex(const DecodeOptions& decode, const Run& run) {
  try {
    return run(decode);
  } catch (const StaleIndex&) {
    DecodeOptions anew = decode;
    anew.readerCacheDir.clear();
    return run(anew);
  }
}

// Whether the CPU may do better at what another device's source threw.
bool cpuMayDoBetter(const Error& error, const Stages& stages, const Collector& collector) {
  const DecodeOptions& options = stages.call.options;
  switch (error.code()) {
    case ErrorCode::BackendUnavailable:
      return collector.empty();
    case ErrorCode::Corrupt:
      return options.damaged != Damaged::Error && options.decodeBackend != Backend::Gpu;
    case ErrorCode::Unsupported:  // a change of size or format
      return options.decodeBackend != Backend::Gpu;
    default:
      return false;
  }
}

// Decodes what the call samples, and that again with other frames as long as some cannot be had
// (Note [Damaged frames]). `make` makes the collector of one attempt.
template <typename Make>
auto decodeSampled(const Stages& stages, const Make& make) {
  const auto& [input, call, context, backends] = stages;
  const std::vector<int64_t> wanted =
      sampleFrameIds(backends.source->info().totalFrames, call.options.sequenceLength);
  std::optional<KnownFrames> known;
  SampledFrames frames{wanted, {}, {}};
  for (;;) {
    auto collector = make(std::move(frames));
    const std::vector<int64_t>& ids = collector->sampling().distinct.ids;
    try {
      backends.source->decode(ids, *collector);
    } catch (const Error& error) {
      const bool ofTheFile =
          error.code() == ErrorCode::Corrupt || error.code() == ErrorCode::Unsupported;
      if (ofTheFile && backends.source->forgetStoredIndex()) throw StaleIndex();
      if (backends.source->device().isCpu()) throw;
      if (!cpuMayDoBetter(error, stages, *collector)) throw;
      fallBackToCpu(backends, input, call, context, error);
      frames = collector->sampling().frames;
      continue;
    }
    if (collector->lost().empty()) {
      noteDamage(collector->sampling().frames, *call.notes);
      return collector;
    }
    if (backends.source->forgetStoredIndex()) throw StaleIndex();
    if (!known) known.emplace(backends.source->info().totalFrames);
    known->learn(ids, collector->lost());
    const Error why = collector->lost().begin()->second;
    collector.reset();  // two attempts' pictures would be too much memory
    auto chosen = chooseFrames(wanted, call.options.damaged, *known, *backends.source);
    if (!chosen) {
      throw Error(why.code(), why.stage(),
                  std::string(call.options.damaged == Damaged::Skip
                                  ? "None of the sampled frames can be decoded. "
                                  : "No frame can be decoded. ") +
                      why.what());
    }
    frames = std::move(*chosen);
  }
}

void fillSample(SampleInfo& sample, const Stages& stages, const Collector& collector) {
  sample.video = stages.backends.source->info();
  sample.decodeBackend = stages.backends.source->device().name();
  sample.processBackend = stages.backends.kernels->device().name();
  sample.fallbackReason = stages.backends.fallbackReason;
  sample.notes = stages.call.notes->list();
  collector.describe(sample);
}

void fillMetadata(PatchResult& result, std::span<const int32_t> indices,
                  std::span<const int64_t> frameIds) {
  const PatchGrid& grid = result.grid;
  result.fields = Buffer::allocate(hostMemory(), indices.size() * 6 * sizeof(int32_t));
  result.scores = Buffer::allocate(hostMemory(), indices.size() * sizeof(float));
  int32_t* field = result.fields.as<int32_t>();
  const float* all = result.frameScores.as<float>();
  for (size_t i = 0; i < indices.size(); ++i, field += 6) {
    const int32_t frame = indices[i] / grid.perFrame();
    const int32_t inFrame = indices[i] % grid.perFrame();
    field[0] = frame;
    field[1] = static_cast<int32_t>(frameIds[static_cast<size_t>(frame)]);
    field[2] = result.isI[static_cast<size_t>(frame)];
    field[3] = indices[i];
    field[4] = inFrame / grid.cols;
    field[5] = inFrame % grid.cols;
    result.scores.as<float>()[i] = all[indices[i]];
  }
}

PatchResult makePatches(const VideoInput& input, const DecodeOptions& decode,
                        const PatchOptions& patch, Context& context, const CancelPtr& cancel,
                        Profile& profile) {
  checkRanges(decode);
  checkRanges(patch);
  DecodeOptions limits = decode;
  const CallContext call{limits, cancel, profile};
  Backends backends = openBackends(input, call, context);
  Kernels& kernels = *backends.kernels;
  const Stages stages{input, call, context, backends};
  const VideoInfo& info = backends.source->info();

  PatchResult result;
  result.grid =
      makePatchGrid(info.height, info.width, patch.minPixels, patch.maxPixels, patch.patchSize);
  int64_t allPatches = int64_t{result.grid.perFrame()} * decode.sequenceLength;
  if (allPatches > std::numeric_limits<int32_t>::max()) {
    throw Error(ErrorCode::Unsupported, Stage::Options,
                "sequenceLength, maxPixels and patchSize give " + std::to_string(allPatches) +
                    " patches for " + input.describe() + ", more than an index can count");
  }
  const size_t patchValues =
      size_t{3} * static_cast<size_t>(patch.patchSize) * static_cast<size_t>(patch.patchSize);
  const int64_t count = std::min<int64_t>(patch.kKeep, allPatches);
  // All scores, those of blocks, and the selection's 64-bit keys; per kept patch its values, index,
  // fields and score.
  constexpr double kBytesPerScore = 2 * sizeof(float) + sizeof(uint64_t);
  constexpr double kBytesPerRow = 7 * sizeof(int32_t) + sizeof(float);
  const double patchBytes = static_cast<double>(patchValues * dtypeSize(patch.outputDtype));
  reserveResult(static_cast<double>(count) * (patchBytes + kBytesPerRow) +
                    static_cast<double>(allPatches) * kBytesPerScore,
                limits, input);

  const auto collector = decodeSampled(stages, [&](SampledFrames frames) {
    return std::make_unique<PatchCollector>(std::move(frames), stages, patch, result.grid);
  });
  cancel->check(Stage::Process);
  fillSample(result.sample, stages, *collector);
  result.isI = withFirstFrameRule(result.sample.isKeyFrame);
  allPatches = int64_t{result.grid.perFrame()} * std::ssize(result.isI);  // fewer under 'skip'

  result.frameScores =
      Buffer::allocate(hostMemory(), static_cast<size_t>(allPatches) * sizeof(float));
  kernels.download(result.frameScores.data(), collector->scores(), result.frameScores.bytes());
  std::vector<int32_t> indices;
  {
    const Profile::Scope scope(profile, "selectMs");
    const std::span<const float> scores(result.frameScores.as<float>(),
                                        static_cast<size_t>(allPatches));
    indices = selectPatches({scores, result.isI, result.grid}, patch, cancel);
  }
  cancel->check(Stage::Process);
  result.count = static_cast<int64_t>(indices.size());
  result.patches = Buffer::allocate(kernels.memory(),
                                    indices.size() * patchValues * dtypeSize(patch.outputDtype));
  {
    const Profile::Scope scope(profile, "gatherMs");
    collector->gather(kernels, indices,
                      {result.grid, patch.outputDtype, patch.layout, patch.normalize},
                      result.patches.data());
    kernels.synchronize();
  }
  fillMetadata(result, indices, result.sample.frameIds);
  profile.set("afterDecodeMs", millisSince(collector->lastArrival()));
  return result;
}

FramesResult makeFrames(const VideoInput& input, const DecodeOptions& decode,
                        const FrameOptions& frame, Context& context, const CancelPtr& cancel,
                        Profile& profile) {
  checkRanges(decode);
  checkRanges(frame);
  DecodeOptions limits = decode;
  const CallContext call{limits, cancel, profile};
  Backends backends = openBackends(input, call, context);
  const Stages stages{input, call, context, backends};
  const VideoInfo& info = backends.source->info();

  FramesResult result;
  result.width = frame.width > 0 ? frame.width : info.width;
  result.height = frame.height > 0 ? frame.height : info.height;
  const double bytes =
      3.0 * result.width * result.height * static_cast<double>(decode.sequenceLength);
  reserveResult(bytes, limits, input);

  const auto collector = decodeSampled(stages, [&](SampledFrames frames) {
    return std::make_unique<RgbCollector>(std::move(frames), stages, result.width, result.height,
                                          frame.width > 0 || frame.height > 0);
  });
  cancel->check(Stage::Process);
  backends.kernels->synchronize();
  result.frames = collector->take();
  fillSample(result.sample, stages, *collector);
  profile.set("afterDecodeMs", millisSince(collector->lastArrival()));
  return result;
}

}  // namespace

PatchResult runPatchStream(const VideoInput& input, const DecodeOptions& decode,
                           const PatchOptions& patch, Context& context, const CancelPtr& cancel,
                           Profile& profile) {
  return namingInput([&] { return input.describe(); },
                     [&] {
                       return withTrueIndex(decode, [&](const DecodeOptions& options) {
                         return makePatches(input, options, patch, context, cancel, profile);
                       });
                     });
}

FramesResult runDecodeOnly(const VideoInput& input, const DecodeOptions& decode,
                           const FrameOptions& frame, Context& context, const CancelPtr& cancel,
                           Profile& profile) {
  return namingInput([&] { return input.describe(); },
                     [&] {
                       return withTrueIndex(decode, [&](const DecodeOptions& options) {
                         return makeFrames(input, options, frame, context, cancel, profile);
                       });
                     });
}

}  // namespace cps
