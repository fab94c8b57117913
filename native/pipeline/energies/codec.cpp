#include <algorithm>
#include <string>
#include <utility>

#include "core/error.h"
#include "ops/energy/codec_motion_cpu.h"
#include "pipeline/energies/map_stage.h"

namespace cps {
namespace {

constexpr const char* kHowTo =
    ". A stream whose pictures can be used is made by: ffmpeg -i INPUT -map 0:v:0 -c:v libx264 -bf "
    "0 "
    "-refs 1 OUTPUT.mp4";

CellMaps layoutOf(CellGrid cells) {
  cells.blockRows = cells.rows;
  cells.blockCols = cells.cols;
  CellMaps layout;
  layout.cells = cells;
  layout.log2Block = 0;  // vectors cut cells as they like
  return layout;
}

// The stream's own vectors, and what they leave of the difference to the picture they refer to
// (Note [Codec motion]); that picture, the one before, is decoded as well. CPU only: kernels and
// pictures are the host's.
class CodecEnergy final : public MapStage {
 public:
  CodecEnergy(const EnergyRequest& request, const CellGrid& cells)
      : MapStage(request, layoutOf(cells), true), cells_(cells) {
    const auto hasBefore = [&](int64_t id) {
      return id > 0 && !request.isKeyFrame(id) && !request.isLost(id - 1);
    };
    for (const int64_t id : request.ids) {
      if (hasBefore(id)) inputs_.push_back(id - 1);
      inputs_.push_back(id);
    }
    std::sort(inputs_.begin(), inputs_.end());
    inputs_.erase(std::unique(inputs_.begin(), inputs_.end()), inputs_.end());
    pictures_.resize(inputs_.size());
    const PositionsOf positions(request.distinctOfPosition, request.ids.size());
    for (size_t d = 0; d < request.ids.size(); d++) {
      const int64_t id = request.ids[d];
      const auto i = static_cast<size_t>(std::lower_bound(inputs_.begin(), inputs_.end(), id) -
                                         inputs_.begin());
      pictures_[i].sampled = true;
      pictures_[i].hasBefore = hasBefore(id);
      // Repeats of a frame have no energy.
      pictures_[i].position = static_cast<size_t>(positions.frame(d)[0]);
    }
  }

  bool wantsMotion() const override { return true; }
  void addFrame(int32_t /*input*/, const FrameView& /*frame*/, const FrameView& /*luma*/) override {
  }
  void addPicture(int32_t input, const SourceFrame& picture) override {
    const auto i = static_cast<size_t>(input);
    bool own = false, next = false;
    {
      const std::lock_guard lock(mutex_);
      pictures_[i].frame = picture;
      pictures_[i].ready = true;
      own = pictures_[i].sampled && (!pictures_[i].hasBefore || pictures_[i - 1].ready);
      next = isNeededByNext(i) && pictures_[i + 1].ready;
    }
    if (own) measure(i);
    if (next) measure(i + 1);
    if (!pictures_[i].sampled && !isNeededByNext(i)) letGo(i);
  }

 private:
  struct Picture {
    bool sampled = false;
    bool hasBefore = false;  // it is compared with the input before it
    bool ready = false, done = false;
    size_t position = 0;
    SourceFrame frame;  // while it is needed
  };

  bool isNeededByNext(size_t i) const {
    return i + 1 < pictures_.size() && pictures_[i + 1].sampled && pictures_[i + 1].hasBefore;
  }

  // The view that has luma as its first plane.
  const FrameView& lumaOf(size_t i) const {
    const SourceFrame& frame = pictures_[i].frame;
    return frame.luma ? frame.luma->view : frame.view;
  }

  [[noreturn]] void refuse(size_t i, const std::string& why) const {
    throw Error(ErrorCode::Unsupported, Stage::Process,
                "Energy 'codec' cannot use the motion vectors of frame " +
                    std::to_string(inputs_[i]) + ": " + why + kHowTo);
  }

  // The picture that all vectors of picture `i` lead to.
  void checkReference(size_t i) const {
    const PictureMotion& motion = *pictures_[i].frame.motion;
    const PictureMotion* before =
        pictures_[i].hasBefore ? pictures_[i - 1].frame.motion.get() : nullptr;
    if (!before || before->packet != motion.packet - 1 || !before->references.isReference) {
      refuse(i, "the frame shown before it is not the one that it refers to");
    }
  }

  void measure(size_t i) {
    const SourceFrame& frame = pictures_[i].frame;
    const FrameView& luma = lumaOf(i);
    if (!frame.motion || frame.motion->references.refersTo == RefersTo::Unknown) {
      refuse(i,
             "they are of no use unless each picture refers to one other at most, the one before "
             "it (H.264 with one reference frame, or MPEG-1, -2 or -4; no B pictures, not "
             "interlaced)");
    }
    if (luma.color.matrix == ColorMatrix::Rgb) refuse(i, "its pictures are RGB");
    Buffer cells = Buffer::allocate(kernels_.memory(), static_cast<size_t>(cells_.cells()));
    {
      const Profile::Scope scope(profile_, "cellsMs");
      kernels_.lumaCells(luma, cells_, cells.as<uint8_t>());
    }
    const size_t position = pictures_[i].position;
    if (frame.motion->references.refersTo == RefersTo::Nothing) {
      if (scoresAlone()) scoreAlone(position, cells.as<uint8_t>());
    } else {
      checkReference(i);
      Maps maps = newMaps();
      {
        const Profile::Scope scope(profile_, "matchMs");
        codecMapsCpu(luma, lumaOf(i - 1), frame.motion->blocks, cells.as<uint8_t>(), cells_,
                     maps.moves.as<Move>(), maps.residual.as<uint8_t>());
      }
      score(position, std::move(maps));
    }
    {
      const std::lock_guard lock(mutex_);
      pictures_[i].done = true;
    }
    letGo(i);
    if (pictures_[i].hasBefore) letGo(i - 1);
  }

  // Lets a picture go that nothing is to come of any more.
  void letGo(size_t i) {
    SourceFrame free;  // outside the lock
    const std::lock_guard lock(mutex_);
    const bool open = (pictures_[i].sampled && !pictures_[i].done) ||
                      (isNeededByNext(i) && !pictures_[i + 1].done);
    if (!open) std::swap(free, pictures_[i].frame);
  }

  CellGrid cells_;
  std::vector<Picture> pictures_;  // per input
};

}  // namespace

std::unique_ptr<EnergyStage> makeCodecEnergy(const EnergyRequest& request) {
  return std::make_unique<CodecEnergy>(
      request, makeCellGrid(request.grid.frameHeight, request.grid.frameWidth));
}

}  // namespace cps
