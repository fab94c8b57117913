#include "media/decode/cpu_source.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <optional>

#include "core/error.h"
#include "ffmpeg/util.h"
#include "media/codec/codec_rules.h"
#include "media/decode/decoder_pool.h"
#include "media/decode/frame_view_ffmpeg.h"
#include "media/decode/held_video.h"
#include "media/decode/in_sequence.h"
#include "media/decode/indexed_video.h"
#include "media/decode/next_step.h"
#include "media/decode/picture_motion.h"
#include "media/decode/segment_decoder.h"
#include "media/decode/targets.h"
#include "media/index/index_cache.h"

namespace cps {
namespace {

// Of segments that run at the same time, the first one's error: which one is heard first depends on
// threads.
class FirstFailure {
 public:
  void add(int32_t begin, const Error& error) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (begin >= begin_) return;
    begin_ = begin;
    error_ = error;
  }
  bool isBefore(int32_t begin) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return begin_ < begin;
  }
  void rethrow() const {
    if (error_) throw *error_;
  }

 private:
  mutable std::mutex mutex_;
  int32_t begin_ = INT32_MAX;
  std::optional<Error> error_;
};

class CpuSource final : public FrameSource {
 public:
  template <typename Input>
  CpuSource(const Input& input, const CallContext& call, const MediaServices& services)
      : video_(input, call, services),
        index_(video_.index()),
        rules_(rulesOf(index_.parameters->codec_id)),
        options_(call.options),
        profile_(call.profile),
        cancel_(call.cancel),
        notes_(call.notes),
        memory_(call.memory),
        services_(services) {}

  Device device() const override { return Device::cpu(); }
  const VideoInfo& info() const override { return index_.info; }
  Timeline timeline() const override { return video_.timeline(); }
  void decode(std::span<const int64_t> displayIndices, FrameSink& sink) override;
  bool forgetStoredIndex() override { return video_.forgetStoredIndex(); }

 private:
  // One thread's tools, kept from segment to segment.
  struct Worker {
    std::unique_ptr<PacketReader> reader;
    std::unique_ptr<PacketDecoder> decoder;
    DecoderConfig config;
  };
  struct Totals {
    std::atomic<int64_t> read{0}, decoded{0}, dropped{0}, seeks{0};
  };

  // These are false where the rest has to be planned anew (NextStep::Replan).
  bool runPlan(const DecodePlan& plan, std::unique_ptr<PacketReader> reader, Targets& targets);
  bool runSegment(Worker& worker, const DecodeSegment& segment, bool jumps, Targets& targets);

  // Note [Going on]. False: what is still wanted has to be decoded by the plan.
  bool goOn(const DecodePlan& plan, Targets& targets);
  bool isReachedBy(const OngoingRun& run, const DecodeSegment& segment,
                   std::span<const int32_t> wanted) const;
  std::unique_ptr<OngoingRun> beginRun(int32_t first, int threads) const;

  DecoderConfig decoderConfig(int threads) const;
  bool prepareDecoder(Worker& worker, const DecodeSegment& segment, Attempt::Way way);
  SegmentOutcome attempt(Worker& worker, const DecodeSegment& packets, Attempt::Way way,
                         Targets& targets);
  void checkMemoryOf(const PacketDecoder& decoder, int32_t ordinal) const;
  void give(int32_t ordinal, int64_t displayIndex, const AVFrame& frame, Targets& targets,
            const SegmentDecoder* from = nullptr);
  void countMemoryOf(const AVFrame& frame, size_t wanted);
  void openReader(Worker& worker) {
    if (!worker.reader) worker.reader = video_.openReader();
  }
  bool pooled() const { return options_.decodeMode == DecodeMode::Throughput; }
  std::unique_ptr<PacketDecoder> takeDecoder(const DecoderConfig& config) {
    return pooled() ? services_.decoders->take(*index_.parameters, config)
                    : std::make_unique<PacketDecoder>(*index_.parameters, config);
  }
  void closeReader(Worker& worker);
  void finish(Worker& worker);

  const IndexedVideo video_;
  const FrameIndex& index_;
  const CodecRules& rules_;
  const SourceOptions& options_;
  Profile& profile_;
  CancelPtr cancel_;
  std::shared_ptr<Notes> notes_;
  std::shared_ptr<MemoryBudget> memory_;
  MediaServices services_;
  Totals totals_;
  // Bytes that pictures of the current decode() take more than those of the video's size.
  std::atomic<int64_t> larger_ = 0;
};

