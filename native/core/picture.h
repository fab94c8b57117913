#pragma once

#include <cstddef>
#include <cstdint>

namespace cps {

// How samples become RGB. One implementation (ops/pixels/color_math.h) serves every device.
enum class ColorMatrix : uint8_t { Bt601, Bt709, Bt2020, Smpte240m, Fcc, Rgb };

struct ColorSpec {
  ColorMatrix matrix = ColorMatrix::Bt601;
  bool fullRange = false;
};

// Display orientation as read from the container: first swap (transpose), then flips, all in
// display space: display (y, x) shows source (sy, sx) with
//   (a, b) = swapXY ? (x, y) : (y, x);  sy = flipY ? H-1-a : a;  sx = flipX ? W-1-b : b,
// where H x W is the source (stored) size.
struct Orientation {
  bool swapXY = false;
  bool flipX = false;
  bool flipY = false;
  bool operator==(const Orientation&) const = default;
};

// One component of a picture in its native layout: planar (step = bytes per sample), semi-planar
// (NV12, P010) or packed (YUYV, RGB24). `data` may be host or device memory.
struct PlaneView {
  const uint8_t* data = nullptr;
  int64_t stride = 0;  // bytes from a row to the next; may be negative
  int32_t step = 1;    // bytes from a sample to the next in a row
  int32_t shift = 0;   // right shift of the stored little-endian value (P010: 6)
};

// A decoded picture, never copied: planes as the decoder left them. Trivially copyable, passed by
// value to kernels.
struct FrameView {
  int32_t width = 0;  // stored size, after cropping, before orientation
  int32_t height = 0;
  PlaneView plane[3];  // Y, Cb, Cr, or R, G, B when color.matrix is Rgb; gray has only plane[0]
  int32_t planes = 3;  // 1 (gray) or 3
  int32_t log2ChromaW = 0;
  int32_t log2ChromaH = 0;
  int32_t bitDepth = 8;  // significant bits after `shift`; > 8 means two bytes a sample
  ColorSpec color;
  Orientation orientation;

  int32_t displayWidth() const { return orientation.swapXY ? height : width; }
  int32_t displayHeight() const { return orientation.swapXY ? width : height; }
};

}  // namespace cps
