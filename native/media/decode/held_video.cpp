#include "media/decode/held_video.h"

#include <optional>
#include <utility>

#include "core/error.h"
#include "ffmpeg/util.h"
#include "media/decode/color.h"
#include "media/decode/cpu_source.h"
#include "media/decode/indexed_video.h"

extern "C" {
#include <libavutil/pixdesc.h>
}

namespace cps {
namespace {

const char* nameOf(ColorMatrix matrix) {
  switch (matrix) {
    case ColorMatrix::Bt601:
      return "bt601";
    case ColorMatrix::Bt709:
      return "bt709";
    case ColorMatrix::Bt2020:
      return "bt2020";
    case ColorMatrix::Smpte240m:
      return "smpte240m";
    case ColorMatrix::Fcc:
      return "fcc";
    case ColorMatrix::Rgb:
      return "rgb";
  }
  return "";
}

void setOrientation(const Orientation& o, VideoDetails& details) {
  details.mirrored = o.swapXY == (o.flipX == o.flipY);
  details.rotation = o.swapXY ? (o.flipY ? 90 : 270) : (o.flipY ? 180 : 0);
}

// The first picture, whatever size it has.
class FirstPicture final : public FrameSink {
 public:
  void onFrame(SourceFrame frame) override {
    // RGB that was made of it says nothing of its own colours.
    if (!frame.luma) view_ = frame.view;
  }
  size_t keepsFrames(size_t /*wanted*/) const override { return 0; }
  bool takesAnySize() const override { return true; }
  const std::optional<FrameView>& view() const { return view_; }

 private:
  std::optional<FrameView> view_;
};

std::optional<FrameView> firstPicture(const std::shared_ptr<HeldVideo>& video,
                                      const CallContext& call, const MediaServices& services) {
  FirstPicture first;
  VideoInput input;
  input.opened = video;
  try {
    const int64_t frame = 0;
    openCpuSource(input, call, services)->decode({&frame, 1}, first);
  } catch (const Error& error) {
    // Damage is for those who want the picture.
    if (error.code() != ErrorCode::Corrupt && error.code() != ErrorCode::Unsupported) throw;
  }
  return first.view();
}

void setColour(const ColorSpec& color, VideoDetails& details) {
  details.matrix = nameOf(color.matrix);
  details.range = color.fullRange ? "full" : "limited";
}

// False: the container does not tell the colours.
bool fillFromTags(const AVCodecParameters& p, VideoDetails& details) {
  if (p.color_primaries != AVCOL_PRI_UNSPECIFIED) {
    const char* name = av_color_primaries_name(p.color_primaries);
    if (name) details.primaries = name;
  }
  if (p.color_trc != AVCOL_TRC_UNSPECIFIED) {
    const char* name = av_color_transfer_name(p.color_trc);
    if (name) details.transfer = name;
  }
  const AVPixFmtDescriptor* format =
      p.format < 0 ? nullptr : av_pix_fmt_desc_get(static_cast<AVPixelFormat>(p.format));
  if (format) details.bitDepth = format->comp[0].depth;
  const UniqueAVFrame frame = makeFrame(Stage::Open);
  frame->format = p.format;
  frame->colorspace = p.color_space;
  frame->color_range = p.color_range;
  Notes ignored;
  const ColorSpec color = colorSpecOf(*frame, ColorMatrixOption::Auto, ignored);
  if (format) setColour(color, details);
  const bool tagged =
      p.color_space != AVCOL_SPC_UNSPECIFIED && p.color_range != AVCOL_RANGE_UNSPECIFIED;
  return format && (tagged || color.matrix == ColorMatrix::Rgb);
}

}  // namespace

HeldVideo::HeldVideo(std::shared_ptr<ByteSource> bytes, FrameIndexPtr index)
    : state_(std::make_shared<State>()), goesOn_(false) {
  state_->bytes = std::move(bytes);
  state_->index = std::move(index);
  setOrientation(state_->index->orientation, state_->details);
}

HeldVideo::HeldVideo(std::shared_ptr<State> state) : state_(std::move(state)), goesOn_(true) {}

FrameIndexPtr HeldVideo::index() const {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  return state_->index;
}

void HeldVideo::replaceIndex(FrameIndexPtr index) const {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  state_->index = std::move(index);
}

std::shared_ptr<HeldVideo> HeldVideo::reader() const {
  return std::shared_ptr<HeldVideo>(new HeldVideo(state_));
}

std::unique_ptr<OngoingRun> HeldVideo::takeRun() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::move(run_);
}

void HeldVideo::giveBack(std::unique_ptr<OngoingRun> run) const {
  run->cancel->actFor(nullptr);
  if (run->far) run->far->workFor(nullptr, nullptr);
  const std::lock_guard<std::mutex> lock(mutex_);
  run_.swap(run);
}

std::shared_ptr<HeldVideo> holdVideo(const VideoInput& input, const CallContext& call,
                                     const MediaServices& services) {
  const IndexedVideo opened(input, call, services);
  auto video = std::make_shared<HeldVideo>(opened.bytes(), opened.indexRef());
  VideoDetails& details = video->state_->details;
  if (fillFromTags(*opened.index().parameters, details)) return video;
  if (const std::optional<FrameView> view = firstPicture(video, call, services)) {
    setColour(view->color, details);
    details.bitDepth = view->bitDepth;
  }
  return video;
}

}  // namespace cps
