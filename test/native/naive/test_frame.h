#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/picture.h"

namespace naive {

// How the samples of a test picture lie in memory.
enum class PixelLayout { Planar, SemiPlanar, Yuyv, PackedRgb, Gray };
enum class Fill { Random, Zero, Max, Smooth, TwoValues };

struct FrameSpec {
  int width = 64, height = 48;
  PixelLayout layout = PixelLayout::Planar;
  int bitDepth = 8;
  int log2ChromaW = 1, log2ChromaH = 1;
  cps::ColorSpec color;
  cps::Orientation orientation;
  Fill fill = Fill::Random;
  bool negativeStride = false;
  int padding = 0;  // bytes between rows
  uint32_t seed = 1;
};

// A picture with its own memory; rows end exactly where the allocation ends, so that a sanitizer
// sees every read behind the last sample.
class TestFrame {
 public:
  explicit TestFrame(const FrameSpec& spec) {
    cps::FrameView& f = view;
    f.width = spec.width;
    f.height = spec.height;
    f.bitDepth = spec.bitDepth;
    f.color = spec.color;
    f.orientation = spec.orientation;
    const int bytes = spec.bitDepth > 8 ? 2 : 1;
    std::mt19937 rng(spec.seed);
    switch (spec.layout) {
      case PixelLayout::Gray:
        f.planes = 1;
        addPlane(spec, rng, 0, spec.width, spec.height, {0}, bytes, 0);
        return;
      case PixelLayout::PackedRgb:
        f.color.matrix = cps::ColorMatrix::Rgb;
        addPlane(spec, rng, 0, spec.width, spec.height, {0, 1, 2}, 3 * bytes, 0);
        return;
      case PixelLayout::Yuyv: {
        f.log2ChromaW = 1;
        const int pairs = (spec.width + 1) / 2;
        addPlane(spec, rng, 0, pairs, spec.height, {0, 1, 2}, 4 * bytes, 0);
        const uint8_t* base = f.plane[0].data;
        f.plane[0].step = 2 * bytes;
        f.plane[1].data = base + bytes;
        f.plane[2].data = base + 3 * bytes;
        return;
      }
      case PixelLayout::SemiPlanar:
      case PixelLayout::Planar:
        break;
    }
    const int shift = spec.layout == PixelLayout::SemiPlanar && bytes == 2 ? 16 - spec.bitDepth : 0;
    if (f.color.matrix != cps::ColorMatrix::Rgb) {
      f.log2ChromaW = spec.log2ChromaW;
      f.log2ChromaH = spec.log2ChromaH;
    }
    const int cw = ((spec.width - 1) >> f.log2ChromaW) + 1;
    const int ch = ((spec.height - 1) >> f.log2ChromaH) + 1;
    addPlane(spec, rng, 0, spec.width, spec.height, {0}, bytes, shift);
    if (spec.layout == PixelLayout::SemiPlanar) {
      addPlane(spec, rng, 1, cw, ch, {1, 2}, 2 * bytes, shift);
    } else {
      addPlane(spec, rng, 1, cw, ch, {1}, bytes, shift);
      addPlane(spec, rng, 2, cw, ch, {2}, bytes, shift);
    }
  }

  cps::FrameView view;

 private:
  // One allocation holding `components` interleaved, `step` bytes from a group to the next.
  void addPlane(const FrameSpec& spec, std::mt19937& rng, int seedPlane, int columns, int rows,
                const std::vector<int>& components, int step, int shift) {
    const int bytes = spec.bitDepth > 8 ? 2 : 1;
    const size_t rowBytes = static_cast<size_t>(columns) * step, stride = rowBytes + spec.padding;
    const size_t size = stride * (rows - 1) + rowBytes;
    std::unique_ptr<uint8_t[]> memory(new uint8_t[size]);
    const int maxValue = (1 << spec.bitDepth) - 1;
    for (size_t i = 0; i < size; i++) memory[i] = static_cast<uint8_t>(rng());
    for (int y = 0; y < rows; y++) {
      for (size_t x = 0; x + bytes <= rowBytes; x += bytes) {
        int v = 0;
        switch (spec.fill) {
          case Fill::Random:
            v = static_cast<int>(rng() & maxValue);
            break;
          case Fill::Zero:
            break;
          case Fill::Max:
            v = maxValue;
            break;
          case Fill::Smooth:
            v = static_cast<int>((x * 2 + y * 3 + seedPlane * 50 + spec.seed * 7) * (maxValue + 1) /
                                 256) &
                maxValue;
            break;
          case Fill::TwoValues:
            v = rng() & 1 ? maxValue : 0;
            break;
        }
        v <<= shift;
        uint8_t* at = memory.get() + y * stride + x;
        at[0] = static_cast<uint8_t>(v);
        if (bytes == 2) at[1] = static_cast<uint8_t>(v >> 8);
      }
    }
    for (size_t i = 0; i < components.size(); i++) {
      cps::PlaneView& p = view.plane[components[i]];
      p.data = memory.get() + i * bytes;
      p.stride = static_cast<int64_t>(stride);
      p.step = step;
      p.shift = shift;
      if (spec.negativeStride) {
        p.data += stride * (rows - 1);
        p.stride = -p.stride;
      }
    }
    memory_.push_back(std::move(memory));
  }

