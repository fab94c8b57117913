#pragma once

#include <array>
#include <cstdint>

#include "core/dtype.h"
#include "core/normalize.h"

namespace cps {

// Note [Value tables]
// Normalising 8-bit pixels is looking them up: three channels of 256 values, made in float32 once
// and cast to the tensor's type. The steps are those of the processors that models were trained
// with, fused as theirs are: (v - mean / scale) / (std / scale), both quotients rounded to float32
// first; with an offset (ViViT), or where a quotient is no number, one after the other:
// ((v * scale - offset) - mean) / std.
struct ValueTable {
  DType dtype = DType::U8;
  // Of channel c: values [256 c, 256 (c + 1)), as bits; the low byte or half for narrow types.
  std::array<uint32_t, 3 * 256> bits{};
  bool copies = true;  // 8-bit values as they are
};
ValueTable makeValueTable(const Normalize& normalize, DType dtype);

// Where pixels go in a tensor, in elements.
struct PixelStrides {
  int64_t channel = 1, row = 0, column = 3;
};

// Rows of an interleaved RGB picture, inStride bytes apart, into a tensor.
void lookUpCpu(const ValueTable& table, const uint8_t* rgb, int64_t inStride, int32_t height,
               int32_t width, const PixelStrides& strides, void* out);

}  // namespace cps
