#pragma once

#include <cstdint>
#include <functional>

#include "core/notes.h"
#include "core/options.h"
#include "ops/geometry.h"

namespace cps {

// Note [Selection]
// What is chosen are units: patches, or blocks of 2x2 of them. In this order, each step among what
// is left:
//   1. wholeFrames 'first': all candidates of the first sampled frame.
//   2. Of each sampled frame its best candidates, until it has minPerFrame (step 1 counts).
//   3. The best candidates of all frames until there are K, passing over frames that have
//      maxPerFrame.
// Better is: the key rule ('before-others': a unit of a key frame before any other), then the
// higher score, then the lower index. Under 'none' the units of key frames are candidates in step 1
// alone.
// K as asked is that of kKeep; it is lowered to what candidates and maxPerFrame allow.
//
// Key frames are those by the first-frame rule (withFirstFrameRule). Candidates are the units that
// option `ignore` leaves, the same ones in each frame.

// The options of a selection, resolved for one sample; counts are of units.
struct SelectionRule {
  KeyFramePatches keyFrames = KeyFramePatches::BeforeOthers;  // never Auto
  bool wholeFirst = false;
  int32_t patchesPerUnit = 1;
  int32_t unitsPerFrame = 0;
  int64_t k = 0;  // as asked, at least 1
  int64_t minPerFrame = 0;
  int64_t maxPerFrame = 0;  // at most unitsPerFrame
};

// `frames`: as many as are sampled. `seconds`: of video among which they were chosen; asked for
// only where kKeep goes by time. Throws Error(InvalidArgument) naming the options that contradict
// each other. Notes where 'auto' took 'compete'.
SelectionRule selectionRule(const PatchOptions& options, const PatchGrid& grid, int64_t frames,
                            const std::function<double()>& seconds, Notes& notes);

// Whether the candidates of the first frame fit under wholeFrames, which needs all of them; throws
// as above.
void checkWholeFirst(const SelectionRule& rule, int64_t candidates, int64_t frames);

}  // namespace cps