void CpuSource::decode(std::span<const int64_t> displayIndices, FrameSink& sink) {
  video_.checkTargets(displayIndices, sink.keepsFrames(displayIndices.size()));
  if (displayIndices.empty()) return;
  larger_ = 0;
  Targets targets(index_, displayIndices, sink);
  if (index_.trust == IndexTrust::Sequential) {
    decodeInSequence(video_, options_, targets, profile_,
                     [&](int32_t ordinal, int64_t displayIndex, const AVFrame& frame) {
                       give(ordinal, displayIndex, frame, targets);
                     });
    return video_.checkUnchanged();
  }
  bool goesOn = video_.held() && video_.held()->goesOn() && !targets.wantsMotion();
  video_.decodeByPlan(targets, [&](const DecodePlan& plan, std::unique_ptr<PacketReader> reader) {
    if (std::exchange(goesOn, false) && goOn(plan, targets)) return true;
    return runPlan(plan, std::move(reader), targets);
  });
  video_.checkUnchanged();
  profile_.set("packetsRead", static_cast<double>(totals_.read));
  profile_.set("packetsDecoded", static_cast<double>(totals_.decoded));
  profile_.set("packetsDropped", static_cast<double>(totals_.dropped));
  profile_.set("seeks", static_cast<double>(totals_.seeks));
}

bool CpuSource::runPlan(const DecodePlan& plan, std::unique_ptr<PacketReader> reader,
                        Targets& targets) {
  const ThreadBudget::Lease lease = leaseDecoderThreads(options_, services_);
  ThreadPlan threads = planThreads(plan, lease.count());
  if (threads.threads > 1 && !rules_.frameThreads) {
    threads.threads = 1;
    threads.decoders = std::min(lease.count(), static_cast<int>(plan.segments.size()));
  }
  profile_.set("segments", static_cast<double>(plan.segments.size()));
  profile_.set("decoders", threads.decoders);
  profile_.set("decoderThreads", threads.decoders * threads.threads);

  std::vector<DecodeSegment> work;
  if (threads.decoders == 1) {
    work = joinTouching(plan);  // emptying it in between costs time
  } else {
    work = plan.segments;
    const auto costsMore = [](const DecodeSegment& a, const DecodeSegment& b) {
      return a.cost > b.cost;
    };
    if (!targets.wantsOrder()) std::stable_sort(work.begin(), work.end(), costsMore);
  }

  std::vector<Worker> workers(static_cast<size_t>(threads.decoders));
  workers[0].reader = std::move(reader);
  for (Worker& worker : workers) {
    worker.config = decoderConfig(threads.threads);
    worker.config.vectors = targets.wantsMotion();
  }
  std::atomic<size_t> next{0};
  std::atomic<bool> allRan{true};
  FirstFailure failure;
  const auto runSegments = [&](Worker& worker) {
    for (size_t i = next++; i < work.size(); i = next++) {
      if (failure.isBefore(work[i].first)) continue;
      try {
        if (!runSegment(worker, work[i], plan.seekable, targets)) {
          allRan = false;
          return;
        }
      } catch (const Error& error) {
        if (!blamesFile(error.code())) throw;
        failure.add(work[i].first, error);
        worker = {nullptr, nullptr, decoderConfig(threads.threads)};
      }
    }
    finish(worker);
  };
  services_.pool->parallelFor(workers.size(), threads.decoders, [&](size_t w) {
    try {
      runSegments(workers[w]);
    } catch (...) {  // not of the file: nobody needs the rest
      next = work.size();
      throw;
    }
  });
  failure.rethrow();
  return allRan;
}

DecoderConfig CpuSource::decoderConfig(int threads) const {
  DecoderConfig config;
  config.threads = threads;
  config.threadType = options_.decodeThreadType;
  config.reorderDepth = index_.reorderDepth;
  config.maxPixels = options_.maxFramePixels;
  config.x264Build = index_.x264Build;
  config.strict = threads > 1;
  return config;
}

std::unique_ptr<OngoingRun> CpuSource::beginRun(int32_t first, int threads) const {
  auto run = std::make_unique<OngoingRun>();
  run->index = video_.indexRef();
  run->cancel->actFor(cancel_);
  run->config = decoderConfig(threads);
  run->reader = video_.openReader(run->cancel, run->far);
  if (run->far) video_.expectFrom(first, *run->far);
  run->decoder = std::make_unique<PacketDecoder>(*index_.parameters, run->config);
  if (run->decoder->refused()) return nullptr;
  run->segments = std::make_unique<SegmentDecoder>(index_, *run->reader, *run->decoder,
                                                   run->config.strict, false, nullptr);
  // As far as it can look ahead, and the threads that each hold a picture back.
  run->segments->begin(first, kReadOn + run->decoder->threads());
  return run;
}