  std::vector<std::unique_ptr<uint8_t[]>> memory_;
};

inline std::string describe(const FrameSpec& s) {
  return std::to_string(s.width) + "x" + std::to_string(s.height) + " layout " +
         std::to_string(int(s.layout)) + " depth " + std::to_string(s.bitDepth) + " chroma " +
         std::to_string(s.log2ChromaW) + std::to_string(s.log2ChromaH) + " matrix " +
         std::to_string(int(s.color.matrix)) + (s.color.fullRange ? " full" : " limited") +
         " orient " + std::to_string(s.orientation.swapXY) + std::to_string(s.orientation.flipX) +
         std::to_string(s.orientation.flipY) + " fill " + std::to_string(int(s.fill)) +
         (s.negativeStride ? " negative stride" : "") + " padding " + std::to_string(s.padding) +
         " seed " + std::to_string(s.seed);
}

// A spread of everything a decoder may hand over, at one size.
inline std::vector<FrameSpec> frameSpecs(int width, int height, uint32_t seed) {
  std::vector<FrameSpec> out;
  const auto add = [&](PixelLayout layout, int depth, int cw, int ch, cps::ColorMatrix matrix,
                       bool full, int orient, Fill fill) {
    FrameSpec s;
    s.width = width;
    s.height = height;
    s.layout = layout;
    s.bitDepth = depth;
    s.log2ChromaW = cw;
    s.log2ChromaH = ch;
    s.color = {matrix, full};
    s.orientation = {(orient & 4) != 0, (orient & 2) != 0, (orient & 1) != 0};
    s.fill = fill;
    s.seed = seed + static_cast<uint32_t>(out.size()) * 77;
    s.padding = static_cast<int>(out.size() % 3) * 5;
    s.negativeStride = out.size() % 5 == 4;
    out.push_back(s);
  };
  using M = cps::ColorMatrix;
  for (int orient = 0; orient < 8; orient++) {
    add(PixelLayout::Planar, 8, 1, 1, M::Bt601, false, orient, Fill::Random);
    add(PixelLayout::Planar, 10, 1, 1, M::Bt2020, false, orient, Fill::Random);
  }
  for (const Fill fill : {Fill::Zero, Fill::Max, Fill::Smooth, Fill::TwoValues}) {
    add(PixelLayout::Planar, 8, 1, 1, M::Bt709, false, 0, fill);
    add(PixelLayout::Planar, 10, 1, 1, M::Bt709, true, 0, fill);
    add(PixelLayout::Planar, 16, 0, 0, M::Bt2020, false, 0, fill);
  }
  for (int depth : {8, 9, 10, 12, 14, 16}) {
    for (int orient : {0, 7}) {
      add(PixelLayout::Planar, depth, 1, 1, M::Bt709, orient != 0, orient, Fill::Random);
      add(PixelLayout::Planar, depth, 1, 0, M::Smpte240m, orient == 0, orient, Fill::TwoValues);
      add(PixelLayout::Planar, depth, 0, 0, M::Fcc, orient != 0, orient, Fill::Random);
      add(PixelLayout::Planar, depth, 2, 0, M::Bt601, true, orient, Fill::Random);
      add(PixelLayout::Planar, depth, 2, 2, M::Bt601, true, orient, Fill::Random);
      add(PixelLayout::Planar, depth, 0, 1, M::Bt601, false, orient, Fill::Random);
      add(PixelLayout::SemiPlanar, depth, 1, 1, M::Bt709, false, orient, Fill::Random);
      add(PixelLayout::SemiPlanar, depth, 1, 0, M::Bt709, true, orient, Fill::TwoValues);
      add(PixelLayout::Yuyv, depth, 1, 0, M::Bt601, false, orient, Fill::Random);
      add(PixelLayout::PackedRgb, depth, 0, 0, M::Rgb, true, orient, Fill::Random);
      add(PixelLayout::Planar, depth, 0, 0, M::Rgb, true, orient, Fill::Random);
      add(PixelLayout::Gray, depth, 0, 0, M::Bt601, orient != 0, orient, Fill::Random);
    }
  }
  return out;
}

}  // namespace naive
