#include "pipeline/picture_maker.h"

namespace cps {

FrameView rgbView(const uint8_t* rgb, FrameSize size) {
  FrameView view;
  view.width = size.width;
  view.height = size.height;
  view.color.matrix = ColorMatrix::Rgb;
  for (int c = 0; c < 3; ++c) {
    const uint8_t* const first = rgb == nullptr ? nullptr : rgb + c;  // a plan needs no samples
    view.plane[c] = {first, int64_t{size.width} * 3, 3, 0};
  }
  return view;
}

namespace {

size_t bytesOf(FrameSize size) {
  return size_t{3} * static_cast<size_t>(size.height) * static_cast<size_t>(size.width);
}

// What only copies needs no filter.
bool copies(const ResampleAxis& axis) { return axis.size == axis.sourceCount; }

}  // namespace

std::optional<ResampleKernel> kernelOf(Resample resample) {
  switch (resample) {
    case Resample::BilinearPlain:
      return std::nullopt;
    case Resample::Bilinear:
      return ResampleKernel::Bilinear;
    case Resample::Bicubic:
      return ResampleKernel::Bicubic;
    case Resample::Lanczos:
      return ResampleKernel::Lanczos;
    case Resample::Area:
      return ResampleKernel::Area;
  }
  return std::nullopt;
}

std::shared_ptr<const PictureMaker::Prepared> PictureMaker::preparedFor(const FrameView& frame) {
  const FrameSize stored{frame.height, frame.width};
  {
    const std::lock_guard lock(mutex_);
    if (prepared_ && prepared_->stored == stored && prepared_->orientation == frame.orientation) {
      return prepared_;
    }
  }
  auto made = std::make_shared<Prepared>();
  made->stored = stored;
  made->orientation = frame.orientation;
  made->steps = stepsFor(steps_, {frame.displayHeight(), frame.displayWidth()});
  FrameView from = frame;
  for (const PictureStep& step : made->steps.steps) {
    std::shared_ptr<const ResamplePlan> plan;
    if (kernel_ || (copies(step.y) && copies(step.x))) {
      plan = std::make_shared<const ResamplePlan>(
          makeResamplePlan(from, step.x, step.y, kernel_.value_or(ResampleKernel::Bilinear)));
    }
    made->plans.push_back(std::move(plan));
    from = rgbView(nullptr, step.result);
  }
  const std::lock_guard lock(mutex_);
  prepared_ = std::move(made);
  return prepared_;
}

void PictureMaker::makeStep(const FrameView& from, const PictureStep& step,
                            const std::shared_ptr<const ResamplePlan>& plan, uint8_t* out) {
  const int64_t stride = int64_t{step.result.width} * 3;
  if (!step.fillsResult()) kernels_.fillZero(out, bytesOf(step.result));
  if (step.y.count <= 0 || step.x.count <= 0) return;
  uint8_t* at = out + step.top * stride + int64_t{step.left} * 3;
  if (plan) {
    kernels_.resample(from, plan, at, stride);
  } else {
    kernels_.resizeRgb(from, step.y, step.x, at, stride);
  }
}

void PictureMaker::make(const FrameView& frame, uint8_t* out) {
  if (!kernel_ && steps_.onlyResizes()) {
    kernels_.toRgb(frame, result().height, result().width, out);
    return;
  }
  const auto prepared = preparedFor(frame);
  const std::vector<PictureStep>& steps = prepared->steps.steps;
  FrameView from = frame;
  Buffer between, next;
  for (size_t i = 0; i + 1 < steps.size(); ++i) {
    next = Buffer::allocate(kernels_.memory(), bytesOf(steps[i].result));
    makeStep(from, steps[i], prepared->plans[i], next.as<uint8_t>());
    between = std::move(next);
    from = rgbView(between.as<uint8_t>(), steps[i].result);
  }
  makeStep(from, steps.back(), prepared->plans.back(), out);
}

}  // namespace cps
