#include "pipeline/collectors.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace cps {
namespace {

int32_t indexOf(std::span<const int64_t> ids, int64_t id) {
  const auto it = std::lower_bound(ids.begin(), ids.end(), id);
  return it == ids.end() || *it != id ? -1 : static_cast<int32_t>(it - ids.begin());
}

}  // namespace

Collector::Collector(SampledFrames frames, const Stages& stages)
    : sampled_(std::move(frames)),
      distinct_(distinctFrames(sampled_.ids)),
      kernels_(*stages.backends.kernels),
      context_(stages.context),
      takesLosses_(stages.call.options.damaged != Damaged::Error) {
  timestamps_.resize(distinct_.ids.size());
  keyFlags_.resize(distinct_.ids.size());
}

void Collector::onLost(int64_t displayIndex, const Error& why) {
  std::lock_guard lock(mutex_);
  lost_.emplace(displayIndex, why);
}

void Collector::onFrame(SourceFrame frame) {
  const Profile::Clock::time_point arrived = Profile::Clock::now();
  const int32_t input = indexOf(inputs(), frame.displayIndex);
  const int32_t distinct = indexOf(distinct_.ids, frame.displayIndex);
  if (distinct != kNotSampled) {
    timestamps_[static_cast<size_t>(distinct)] = frame.timestampSec;
    keyFlags_[static_cast<size_t>(distinct)] = frame.isKeyFrame ? 1 : 0;
  }
  {
    std::lock_guard lock(mutex_);
    lastArrival_ = std::max(lastArrival_, arrived);
  }
  accept(input, distinct, onDevice(std::move(frame), kernels_.device(), context_));
}

void Collector::describe(SampleInfo& sample) const {
  sample.frameIds = sampled_.ids;
  sample.replaced = sampled_.replaced;
  sample.skipped = sampled_.skipped;
  for (const int32_t d : distinct_.ofPosition) {
    sample.timestampsSec.push_back(timestamps_[static_cast<size_t>(d)]);
    sample.isKeyFrame.push_back(keyFlags_[static_cast<size_t>(d)]);
  }
}

PatchCollector::PatchCollector(SampledFrames frames, const Stages& stages,
                               const PatchOptions& patch, const PatchGrid& grid,
                               const KnownFrames* known, std::unique_ptr<PictureMaker> maker)
    : Collector(std::move(frames), stages),
      energy_(makeEnergyStage({patch, grid, distinct_.ids, distinct_.ofPosition, kernels_,
                               stages.call.profile, *stages.call.memory,
                               [known](int64_t id) { return known && known->isLost(id); },
                               stages.backends.source->timeline().isKeyFrame})),
      grid_(grid),
      profile_(stages.call.profile),
      cells_(makeCellGrid(grid.frameHeight, grid.frameWidth)),
      maker_(std::move(maker)),
      frames_(distinct_.ids.size()) {
  if (ignoresBars(patch.ignore)) barFinder_ = std::make_unique<BarFinder>(cells_);
}

std::optional<Bars> PatchCollector::bars() const {
  if (!barFinder_) return std::nullopt;
  return barFinder_->bars();
}

void PatchCollector::findBars(const FrameView& luma) {
  if (!barFinder_ || !barFinder_->open()) return;
  const Profile::Scope scope(profile_, "letterboxMs");
  Buffer cells = Buffer::allocate(kernels_.memory(), static_cast<size_t>(cells_.cells()));
  kernels_.lumaCells(luma, cells_, cells.as<uint8_t>());
  std::vector<uint8_t> onHost(cells.bytes());
  kernels_.download(onHost.data(), cells.data(), cells.bytes());
  barFinder_->add(onHost, BarFinder::blackLevel(luma));
}

