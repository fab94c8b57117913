#pragma once

#include "core/picture.h"
#include "cuda/ops/block_program.h"
#include "ops/pixels/color_math.h"
#include "ops/pixels/resample_math.h"

namespace cps {

// The taps of one axis (ops/pixels/resample.h) in device memory.
struct DeviceTaps {
  int32_t count, bits, stride;
  const int32_t* first;
  const int32_t* used;
  const int16_t* weights;
};

// FrameKernels::resample, along the displayed width: one thread a sample of the kept rows.
struct ResampleAcross {
  using Shared = NoShared;
  static constexpr int kThreads = 256;

  FrameView frame;
  ColorCoeffs coeffs;
  bool swapped;  // taps are of stored rows, the others' positions of stored columns
  DeviceTaps x;
  int32_t rowBegin, rows;  // positions of the other axis that are wanted
  uint8_t* out;            // [rows, x.count, 3]

  int64_t blocks() const { return ceilDiv64(static_cast<int64_t>(rows) * x.count, kThreads); }

  template <class Block>
  CPS_DEVICE void run(Block& block, Shared&) const {
    block.forEach([&](int thread) {
      const int64_t i = block.index() * kThreads + thread;
      if (i >= static_cast<int64_t>(rows) * x.count) return;
      const int32_t other = rowBegin + static_cast<int32_t>(i / x.count);
      const int32_t at = static_cast<int32_t>(i % x.count);
      const int16_t* weights = x.weights + static_cast<int64_t>(at) * x.stride;
      int32_t r = 0, g = 0, b = 0;
      for (int32_t j = 0; j < x.used[at]; j++) {
        const int32_t tap = x.first[at] + j;
        const Rgb8 v = rgbAtSource(frame, coeffs, swapped ? tap : other, swapped ? other : tap);
        r += weights[j] * v.r;
        g += weights[j] * v.g;
        b += weights[j] * v.b;
      }
      out[3 * i] = resampled(r, x.bits);
      out[3 * i + 1] = resampled(g, x.bits);
      out[3 * i + 2] = resampled(b, x.bits);
    });
  }
};

// Along the height: one thread a byte of the result.
struct ResampleDown {
  using Shared = NoShared;
  static constexpr int kThreads = 256;

  const uint8_t* in;  // [rows, bytes]
  int32_t rowBegin;
  int32_t bytes;  // of a row
  DeviceTaps y;
  uint8_t* out;
  int64_t outStride;

  int64_t blocks() const { return ceilDiv64(static_cast<int64_t>(y.count) * bytes, kThreads); }

  template <class Block>
  CPS_DEVICE void run(Block& block, Shared&) const {
    block.forEach([&](int thread) {
      const int64_t i = block.index() * kThreads + thread;
      if (i >= static_cast<int64_t>(y.count) * bytes) return;
      const int32_t row = static_cast<int32_t>(i / bytes), byte = static_cast<int32_t>(i % bytes);
      const int16_t* weights = y.weights + static_cast<int64_t>(row) * y.stride;
      const uint8_t* from = in + static_cast<int64_t>(y.first[row] - rowBegin) * bytes + byte;
      int32_t sum = 0;
      for (int32_t j = 0; j < y.used[row]; j++, from += bytes) sum += weights[j] * *from;
      out[row * outStride + byte] = resampled(sum, y.bits);
    });
  }
};

void launch(const ResampleAcross& program, CudaStream stream);
void launch(const ResampleDown& program, CudaStream stream);

}  // namespace cps
