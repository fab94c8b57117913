#pragma once

#include "core/dtype.h"
#include "cuda/ops/block_program.h"
#include "ops/geometry.h"
#include "ops/pixels/gather_math.h"
#include "ops/pixels/resample_axis.h"

namespace cps {

// A sampled frame as GatherPatches reads it, in device memory.
struct GatherFrame {
  FrameView view;
  ColorCoeffs coeffs;
};

// Kernels::gatherPatches: one thread a pixel of a patch; conversion, resize, normalisation, layout
// and cast in one pass, only for pixels that are kept.
struct GatherPatches {
  using Shared = NoShared;
  static constexpr int kThreads = 256;

  const GatherFrame* frames;  // [T], device
  const int32_t* indices;     // [count], device
  int64_t count;
  PatchGrid grid;
  DType dtype;
  bool nchw;
  float scale, mean[3], std[3];
  void* out;

  int64_t pixels() const { return count * grid.patchSize * grid.patchSize; }
  int64_t blocks() const { return ceilDiv64(pixels(), kThreads); }

  template <class Block>
  CPS_DEVICE void run(Block& block, Shared&) const {
    block.forEach([&](int thread) {
      const int32_t p = grid.patchSize, area = p * p;
      const int64_t i = block.index() * kThreads + thread;
      if (i >= count * area) return;
      const int64_t patch = i / area;
      const int32_t inPatch = static_cast<int32_t>(i % area);
      const int32_t linear = indices[patch], perFrame = grid.rows * grid.cols;
      const int32_t inFrame = linear % perFrame;
      const int32_t y = inFrame / grid.cols * p + inPatch / p;
      const int32_t x = inFrame % grid.cols * p + inPatch % p;
      const GatherFrame& frame = frames[linear / perFrame];
      const RgbF v = resizedRgb(frame.view, frame.coeffs,
                                bilinearTap(y, displayHeight(frame.view), grid.targetHeight),
                                bilinearTap(x, displayWidth(frame.view), grid.targetWidth));
      const int64_t base = patch * 3 * area + static_cast<int64_t>(inPatch) * (nchw ? 1 : 3);
      const int64_t step = nchw ? area : 1;
      store(base, normalizeValue(v.r, scale, mean[0], std[0]));
      store(base + step, normalizeValue(v.g, scale, mean[1], std[1]));
      store(base + 2 * step, normalizeValue(v.b, scale, mean[2], std[2]));
    });
  }

  CPS_DEVICE void store(int64_t i, float v) const {
    if (dtype == DType::BF16) {
      static_cast<uint16_t*>(out)[i] = floatToBf16(v);
    } else if (dtype == DType::F16) {
      static_cast<uint16_t*>(out)[i] = floatToF16(v);
    } else if (dtype == DType::U8) {
      static_cast<uint8_t*>(out)[i] = floatToU8(v);
    } else {
      static_cast<float*>(out)[i] = v;
    }
  }
};

// FrameKernels::toRgb and resizeRgb: one thread a pixel.
struct ToRgb {
  using Shared = NoShared;
  static constexpr int kThreads = 256;

  FrameView frame;
  ColorCoeffs coeffs;
  ResampleAxis y, x;
  uint8_t* out;
  int64_t outStride;

  int64_t blocks() const { return ceilDiv64(static_cast<int64_t>(y.count) * x.count, kThreads); }

  template <class Block>
  CPS_DEVICE void run(Block& block, Shared&) const {
    block.forEach([&](int thread) {
      const int64_t i = block.index() * kThreads + thread;
      if (i >= static_cast<int64_t>(y.count) * x.count) return;
      const int32_t row = static_cast<int32_t>(i / x.count);
      const int32_t column = static_cast<int32_t>(i % x.count);
      const RgbF v = resizedRgb(frame, coeffs, bilinearTap(row, y), bilinearTap(column, x));
      uint8_t* to = out + row * outStride + static_cast<int64_t>(column) * 3;
      to[0] = roundToU8(v.r);
      to[1] = roundToU8(v.g);
      to[2] = roundToU8(v.b);
    });
  }
};

void launch(const GatherPatches& program, CudaStream stream);
void launch(const ToRgb& program, CudaStream stream);

}  // namespace cps