void PatchCollector::gather(std::span<const int32_t> indices, GatherSpec spec, void* out) {
  if (maker_) {
    std::vector<const uint8_t*> pictures;
    for (const int32_t d : distinct_.ofPosition) {
      pictures.push_back(frames_[static_cast<size_t>(d)].memory.as<uint8_t>());
    }
    kernels_.cutPatches(pictures, indices, spec, makeValueTable(spec.normalize, spec.dtype), out);
    return;
  }
  std::vector<FrameView> views;
  std::vector<const KeptRows*> rows;
  for (const int32_t d : distinct_.ofPosition) {
    const Kept& kept = frames_[static_cast<size_t>(d)];
    views.push_back(kept.view);
    rows.push_back(kept.rows.get());
  }
  spec.rows = rows;
  kernels_.gatherPatches(views, indices, spec, out);
}

// The picture's owner may go when this returns: its memory waits for kernels that read it.
void PatchCollector::accept(int32_t input, int32_t distinct, SourceFrame frame) {
  const FrameView view = frame.view;
  const FrameView& luma = frame.luma ? frame.luma->view : view;
  energy_->addPicture(input, frame);
  if (distinct == kNotSampled) return;
  findBars(luma);
  Kept& kept = frames_[static_cast<size_t>(distinct)];
  if (maker_) {
    kept.memory = Buffer::allocate(kernels_.memory(), maker_->resultBytes());
    maker_->make(view, kept.memory.as<uint8_t>());
  } else if (std::optional<KeptPicture> rows = kernels_.keepForGather(view, grid_)) {
    kept = {nullptr, std::move(rows->memory), rows->view, std::move(rows->rows)};
  } else {
    kept = {std::move(frame.owner), Buffer(), view, nullptr};
  }
}

PixelStrides FramesLayout::strides(size_t frames) const {
  const auto plane = static_cast<int64_t>(pixels());
  const int64_t width = size.width;
  switch (layout) {
    case FrameLayout::Thwc:
      return {1, 3 * width, 3};
    case FrameLayout::Tchw:
      return {plane, width, 1};
    case FrameLayout::Cthw:
      return {plane * static_cast<int64_t>(frames), width, 1};
  }
  return {};
}

RgbCollector::RgbCollector(SampledFrames frames, const Stages& stages, FramesLayout layout,
                           std::unique_ptr<PictureMaker> maker)
    : Collector(std::move(frames), stages),
      layout_(std::move(layout)),
      maker_(std::move(maker)),
      profile_(stages.call.profile),
      tensor_(Buffer::allocate(kernels_.memory(), layout_.bytes(distinct_.ofPosition.size()))) {}

void RgbCollector::make(const FrameView& frame, uint8_t* rgb) {
  if (maker_) {
    maker_->make(frame, rgb);
  } else {
    kernels_.toRgb(frame, layout_.size.height, layout_.size.width, rgb);
  }
}

Buffer RgbCollector::takeSpare() {
  {
    const std::lock_guard lock(spareMutex_);
    if (!spare_.empty()) {
      Buffer rgb = std::move(spare_.back());
      spare_.pop_back();
      return rgb;
    }
  }
  return Buffer::allocate(kernels_.memory(), 3 * layout_.pixels());
}

void RgbCollector::giveBack(Buffer rgb) {
  const std::lock_guard lock(spareMutex_);
  spare_.push_back(std::move(rgb));
}

void RgbCollector::accept(int32_t /*input*/, int32_t distinct, SourceFrame frame) {
  const Profile::Scope scope(profile_, "convertMs");
  const std::span<const int32_t> places = distinct_.positions.frame(static_cast<size_t>(distinct));
  const auto place = [&](int32_t t) {
    return tensor_.as<uint8_t>() + layout_.begin(static_cast<size_t>(t)) * layout_.elementBytes();
  };
  if (layout_.plain()) {
    for (const int32_t t : places) make(frame.view, place(t));
  } else {
    Buffer rgb = takeSpare();
    make(frame.view, rgb.as<uint8_t>());
    const PixelStrides strides = layout_.strides(distinct_.ofPosition.size());
    for (const int32_t t : places) {
      kernels_.lookUp(rgb.as<uint8_t>(), int64_t{layout_.size.width} * 3, layout_.size.height,
                      layout_.size.width, layout_.values, strides, place(t));
    }
    giveBack(std::move(rgb));
  }
}

}  // namespace cps
