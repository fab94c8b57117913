#include "ops/pixels/values.h"

#include <cmath>
#include <cstring>

#include "ops/pixels/gather_math.h"

namespace cps {
namespace {

uint32_t cast(float v, DType dtype) {
  switch (dtype) {
    case DType::U8:
      return floatToU8(v);
    case DType::F16:
      return floatToF16(v);
    case DType::BF16:
      return floatToBf16(v);
    default:
      return floatBits(v);
  }
}

template <typename T>
void lookUp(const ValueTable& table, const uint8_t* rgb, int64_t inStride, int32_t height,
            int32_t width, const PixelStrides& s, T* out) {
  const uint32_t *r = table.bits.data(), *g = r + 256, *b = g + 256;
  for (int32_t y = 0; y < height; y++, rgb += inStride) {
    const uint8_t* in = rgb;
    T* to = out + y * s.row;
    if (s.channel == 1) {
      for (int32_t x = 0; x < width; x++, in += 3, to += s.column) {
        to[0] = static_cast<T>(r[in[0]]);
        to[1] = static_cast<T>(g[in[1]]);
        to[2] = static_cast<T>(b[in[2]]);
      }
      continue;
    }
    T *green = to + s.channel, *blue = green + s.channel;
    for (int32_t x = 0; x < width; x++, in += 3) {
      const int64_t at = x * s.column;
      to[at] = static_cast<T>(r[in[0]]);
      green[at] = static_cast<T>(g[in[1]]);
      blue[at] = static_cast<T>(b[in[2]]);
    }
  }
}

}  // namespace

ValueTable makeValueTable(const Normalize& n, DType dtype) {
  ValueTable table;
  table.dtype = dtype;
  table.copies = dtype == DType::U8 && n.isIdentity();
  const auto inverse = static_cast<float>(1.0 / n.scale);
  const auto scale = static_cast<float>(n.scale);
  for (int c = 0; c < 3; c++) {
    const float mean = n.mean[c] * inverse, std = n.std[c] * inverse;
    const bool fused = !n.offset && std::isfinite(mean) && std::isfinite(std) && std != 0.0f;
    for (int v = 0; v < 256; v++) {
      const auto value = static_cast<float>(v);
      const float normal = fused ? (value - mean) / std
                                 : (value * scale - n.offset.value_or(0.0f) - n.mean[c]) / n.std[c];
      table.bits[static_cast<size_t>(256 * c + v)] = cast(normal, dtype);
    }
  }
  return table;
}

void lookUpCpu(const ValueTable& table, const uint8_t* rgb, int64_t inStride, int32_t height,
               int32_t width, const PixelStrides& strides, void* out) {
  if (table.copies && strides.channel == 1 && strides.column == 3) {
    for (int32_t y = 0; y < height; y++) {
      std::memcpy(static_cast<uint8_t*>(out) + y * strides.row, rgb + y * inStride,
                  static_cast<size_t>(width) * 3);
    }
    return;
  }
  switch (dtypeSize(table.dtype)) {
    case 1:
      lookUp(table, rgb, inStride, height, width, strides, static_cast<uint8_t*>(out));
      return;
    case 2:
      lookUp(table, rgb, inStride, height, width, strides, static_cast<uint16_t*>(out));
      return;
    default:
      lookUp(table, rgb, inStride, height, width, strides, static_cast<uint32_t*>(out));
  }
}

}  // namespace cps