// Going on gets there, and jumping would save nothing.
bool CpuSource::isReachedBy(const OngoingRun& run, const DecodeSegment& segment,
                            std::span<const int32_t> wanted) const {
  if (run.index.get() != &index_ || run.segments->begun() > segment.first) return false;
  if (segment.first > run.reader->next()) return false;
  return std::all_of(wanted.begin(), wanted.end(),
                     [&](int32_t ordinal) { return run.segments->isToCome(ordinal); });
}

bool CpuSource::goOn(const DecodePlan& plan, Targets& targets) {
  const ThreadBudget::Lease lease = leaseDecoderThreads(options_, services_);
  std::unique_ptr<OngoingRun> run = video_.held()->takeRun();
  if (run) run->cancel->actFor(cancel_);
  if (run && run->far) run->far->workFor(&profile_, memory_);
  for (const DecodeSegment& segment : joinTouching(plan)) {
    const std::vector<int32_t> wanted = targets.remaining(segment.targets);
    if (!run || !isReachedBy(*run, segment, wanted)) {
      run = beginRun(segment.first, rules_.frameThreads ? lease.count() : 1);
    }
    if (!run) return false;
    run->segments->giveTo([&](int32_t ordinal, const AVFrame& frame) {
      give(ordinal, index_.packets[static_cast<size_t>(ordinal)].displayIndex, frame, targets);
    });
    run->segments->takeAnySize(targets.takesAnySize());
    run->segments->limitPixels(options_.maxFramePixels);
    const SegmentOutcome outcome = run->segments->goOn(segment.last, wanted);
    totals_.decoded += run->segments->counters().packetsDecoded;
    totals_.dropped += run->segments->counters().packetsDropped;
    totals_.read += run->reader->packetsRead() - run->packetsRead;
    totals_.seeks += run->reader->seeks() - run->seeks;
    run->packetsRead = run->reader->packetsRead();
    run->seeks = run->reader->seeks();
    if (outcome.kind != SegmentOutcome::Kind::Done) return false;
  }
  video_.held()->giveBack(std::move(run));
  return true;
}

void CpuSource::closeReader(Worker& worker) {
  if (!worker.reader) return;
  totals_.read += worker.reader->packetsRead();
  totals_.seeks += worker.reader->seeks();
  worker.reader.reset();
}

void CpuSource::finish(Worker& worker) {
  closeReader(worker);
  if (worker.decoder && pooled()) {
    services_.decoders->giveBack(std::move(worker.decoder), *index_.parameters, worker.config);
  }
}

bool CpuSource::runSegment(Worker& worker, const DecodeSegment& segment, bool jumps,
                           Targets& targets) {
  openReader(worker);
  DecodeSegment packets = segment;
  Attempt state;
  state.hasEntryBefore = segment.first > 0;
  state.takesLosses = targets.takesLosses();
  state.jumps = jumps;
  for (;;) {
    packets.targets = targets.remaining(segment.targets);
    const SegmentOutcome outcome = attempt(worker, packets, state.way, targets);
    const bool plain = state.way != Attempt::Way::Fast;
    if (plain && outcome.kind == SegmentOutcome::Kind::Damaged) {
      checkMemoryOf(*worker.decoder, outcome.ordinal);
    }
    switch (nextStep(outcome, state)) {
      case NextStep::Finished:
        return true;
      case NextStep::Replan:
        return false;
      case NextStep::GiveUp:
        throw video_.errorOf(outcome);
      case NextStep::RetryPlain:
        state.way = Attempt::Way::Plain;
        break;
      case NextStep::StepBack:
        packets.first = index_.seeks().startFor(segment.first - 1);
        state.steppedBack = true;
        break;
      case NextStep::TakeLosses:
        state.way = Attempt::Way::TakingLosses;
        break;
    }
    // A plain decode goes on reading instead of emptying the decoder (where a stream begins with
    // pictures that are not shown it is not known which those are).
    const auto count = static_cast<int32_t>(index_.packets.size());
    packets.last = std::min(count - 1, segment.last + kReadOn);
    // Not every stream can be gone back in, and damaged ones less than others.
    closeReader(worker);
    openReader(worker);
    worker.config.threads = 1;
    worker.config.strict = false;
  }
}

