#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "core/cancel.h"
#include "core/options.h"
#include "core/profile.h"
#include "ops/pixels/arrange.h"

namespace cps {

class Context;

// A tensor of a model's input that is made of the pixels of videos (Note [Arranging pixels]).
struct ArrangeRequest {
  int64_t elements = 0;
  // The parts' sources are these, in their order; null: memory that `part.source` names.
  std::vector<ArrangePart> parts;
  std::vector<std::shared_ptr<const Buffer>> sources;
  // Whether parts of the tensor are padding, zeros.
  bool padded = false;
  std::string describe() const { return "the model's input"; }
};
struct ArrangedPixels {
  Buffer data;
};

// On the device of the sources, which is one. `options.frame` has the type and the values of the
// tensor. Throws Error(OutOfMemory) where it and the pictures that it is made of are larger than
// maxMemoryBytes together.
ArrangedPixels runArrange(const ArrangeRequest& request, const DecodeOnlyOptions& options,
                          Context& context, const CancelPtr& cancel, Profile& profile);

// Frames that are there already, 8-bit RGB [count, height, width, 3].
struct GivenFrames {
  std::shared_ptr<const Buffer> source;
  int64_t byteOffset = 0;
  int64_t count = 0;
  int32_t height = 0, width = 0;
  std::string describe() const { return "the given frames"; }
};
struct ResizedFrames {
  Buffer frames;  // uint8 [count, height, width, 3]
  int32_t height = 0, width = 0;
};
// As decodeOnly's options size, resample and augment say.
ResizedFrames runResize(const GivenFrames& given, const DecodeOnlyOptions& options,
                        Context& context, const CancelPtr& cancel, Profile& profile);

}  // namespace cps
