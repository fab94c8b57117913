#include "cuda/nvdec/nvdec_source.h"

#include <algorithm>

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
        pool_(services.pool),
        nvdec_(std::move(nvdec)) {
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
    refuseShownAgain(displayIndices);
    Targets targets(index_, displayIndices, sink);
    video_.decodeByPlan(targets, [&](const DecodePlan& plan, std::unique_ptr<PacketReader> reader) {
      return runPlan(plan, std::move(reader), targets);
    });
    video_.checkUnchanged();
  }
  bool forgetStoredIndex() override { return video_.forgetStoredIndex(); }

 private:
  // What is decoded with one decoder, and how it went.
  struct Share {
    std::vector<DecodeSegment> segments;
    std::unique_ptr<PacketReader> reader;
    NvdecCounters counters;
    bool replan = false;
  };

  // NVDEC's parser decodes and shows nothing for VP9's show_existing_frame. Only such a packet is
  // as short as this, so it is known before anything is decoded.
  void refuseShownAgain(std::span<const int64_t> displayIndices) const {
    if (format_.codec != cudaVideoCodec_VP9) return;
    for (const int64_t id : displayIndices) {
      const int32_t ordinal = index_.display[static_cast<size_t>(id)];
      if (index_.packets[static_cast<size_t>(ordinal)].size > 2) continue;
      throw Error(ErrorCode::BackendUnavailable, Stage::Decode,
                  video_.nameOf(id) +
                      " is a picture that was decoded before and is shown again, which NVDEC's "
                      "parser leaves out");
    }
  }

  bool throughput() const { return options_.decodeMode != DecodeMode::Latency; }
  bool reuse() const { return throughput() && devices_.nvdecReuseOpenDecoder; }

  // Note [Several engines]
  // A GPU may have several decoding engines, and a decoder keeps one of them busy. So in throughput
  // mode the segments of a plan go to as many decoders as there are engines, no more than the pool
  // keeps (nvdecSessionPoolSize), each with a row of segments of about the same cost. Where there
  // is too little to decode for that, opening decoders would take longer than it saves.
  static constexpr int64_t kPacketsForADecoder = 32;
  std::vector<Share> sharesOf(const DecodePlan& plan) const {
    const int64_t most =
        reuse()
            ? std::min<int64_t>({devices_.nvdecSessionPoolSize, nvdec_->engines(format_),
                                 std::ssize(plan.segments), plan.packets() / kPacketsForADecoder})
            : 1;
    const auto count = static_cast<double>(std::max<int64_t>(most, 1));
    double cost = 0, done = 0;
    for (const DecodeSegment& segment : plan.segments) cost += segment.cost;
    std::vector<DecodePlan> parts(1);
    for (const DecodeSegment& segment : plan.segments) {
      // Where the middle of a segment lies decides.
      const auto place = static_cast<double>(parts.size());
      if (!parts.back().segments.empty() && place < count &&
          (done + segment.cost / 2) * count > place * cost) {
        parts.emplace_back();
      }
      parts.back().segments.push_back(segment);
      done += segment.cost;
    }
    std::vector<Share> shares(parts.size());
    for (size_t i = 0; i < parts.size(); i++) shares[i].segments = joinTouching(parts[i]);
    return shares;
  }

  // False where the rest has to be planned anew (NextStep::Replan).
  bool runPlan(const DecodePlan& plan, std::unique_ptr<PacketReader> reader, Targets& targets) {
    std::vector<Share> shares = sharesOf(plan);
    shares.front().reader = std::move(reader);
    const int decoders = static_cast<int>(shares.size());
    pool_->parallelFor(shares.size(), decoders, [&](size_t i) {
      if (!shares[i].reader) shares[i].reader = video_.openReader();
      decodeShare(shares[i], plan.seekable, targets);
    });
    NvdecCounters totals;
    int64_t read = 0, seeks = 0;
    for (const Share& share : shares) {
      if (share.replan) return false;
      totals += share.counters;
      read += share.reader->packetsRead();
      seeks += share.reader->seeks();
    }
    profile_.set("segments", static_cast<double>(plan.segments.size()));
    profile_.set("decoders", static_cast<double>(shares.size()));
    profile_.set("packetsRead", static_cast<double>(read));
    profile_.set("packetsDecoded", static_cast<double>(totals.packetsDecoded));
    profile_.set("packetsDropped", static_cast<double>(totals.packetsDropped));
    profile_.set("seeks", static_cast<double>(seeks));
    return true;
  }

  void decodeShare(Share& share, bool jumps, Targets& targets) {
    const NvdecJob job{video_, format_, *nvdec_, reuse(), throughput() ? kDisplayDelay : 0,
                       color_, cancel_};
    std::unique_ptr<NvdecRun> run;
    const auto renew = [&] {
      if (run) share.counters += run->counters();
      run = std::make_unique<NvdecRun>(job, [&](int32_t ordinal, NvdecPicture picture) {
        give(ordinal, std::move(picture), targets);
      });
    };
    renew();
    for (DecodeSegment& segment : share.segments) {
      Attempt state;
      state.way = Attempt::Way::Plain;
      state.hasEntryBefore = segment.first > 0;
      state.jumps = jumps;
      for (bool again = true; again;) {
        const SegmentOutcome outcome = run->decode(segment, *share.reader);
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
            share.replan = true;
            return;
          case NextStep::RetryPlain:  // not from here: the way is plain, and takes no losses
          case NextStep::TakeLosses:
          case NextStep::GiveUp:
            if (run->neverShown()) throw neverShownError(outcome);
            throw video_.errorOf(outcome);
        }
      }
    }
    share.counters += run->counters();
    // Only here: after any error the decoder goes with the run.
    if (auto session = run->takeSession(); session && reuse()) {
      nvdec_->giveBack(std::move(session), devices_.nvdecSessionPoolSize);
    }
  }

  Error neverShownError(const SegmentOutcome& outcome) const {
    const PacketEntry& entry = index_.packets[static_cast<size_t>(outcome.ordinal)];
    return Error(ErrorCode::BackendUnavailable, Stage::Decode,
                 "NVDEC's parser never shows " + video_.nameOf(entry.displayIndex));
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
  std::shared_ptr<TaskPool> pool_;
  std::shared_ptr<NvdecDevice> nvdec_;
  NvdecFormat format_;
  ColorSpec color_;
};

}  // namespace

std::unique_ptr<FrameSource> openNvdecSource(const VideoInput& input, const CallContext& call,
                                             const MediaServices& services,
                                             std::shared_ptr<NvdecDevice> nvdec,
                                             const DevicesOptions& devices) {
  return std::make_unique<NvdecSource>(input, call, services, std::move(nvdec), devices);
}

}  // namespace cps
