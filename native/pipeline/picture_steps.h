#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/size_rule.h"
#include "ops/geometry.h"
#include "ops/pixels/resample.h"

namespace cps {

// Note [Size steps]
// Option `size` as geometry. Every rule makes one step: the picture (or a part of it) is resized,
// then a part of that stands somewhere in the result, the rest of which is black. The next rule
// starts from that result, whose pixels are 8-bit.

struct FrameSize {
  int32_t height = 0, width = 0;
  bool operator==(const FrameSize&) const = default;
};

struct PictureStep {
  ResampleAxis y, x;
  int32_t top = 0, left = 0;  // where what the axes want stands in the result
  FrameSize result;

  bool fillsResult() const { return y.count == result.height && x.count == result.width; }
};

// The part of the displayed picture that `augment` chose before `size`.
struct ChosenPart {
  int32_t top = 0, left = 0, height = 0, width = 0;
};

struct PictureSteps {
  std::vector<PictureStep> steps;  // at least one
  FrameSize source;
  ChosenPart part;  // of the source; all of it without a resized crop
  bool flipped = false;

  FrameSize result() const { return steps.back().result; }
  // Whether the whole picture is resized once, and nothing else.
  bool onlyResizes() const;
};

// What can be seen of the displayed picture, in its samples.
struct ShownPart {
  double top = 0, left = 0, height = 0, width = 0;
};
ShownPart shownPart(const PictureSteps& steps);

// What a rule resizes to, before it crops or pads. Throws Error(InvalidArgument), naming the rule,
// where there is no such size.
FrameSize resizedBy(const SizeStepRule& rule, FrameSize source, int64_t frames);

// `frames`: T of the call. No rule at all: the source's own size.
PictureSteps makePictureSteps(std::span<const SizeStepRule> rules, const Augment& augment,
                              FrameSize source, int64_t frames);

// Patches of the result, whose sides must be multiples of patchSize (and of twice that where
// `blocks`): throws Error(InvalidArgument) otherwise.
PatchGrid makePatchGrid(const PictureSteps& steps, int32_t patchSize, bool blocks);

// The same steps for a picture of another size than the video's: its first step resizes it (or the
// part in the same place) to what the video's frames are resized to.
PictureSteps stepsFor(const PictureSteps& steps, FrameSize picture);

}  // namespace cps
