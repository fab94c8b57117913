#pragma once

#include <cstdint>
#include <vector>

#include "core/picture.h"
#include "ops/pixels/resample_axis.h"

namespace cps {

// Kernels of the antialiased resize (Note [Antialiased resize] in resample_math.h): the triangle,
// Keys' cubic with a = -0.5, Lanczos with three lobes, the mean of what a pixel covers.
enum class ResampleKernel { Bilinear, Bicubic, Lanczos, Area };

// Weights of a pass along stored rows once more, in fours: Note [Rows in lanes] in
// simd/resample_block.h.
struct ResampleQuads {
  int32_t perSample = 0;       // 0: there are none, the pass is done otherwise
  int32_t span = 0;            // quads that four neighbouring samples need together, at most
  std::vector<int32_t> words;  // [count, perSample, 2]
  std::vector<int32_t> bytes;  // the same, or empty where a weight does not fit
};

// What each wanted sample is made of. Positions are those of the axis as it is stored.
struct ResampleTaps {
  bool copies = false;  // one tap of weight 1 each: nothing but copying
  int32_t count = 0;
  int32_t bits = 0;
  int32_t stride = 0;            // weights per sample, a multiple of kResampleGroup
  std::vector<int32_t> first;    // [count] position of the first tap
  std::vector<int32_t> used;     // [count] taps that there are; the weights behind them are 0
  std::vector<int16_t> weights;  // [count, stride]
  int32_t sourceBegin = 0;       // positions that are read: [sourceBegin, sourceEnd)
  int32_t sourceEnd = 0;
  ResampleQuads quads;  // where makeResamplePlan has made them

  // One tap each, side by side.
  bool copiesRun() const { return copies && count > 0 && first.back() - first[0] == count - 1; }
};
constexpr int32_t kResampleGroup = 8;

// `mirrored`: the axis is stored back to front. 0 < sizes, parts within their whole.
ResampleTaps makeResampleTaps(const ResampleAxis& axis, ResampleKernel kernel, bool mirrored);
ResampleQuads makeResampleQuads(const ResampleTaps& taps);

// A resize of pictures of one size and orientation to [y.count, x.count].
struct ResamplePlan {
  Orientation orientation;
  // Along the displayed width and height; positions in stored rows and columns, or the other way
  // round where the orientation swaps them.
  ResampleTaps x, y;
};
ResamplePlan makeResamplePlan(const FrameView& frame, const ResampleAxis& x, const ResampleAxis& y,
                              ResampleKernel kernel);

}  // namespace cps
