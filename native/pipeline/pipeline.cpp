#include "pipeline/pipeline.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "core/kept_memory.h"
#include "core/memory_budget.h"
#include "pipeline/backends.h"
#include "pipeline/collectors.h"
#include "pipeline/context.h"
#include "pipeline/decode_sampled.h"
#include "pipeline/sampling/rule.h"
#include "pipeline/selection.h"
#include "pipeline/size_rules.h"

namespace cps {
namespace {

double millisSince(Profile::Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Profile::Clock::now() - start).count();
}

// Takes the result off the memory that the call may use. Checked before it is allocated: the sizes
// come from the file's own word.
void reserveResult(double bytes, const CallContext& call, const VideoInput& input) {
  if (call.memory->take(bytes)) {
    shrinkKeptMemory(static_cast<size_t>(std::max<int64_t>(0, call.memory->left())));
    return;
  }
  throw Error(
      ErrorCode::OutOfMemory, Stage::Open,
      "Making the result for " + input.describe() + " would take " +
          std::to_string(static_cast<int64_t>(bytes / 1e6)) +
          " MB, more than maxMemoryBytes allows; sample fewer frames, lower kKeep, or raise "
          "maxMemoryBytes");
}

// The frames that sampling sees. A part may have been made by a stored index that listed more
// frames than there are (Note [Held videos]).
Timeline timelineOf(const VideoInput& input, const FrameSource& source) {
  const Timeline whole = source.timeline();
  if (!input.part) return whole;
  const auto [from, to] = *input.part;
  if (from < 0 || from >= to || to > whole.frames) {
    throw Error(ErrorCode::Corrupt, Stage::Index,
                "Expected frames " + std::to_string(from) + " to " + std::to_string(to - 1) +
                    " for a part of " + input.describe() + " but received a video of " +
                    std::to_string(whole.frames) +
                    " frames: the stored index that the part was made by is wrong. Open the video "
                    "again.");
  }
  return partOf(whole, from, to);
}

// Which frames of the video are wanted, in the order of the rule.
std::vector<int64_t> framesOf(const VideoInput& input, const SamplingOptions& options,
                              const FrameSource& source) {
  std::vector<int64_t> ids = sampledFrames(options.sample, timelineOf(input, source));
  if (input.part) {
    for (int64_t& id : ids) id += input.part->from;
  }
  return ids;
}

void fillSample(SampleInfo& sample, const Stages& stages, const Collector& collector) {
  sample.video = stages.backends.source->info();
  sample.decodeBackend = stages.backends.source->device().name();
  sample.processBackend = stages.backends.kernels->device().name();
  sample.fallbackReason = stages.backends.fallbackReason;
  sample.notes = stages.call.notes->list();
  collector.describe(sample);
  const Timeline timeline = stages.backends.source->timeline();
  for (const int64_t id : sample.frameIds) {
    sample.secondsFromStart.push_back(timeline.seconds(id));
  }
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

// What becomes of a frame: by `size`, or else scaled to the area that inputSize stands for.
PictureSteps patchSteps(const PatchOptions& patch, const VideoInfo& info, int64_t frames) {
  const FrameSize source{info.height, info.width};
  const Augment augment = augmentOf(patch.augment);
  if (patch.size) {
    return makePictureSteps(sizeRulesOf(*patch.size), augment, source, frames);
  }
  const ChosenPart part = makePictureSteps({}, augment, source, frames).part;
  const PatchGrid scaled =
      makePatchGrid(part.height, part.width, patch.minPixels, patch.maxPixels, patch.patchSize);
  SizeStepRule rule;
  rule.height = scaled.targetHeight;
  rule.width = scaled.targetWidth;
  return makePictureSteps(std::span(&rule, 1), augment, source, frames);
}

// The same for decodeOnly: by `size`, to width and height, or as it is.
PictureSteps frameSteps(const FrameOptions& frame, const VideoInfo& info, int64_t frames) {
  const FrameSize source{info.height, info.width};
  std::vector<SizeStepRule> rules;
  if (frame.size) rules = sizeRulesOf(*frame.size);
  if (frame.width > 0) {
    rules.resize(1);
    rules[0].height = frame.height;
    rules[0].width = frame.width;
  }
  return makePictureSteps(rules, augmentOf(frame.augment), source, frames);
}

std::optional<PatchResult> makePatches(const VideoInput& input, const CallContext& call,
                                       const PatchStreamOptions& options, Context& context) {
  const PatchOptions& patch = options.patch;
  Backends backends = openBackends(input, call, options.devices, context);
  const Stages stages{input, call, options.devices, context, backends};
  const VideoInfo& info = backends.source->info();

  PatchResult result;
  const std::vector<int64_t> ids = framesOf(input, options.sampling, *backends.source);
  const PictureSteps steps = patchSteps(patch, info, std::ssize(ids));
  // 'bilinear-plain' of whole pictures is done to selected patches alone.
  const bool lazily = patch.resample == Resample::BilinearPlain && steps.onlyResizes();
  if (patch.energy == Energy::Reference && !steps.onlyResizes()) {
    throw Error(ErrorCode::InvalidArgument, Stage::Options,
                "Expected size without crop and pad, and no augment, for energy 'reference'");
  }
  result.grid =
      makePatchGrid(steps, patch.patchSize, patch.selectionUnit == SelectionUnit::Block2x2);
  if (patch.augment) result.sample.augmentation = {shownPart(steps), steps.flipped};
  int64_t allPatches = int64_t{result.grid.perFrame()} * std::ssize(ids);
  if (allPatches > std::numeric_limits<int32_t>::max()) {
    throw Error(ErrorCode::Unsupported, Stage::Options,
                "The sample, maxPixels and patchSize give " + std::to_string(allPatches) +
                    " patches for " + input.describe() + ", more than an index can count");
  }
  const size_t patchValues =
      size_t{3} * static_cast<size_t>(patch.patchSize) * static_cast<size_t>(patch.patchSize);
  const SelectionRule rule = selectionRule(
      patch, result.grid, std::ssize(ids),
      [&] {
        return secondsInRange(options.sampling.sample, timelineOf(input, *backends.source),
                              "kKeep.perSecond");
      },
      *call.notes);
  if (!ignoresBars(patch.ignore)) {  // else what is left shows when the frames are there
    checkCandidates(candidatePatches(result.grid, patch.ignore, {}), result.grid, rule,
                    std::ssize(ids));
  }
  const int64_t count = std::min(rule.k * rule.patchesPerUnit, allPatches);
  // All scores, those of blocks, and the selection's 64-bit keys and marks; per kept patch its
  // values, index, fields and score.
  constexpr double kBytesPerScore = 2 * sizeof(float) + sizeof(uint64_t) + sizeof(uint8_t);
  constexpr double kBytesPerRow = 7 * sizeof(int32_t) + sizeof(float);
  const double patchBytes = static_cast<double>(patchValues * dtypeSize(patch.outputDtype));
  const FrameSize picture = steps.result();
  const double pictureBytes =
      lazily ? 0 : 3.0 * picture.height * picture.width * static_cast<double>(ids.size());
  reserveResult(pictureBytes + static_cast<double>(count) * (patchBytes + kBytesPerRow) +
                    static_cast<double>(allPatches) * kBytesPerScore,
                call, input);

  const auto make = [&](SampledFrames frames, const KnownFrames* known) {
    auto maker =
        lazily ? nullptr : std::make_unique<PictureMaker>(*backends.kernels, steps, patch.resample);
    return std::make_unique<PatchCollector>(std::move(frames), stages, patch, result.grid, known,
                                            std::move(maker));
  };
  const auto decoded = decodeSampled(stages, ids, make);
  if (!decoded) return std::nullopt;
  auto* collector = static_cast<PatchCollector*>(decoded.get());
  Kernels& kernels = *backends.kernels;  // only now: decoding may have taken others
  call.cancel->check(Stage::Process);
  collector->finish();
  result.maps = collector->takeMaps();
  fillSample(result.sample, stages, *collector);
  result.isI = withFirstFrameRule(result.sample.isKeyFrame);
  allPatches = int64_t{result.grid.perFrame()} * std::ssize(result.isI);  // fewer under 'skip'

  result.frameScores =
      Buffer::allocate(hostMemory(), static_cast<size_t>(allPatches) * sizeof(float));
  kernels.download(result.frameScores.data(), collector->scores(), result.frameScores.bytes());
  Selection selection;
  {
    const Profile::Scope scope(call.profile, "selectMs");
    const std::span<const float> scores(result.frameScores.as<float>(),
                                        static_cast<size_t>(allPatches));
    result.letterbox = collector->bars();
    const std::vector<uint8_t> candidates =
        candidatePatches(result.grid, patch.ignore, result.letterbox.value_or(Bars{}));
    selection =
        selectPatches({scores, result.isI, candidates, result.grid}, rule, patch, call.cancel);
  }
  if (selection.keyFramesFilledK) {
    call.notes->add("key-frames-alone",
                    "Key frames come before all others and have as many patches as kKeep, so every "
                    "patch is of one of them.");
    result.sample.notes = call.notes->list();
  }
  const std::vector<int32_t>& indices = selection.patches;
  call.cancel->check(Stage::Process);
  result.count = static_cast<int64_t>(indices.size());
  result.patches = Buffer::allocate(kernels.memory(),
                                    indices.size() * patchValues * dtypeSize(patch.outputDtype));
  {
    const Profile::Scope scope(call.profile, "gatherMs");
    collector->gather(indices, {result.grid, patch.outputDtype, patch.layout, patch.normalize},
                      result.patches.data());
    kernels.synchronize();
  }
  fillMetadata(result, indices, result.sample.frameIds);
  call.profile.set("afterDecodeMs", millisSince(collector->lastArrival()));
  return result;
}

std::optional<FramesResult> makeFrames(const VideoInput& input, const CallContext& call,
                                       const DecodeOnlyOptions& options, Context& context) {
  const FrameOptions& frame = options.frame;
  Backends backends = openBackends(input, call, options.devices, context);
  const Stages stages{input, call, options.devices, context, backends};
  const VideoInfo& info = backends.source->info();

  FramesResult result;
  const std::vector<int64_t> ids = framesOf(input, options.sampling, *backends.source);
  const PictureSteps steps = frameSteps(frame, info, std::ssize(ids));
  if (frame.augment) result.sample.augmentation = {shownPart(steps), steps.flipped};
  const FrameSize size = steps.result();
  result.width = size.width;
  result.height = size.height;
  const FramesLayout layout{
      size, frame.layout,
      std::make_shared<const ValueTable>(makeValueTable(frame.normalize, frame.outputDtype))};
  reserveResult(static_cast<double>(layout.bytes(1)) * static_cast<double>(ids.size()), call,
                input);
  const bool asTheyAre = !frame.size && frame.width == 0 && !frame.augment;

  const auto decoded = decodeSampled(stages, ids, [&](SampledFrames frames, const KnownFrames*) {
    auto maker = asTheyAre
                     ? nullptr
                     : std::make_unique<PictureMaker>(*backends.kernels, steps, frame.resample);
    return std::make_unique<RgbCollector>(std::move(frames), stages, layout, std::move(maker));
  });
  if (!decoded) return std::nullopt;
  auto* collector = static_cast<RgbCollector*>(decoded.get());
  call.cancel->check(Stage::Process);
  backends.kernels->synchronize();
  result.frames = collector->take();
  fillSample(result.sample, stages, *collector);
  call.profile.set("afterDecodeMs", millisSince(collector->lastArrival()));
  return result;
}

// Runs a call; once more without indexes from disk where one of them has misled it.
template <typename Options, typename Make>
auto withTrueIndex(const VideoInput& input, const Options& options, const CancelPtr& cancel,
                   Profile& profile, const Make& make) {
  return namingInput([&] { return input.describe(); },
                     [&] {
                       checkRanges(options);
                       auto result = make(CallContext{options.source, cancel, profile});
                       if (!result)
                         result = make(CallContext{options.source, cancel, profile, false});
                       if (!result)
                         throw std::logic_error("a call without stored indexes was misled by one");
                       return std::move(*result);
                     });
}

}  // namespace

PatchResult runPatchStream(const VideoInput& input, const PatchStreamOptions& options,
                           Context& context, const CancelPtr& cancel, Profile& profile) {
  return withTrueIndex(input, options, cancel, profile, [&](const CallContext& call) {
    return makePatches(input, call, options, context);
  });
}

OpenedVideo runOpenVideo(const VideoInput& input, const DecodeOnlyOptions& options,
                         Context& context, const CancelPtr& cancel, Profile& profile) {
  return withTrueIndex(input, options, cancel, profile, [&](const CallContext& call) {
    OpenedVideo opened;
    opened.video = holdVideo(input, call, context.media());
    opened.notes = call.notes->list();
    return std::optional<OpenedVideo>(std::move(opened));
  });
}

FramesResult runDecodeOnly(const VideoInput& input, const DecodeOnlyOptions& options,
                           Context& context, const CancelPtr& cancel, Profile& profile) {
  return withTrueIndex(input, options, cancel, profile, [&](const CallContext& call) {
    return makeFrames(input, call, options, context);
  });
}

}  // namespace cps
