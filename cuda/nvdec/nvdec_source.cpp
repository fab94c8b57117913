#include "cuda/nvdec/nvdec_source.h"

#include "cuda/nvdec/segment_run.h"
#include "media/decode/color.h"
#include "media/decode/next_step.h"
#include "media/decode/targets.h"

namespace cps {
namespace {

// Pictures the parser may hold back so that the engine always has work; none for a quick answer.
constexpr unsigned kDisplayDelay = 4;

class NvdecSource final : public FrameSource {
 public:
  NvdecSource(const VideoInput& input, const CallContext& call, const MediaServices& services,
              std::shared_ptr<NvdecDevice> nvdec, const DevicesOptions& devices)
      : video_(input, call, services),
        index_(video_.index()),
        options_(call.options),
        devices_(devices),
        cancel_(call.cancel),
        profile_(call.profile),
        notes_(call.notes),
        nvdec_(std::move(nvdec)),
        clock_(index_) {
    checkNvdecStream(index_);
    const StreamTags tags = nvdec_->tags().get(video_);
    format_ = nvdecFormatOf(index_, tags);
    color_ = colorOf(tags);
    nvdec_->checkCaps(format_, index_.storedWidth, index_.storedHeight);
  }

  Device device() const override { return nvdec_->device().device(); }
  const VideoInfo& info() const override { return index_.info; }
  Timeline timeline() const override { return video_.timeline(); }

  void decode(std::span<const int64_t> displayIndices, FrameSink& sink) override {
    video_.checkTargets(displayIndices, sink.keepsFrames(displayIndices.size()));
    if (displayIndices.empty()) return;
    Targets targets(index_, displayIndices, sink);
    video_.decodeByPlan(targets, [&](const DecodePlan& plan, std::unique_ptr<PacketReader> reader) {
      return runPlan(plan, std::move(reader), targets);
    });
    video_.checkUnchanged();
  }
  bool forgetStoredIndex() override { return video_.forgetStoredIndex(); }

 private:
  // False where the rest has to be planned anew (NextStep::Replan).
  bool runPlan(const DecodePlan& plan, std::unique_ptr<PacketReader> reader, Targets& targets) {
    const bool throughput = options_.decodeMode != DecodeMode::Latency;
    const bool reuse = throughput && devices_.nvdecReuseOpenDecoder;
    const NvdecJob job{video_, clock_, format_, *nvdec_, reuse, throughput ? kDisplayDelay : 0,
                       color_, cancel_};
    if (!reader) reader = video_.openReader();
    std::unique_ptr<NvdecRun> run;
    NvdecCounters totals;
    const auto renew = [&] {
      if (run) totals += run->counters();
      run = std::make_unique<NvdecRun>(job, [&](int32_t ordinal, NvdecPicture picture) {
        give(ordinal, std::move(picture), targets);
      });
    };
    renew();
    for (DecodeSegment segment : joinTouching(plan)) {
      Attempt state;
      state.way = Attempt::Way::Plain;
      state.hasEntryBefore = segment.first > 0;
      state.jumps = plan.seekable;
      for (bool again = true; again;) {
        const SegmentOutcome outcome = run->decode(segment, *reader);
        switch (nextStep(outcome, state)) {
          case NextStep::Finished:
            again = false;
            break;
          case NextStep::StepBack:
            segment.first = index_.seeks().startFor(segment.first - 1);
            segment.targets = targets.remaining(segment.targets);
            state.steppedBack = true;
            renew();  // a decoder that saw no error
            break;
          case NextStep::Replan:
            return false;
          case NextStep::RetryPlain:  // not from here: the way is plain, and takes no losses
          case NextStep::TakeLosses:
          case NextStep::GiveUp:
            throw video_.errorOf(outcome);
        }
      }
    }
    totals += run->counters();
    // Only here: after any error the decoder goes with the run.
    if (auto session = run->takeSession(); session && reuse) {
      nvdec_->giveBack(std::move(session), devices_.nvdecSessionPoolSize);
    }
    profile_.set("segments", static_cast<double>(plan.segments.size()));
    profile_.set("packetsRead", static_cast<double>(reader->packetsRead()));
    profile_.set("packetsDecoded", static_cast<double>(totals.packetsDecoded));
    profile_.set("packetsDropped", static_cast<double>(totals.packetsDropped));
    profile_.set("seeks", static_cast<double>(reader->seeks()));
    return true;
  }

  ColorSpec colorOf(const StreamTags& tags) const {
    const UniqueAVFrame frame = makeFrame(Stage::Open);
    frame->format = tags.format;
    frame->colorspace = tags.space;
    frame->color_range = tags.range;
    return colorSpecOf(*frame, options_.colorMatrix, *notes_);
  }

  void give(int32_t ordinal, NvdecPicture picture, Targets& targets) {
    const PacketEntry& entry = index_.packets[static_cast<size_t>(ordinal)];
    SourceFrame out;
    out.owner = std::move(picture.owner);
    out.view = picture.view;
    out.device = device();
    out.displayIndex = entry.displayIndex;
    out.timestampSec = index_.timestampsSec[static_cast<size_t>(entry.displayIndex)];
    out.isKeyFrame = entry.key;
    targets.deliver(std::move(out));
  }

  const IndexedVideo video_;
  const FrameIndex& index_;
  const SourceOptions& options_;
  const DevicesOptions& devices_;
  CancelPtr cancel_;
  Profile& profile_;
  std::shared_ptr<Notes> notes_;
  std::shared_ptr<NvdecDevice> nvdec_;
  NvdecFormat format_;
  ColorSpec color_;
  PictureClock clock_;
};

}  // namespace

std::unique_ptr<FrameSource> openNvdecSource(const VideoInput& input, const CallContext& call,
                                             const MediaServices& services,
                                             std::shared_ptr<NvdecDevice> nvdec,
                                             const DevicesOptions& devices) {
  return std::make_unique<NvdecSource>(input, call, services, std::move(nvdec), devices);
}

}  // namespace cps
