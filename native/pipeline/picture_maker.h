#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "backend/kernels.h"
#include "core/options.h"
#include "pipeline/picture_steps.h"

namespace cps {

// The filter of option `resample`; nothing for 'bilinear-plain', which is no ResampleKernel.
std::optional<ResampleKernel> kernelOf(Resample resample);

// Interleaved 8-bit RGB [height, width, 3] as a picture.
FrameView rgbView(const uint8_t* rgb, FrameSize size);

// Makes the wanted picture of a decoded one, as pictures arrive: only the small one has to be kept.
// Thread-safe.
class PictureMaker {
 public:
  PictureMaker(Kernels& kernels, PictureSteps steps, Resample resample)
      : kernels_(kernels), steps_(std::move(steps)), kernel_(kernelOf(resample)) {}

  FrameSize result() const { return steps_.result(); }
  size_t resultBytes() const {
    return size_t{3} * static_cast<size_t>(result().height) * static_cast<size_t>(result().width);
  }
  // Interleaved 8-bit RGB [height, width, 3] of result(), in the kernels' memory.
  void make(const FrameView& frame, uint8_t* out);

 private:
  // What frames of one size and orientation have in common.
  struct Prepared {
    FrameSize stored;
    Orientation orientation;
    PictureSteps steps;
    std::vector<std::shared_ptr<const ResamplePlan>> plans;  // null: by taps without antialiasing
  };
  std::shared_ptr<const Prepared> preparedFor(const FrameView& frame);
  void makeStep(const FrameView& from, const PictureStep& step,
                const std::shared_ptr<const ResamplePlan>& plan, uint8_t* out);

  Kernels& kernels_;
  const PictureSteps steps_;  // of the video's frames
  const std::optional<ResampleKernel> kernel_;
  std::mutex mutex_;
  std::shared_ptr<const Prepared> prepared_;  // the last one
};

}  // namespace cps