// False: a strict decoder does not take the stream.
bool CpuSource::prepareDecoder(Worker& worker, const DecodeSegment& segment, Attempt::Way way) {
  // A flushed decoder is as good as new from an entry point on; a stream that begins in the middle
  // of a group shows what a new one makes of it.
  const bool mayReuse = way == Attempt::Way::Fast && index_.seeks().startIsGood(segment.first);
  if (worker.decoder && mayReuse && rules_.flushForgets && !worker.decoder->tainted()) {
    worker.decoder->flush();
    return true;
  }
  const bool had = worker.decoder != nullptr;
  worker.decoder.reset();
  worker.decoder = mayReuse && !had
                       ? takeDecoder(worker.config)
                       : std::make_unique<PacketDecoder>(*index_.parameters, worker.config);
  return !worker.decoder->refused();
}

// What was lost for want of memory says nothing of the file.
void CpuSource::checkMemoryOf(const PacketDecoder& decoder, int32_t ordinal) const {
  if (!decoder.ranShort()) return;
  const PacketEntry& entry = index_.packets[static_cast<size_t>(ordinal)];
  throw outOfMemory(Stage::Decode, "Decoding " + video_.nameOf(entry.displayIndex));
}

SegmentOutcome CpuSource::attempt(Worker& worker, const DecodeSegment& packets, Attempt::Way way,
                                  Targets& targets) {
  if (!prepareDecoder(worker, packets, way)) {
    return {SegmentOutcome::Kind::Suspicious, packets.first, "a strict decoder refuses the stream"};
  }
  const auto displayOf = [&](int32_t ordinal) {
    return index_.packets[static_cast<size_t>(ordinal)].displayIndex;
  };
  SegmentDecoder decoder(index_, *worker.reader, *worker.decoder, worker.config.strict,
                         way != Attempt::Way::Fast, [&](int32_t ordinal, const AVFrame& frame) {
                           give(ordinal, displayOf(ordinal), frame, targets, &decoder);
                         });
  if (targets.wantsMotion()) decoder.followReferences();
  if (targets.takesAnySize()) decoder.takeAnySize();
  decoder.limitPixels(options_.maxFramePixels);
  if (way == Attempt::Way::TakingLosses) {
    decoder.tellOfDamage([&](const SegmentOutcome& why) {
      if (why.kind == SegmentOutcome::Kind::Damaged) checkMemoryOf(*worker.decoder, why.ordinal);
      targets.lose(displayOf(why.ordinal), video_.errorOf(why));
    });
  }
  SegmentOutcome outcome = decoder.run(packets.first, packets.last, packets.targets);
  totals_.decoded += decoder.counters().packetsDecoded;
  totals_.dropped += decoder.counters().packetsDropped;
  return outcome;
}

// Pictures that are larger than the video's were not counted before.
void CpuSource::countMemoryOf(const AVFrame& frame, size_t wanted) {
  const int64_t video =
      keptPictureBytes(index_.parameters->format, index_.storedWidth, index_.storedHeight);
  const int64_t more = keptPictureBytes(frame.format, frame.width, frame.height) - video;
  const auto kept = static_cast<int64_t>(wanted);
  if (more > 0) video_.checkMemory(kept, kept * video + (larger_ += more));
}

void CpuSource::give(int32_t ordinal, int64_t displayIndex, const AVFrame& frame, Targets& targets,
                     const SegmentDecoder* from) {
  if (const size_t kept = targets.keepsFrames(); kept > 0 && !hasSizeOf(index_, frame)) {
    countMemoryOf(frame, kept);
  }
  ViewedFrame viewed = viewOf(frame, index_.orientation, options_.colorMatrix, *notes_,
                              video_.nameOf(displayIndex), cancel_.get());
  SourceFrame out;
  out.owner = std::move(viewed.owner);
  out.view = viewed.view;
  out.luma = std::move(viewed.luma);
  if (from && targets.wantsMotion())
    out.motion = motionOf(frame, ordinal, from->referencesOf(ordinal), from->mayLoseVectors());
  out.device = Device::cpu();
  out.displayIndex = displayIndex;
  out.timestampSec = index_.timestampsSec[static_cast<size_t>(displayIndex)];
  out.isKeyFrame = index_.packets[static_cast<size_t>(ordinal)].key;
  targets.deliver(std::move(out));
}

}  // namespace

std::unique_ptr<FrameSource> openCpuSource(std::shared_ptr<ByteSource> bytes,
                                           const CallContext& call, const MediaServices& services) {
  return std::make_unique<CpuSource>(bytes, call, services);
}

std::unique_ptr<FrameSource> openCpuSource(const VideoInput& input, const CallContext& call,
                                           const MediaServices& services) {
  return std::make_unique<CpuSource>(input, call, services);
}

}  // namespace cps
