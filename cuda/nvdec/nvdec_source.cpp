#include "cuda/nvdec/nvdec_source.h"

#include "cuda/nvdec/segment_run.h"
#include "media/decode/color.h"

namespace cps {
namespace {

// Pictures the parser may hold back so that the engine always has work; none for a quick answer.
constexpr unsigned kDisplayDelay = 4;

class NvdecSource final : public FrameSource {
 public:
  NvdecSource(const VideoInput& input, const CallContext& call, const MediaServices& services,
              std::shared_ptr<NvdecDevice> nvdec)
      : video_(input, call, services),
        index_(video_.index()),
        options_(call.options),
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
    video_.checkTargets(displayIndices, sink.keepsFrames());
    if (displayIndices.empty()) return;
    given_.assign(index_.display.size(), 0);
    video_.decodeByPlan(
        displayIndices, [&](int64_t d) { return given_[static_cast<size_t>(d)] != 0; },
        [&](const DecodePlan& plan, std::unique_ptr<PacketReader> reader) {
          runPlan(plan, std::move(reader), sink);
        });
    video_.checkUnchanged();
  }
  bool forgetStoredIndex() override { return video_.forgetStoredIndex(); }

 private:
  void runPlan(const DecodePlan& plan, std::unique_ptr<PacketReader> reader, FrameSink& sink) {
    const bool throughput = options_.decodeMode != DecodeMode::Latency;
    const bool reuse = throughput && options_.nvdecReuseOpenDecoder;
    const NvdecJob job{video_, clock_, format_, *nvdec_, reuse, throughput ? kDisplayDelay : 0,
                       color_, cancel_};
    if (!reader) reader = video_.openReader();
    std::unique_ptr<NvdecRun> run;
    NvdecCounters totals;
    const auto renew = [&] {
      if (run) totals += run->counters();
      run = std::make_unique<NvdecRun>(job, [&](int32_t ordinal, NvdecPicture picture) {
        give(ordinal, std::move(picture), sink);
      });
    };
    renew();
    for (DecodeSegment segment : joinTouching(plan)) {
      try {
        run->decode(segment, *reader);
      } catch (const DamagedPicture& damaged) {
        if (segment.first == 0) throw corrupt(damaged);
        // An entry point may have been none after all: once more from the one before, with a
        // decoder that saw no error.
        segment.first = index_.startFor(segment.first - 1);
        std::erase_if(segment.targets, [&](int32_t t) { return isGiven(t); });
        renew();
        try {
          run->decode(segment, *reader);
        } catch (const DamagedPicture& again) {
          throw corrupt(again);
        }
      }
    }
    totals += run->counters();
    // Only here: after any error the decoder goes with the run.
    if (auto session = run->takeSession(); session && reuse) {
      nvdec_->giveBack(std::move(session), options_.nvdecSessionPoolSize);
    }
    profile_.set("segments", static_cast<double>(plan.segments.size()));
    profile_.set("packetsRead", static_cast<double>(reader->packetsRead()));
    profile_.set("packetsDecoded", static_cast<double>(totals.packetsDecoded));
    profile_.set("packetsDropped", static_cast<double>(totals.packetsDropped));
    profile_.set("seeks", static_cast<double>(reader->seeks()));
  }

  Error corrupt(const DamagedPicture& damaged) const {
    const PacketEntry& entry = index_.packets[static_cast<size_t>(damaged.ordinal)];
    return Error(ErrorCode::Corrupt, Stage::Decode,
                 video_.nameOf(entry.displayIndex) + " cannot be decoded: " + damaged.reason +
                     ". The file is damaged there.");
  }

  bool isGiven(int32_t ordinal) const {
    const int32_t d = index_.packets[static_cast<size_t>(ordinal)].displayIndex;
    return given_[static_cast<size_t>(d)] != 0;
  }

  ColorSpec colorOf(const StreamTags& tags) const {
    const UniqueAVFrame frame = makeFrame(Stage::Open);
    frame->format = tags.format;
    frame->colorspace = tags.space;
    frame->color_range = tags.range;
    return colorSpecOf(*frame, options_.colorMatrix, *notes_);
  }

  // One decoder reads on through segments that touch.
  static std::vector<DecodeSegment> joinTouching(const DecodePlan& plan) {
    std::vector<DecodeSegment> joined;
    for (const DecodeSegment& segment : plan.segments) {
      if (joined.empty() || joined.back().last + 1 != segment.first) {
        joined.push_back(segment);
        continue;
      }
      joined.back().last = segment.last;
      joined.back().targets.insert(joined.back().targets.end(), segment.targets.begin(),
                                   segment.targets.end());
    }
    return joined;
  }

  void give(int32_t ordinal, NvdecPicture picture, FrameSink& sink) {
    const PacketEntry& entry = index_.packets[static_cast<size_t>(ordinal)];
    given_[static_cast<size_t>(entry.displayIndex)] = 1;
    SourceFrame out;
    out.owner = std::move(picture.owner);
    out.view = picture.view;
    out.device = device();
    out.displayIndex = entry.displayIndex;
    out.timestampSec = index_.timestampsSec[static_cast<size_t>(entry.displayIndex)];
    out.isKeyFrame = entry.key;
    sink.onFrame(std::move(out));
  }

  const IndexedVideo video_;
  const FrameIndex& index_;
  const DecodeOptions& options_;
  CancelPtr cancel_;
  Profile& profile_;
  std::shared_ptr<Notes> notes_;
  std::shared_ptr<NvdecDevice> nvdec_;
  NvdecFormat format_;
  ColorSpec color_;
  PictureClock clock_;
  std::vector<uint8_t> given_;  // per display index of the current decode()
};

}  // namespace

std::unique_ptr<FrameSource> openNvdecSource(const VideoInput& input, const CallContext& call,
                                             const MediaServices& services,
                                             std::shared_ptr<NvdecDevice> nvdec) {
  return std::make_unique<NvdecSource>(input, call, services, std::move(nvdec));
}

}  // namespace cps
