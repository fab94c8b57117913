#pragma once

#include <math.h>

#include "core/picture.h"
#include "ops/hd.h"

namespace cps {

// FrameView's members of these names, callable on a GPU as well.
CPS_HD int32_t displayHeight(const FrameView& f) {
  return f.orientation.swapXY ? f.width : f.height;
}
CPS_HD int32_t displayWidth(const FrameView& f) {
  return f.orientation.swapXY ? f.height : f.width;
}

// Where a display pixel lies in the stored picture.
struct SourcePosition {
  int32_t y, x;
};

CPS_HD SourcePosition sourcePosition(const FrameView& f, int32_t displayY, int32_t displayX) {
  const int32_t a = f.orientation.swapXY ? displayX : displayY;
  const int32_t b = f.orientation.swapXY ? displayY : displayX;
  return {f.orientation.flipY ? f.height - 1 - a : a, f.orientation.flipX ? f.width - 1 - b : b};
}

// One output coordinate of a bilinear resize: value = in[i0] * w0 + in[i1] * w1.
struct BilinearTap {
  int32_t i0, i1;
  float w0, w1;
};

// Half-pixel centres, no antialiasing (DESIGN section 4, step 7), in the float32 arithmetic of
// PyTorch's upsample_bilinear2d with align_corners=false:
//   src = max(0, (out + 0.5) * (inSize / outSize) - 0.5).
CPS_HD BilinearTap bilinearTap(int32_t out, int32_t inSize, int32_t outSize) {
  BilinearTap tap;
  if (inSize == outSize) {
    tap.i0 = tap.i1 = out;
    tap.w0 = 1.0f;
    tap.w1 = 0.0f;
    return tap;
  }
  const float scale = static_cast<float>(inSize) / static_cast<float>(outSize);
  float src = fmaf(scale, static_cast<float>(out) + 0.5f, -0.5f);
  if (src < 0.0f) src = 0.0f;
  tap.i0 = minInt(static_cast<int32_t>(src), inSize - 1);
  tap.i1 = tap.i0 + (tap.i0 < inSize - 1 ? 1 : 0);
  float w1 = src - static_cast<float>(tap.i0);
  if (w1 > 1.0f) w1 = 1.0f;
  tap.w1 = w1;
  tap.w0 = 1.0f - w1;
  return tap;
}

// Along the row first, then between the rows, the second product of each sum fused: what PyTorch's
// CPU kernel does, and energy 'reference' hangs on the last bit. Every resize uses this order. The
// fused operations are explicit, so that no compiler decides about them.
CPS_HD float bilinear(float topLeft, float topRight, float bottomLeft, float bottomRight, float wx0,
                      float wx1, float wy0, float wy1) {
  const float top = fmaf(topRight, wx1, topLeft * wx0);
  const float bottom = fmaf(bottomRight, wx1, bottomLeft * wx0);
  return fmaf(bottom, wy1, top * wy0);
}

}  // namespace cps
