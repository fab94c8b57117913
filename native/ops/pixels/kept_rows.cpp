#include "ops/pixels/kept_rows.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "ops/geometry_math.h"
#include "ops/pixels/color_math.h"

namespace cps {
namespace {

int32_t groupHeight(const FrameView& f) { return f.planes == 3 ? 1 << f.log2ChromaH : 1; }

// Rows of memory that hold one component, or both chroma components of a semi-planar picture.
struct RowBlock {
  const uint8_t* data;
  int64_t stride;
  size_t rowBytes;
  int32_t log2Rows;  // rows of luma for one of these
};

struct Blocks {
  RowBlock block[3];
  int count = 0;
  bool semiPlanar = false, packed = false;
};

// RGB24 and the like: three bytes a pixel, in any order.
bool isPackedRgb(const FrameView& f) {
  if (f.bitDepth != 8 || f.planes != 3 || f.color.matrix != ColorMatrix::Rgb) return false;
  const uint8_t* first = std::min({f.plane[0].data, f.plane[1].data, f.plane[2].data});
  for (const PlaneView& plane : f.plane) {
    if (plane.step != 3 || plane.stride != f.plane[0].stride || plane.data - first > 2)
      return false;
  }
  return true;
}

std::optional<Blocks> blocksOf(const FrameView& f) {
  const int32_t bytes = f.bitDepth > 8 ? 2 : 1;
  Blocks out;
  if (isPackedRgb(f)) {
    const uint8_t* first = std::min({f.plane[0].data, f.plane[1].data, f.plane[2].data});
    out.block[out.count++] = {first, f.plane[0].stride, static_cast<size_t>(f.width) * 3, 0};
    out.packed = true;
    return out;
  }
  if (f.plane[0].step != bytes) return std::nullopt;
  const auto add = [&](const uint8_t* data, int plane, int64_t samples) {
    out.block[out.count++] = {data, f.plane[plane].stride, static_cast<size_t>(samples * bytes),
                              plane ? f.log2ChromaH : 0};
  };
  add(f.plane[0].data, 0, f.width);
  if (f.planes == 1) return out;
  const PlaneView &u = f.plane[1], &v = f.plane[2];
  const int64_t chroma = ((f.width - 1) >> f.log2ChromaW) + 1;
  if (u.step == bytes && v.step == bytes) {
    add(u.data, 1, chroma);
    add(v.data, 2, chroma);
    return out;
  }
  out.semiPlanar = u.step == 2 * bytes && v.step == u.step && u.stride == v.stride &&
                   std::abs(u.data - v.data) == bytes;
  if (!out.semiPlanar) return std::nullopt;
  add(std::min(u.data, v.data), 1, 2 * chroma);
  return out;
}

size_t aligned(size_t bytes) {
  return (bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
}

}  // namespace

KeptRows::KeptRows(const FrameView& frame, int32_t outHeight, int32_t outWidth) {
  const ColorCoeffs coeffs = makeColorCoeffs(frame);
  const int32_t height = frame.height, group = groupHeight(frame);
  const int32_t out = frame.orientation.swapXY ? outWidth : outHeight;
  std::vector<bool> wanted(static_cast<size_t>((height - 1) / group) + 1, false);
  wanted.front() = wanted.back() = true;
  for (int32_t o = 0; o < out; o++) {
    const BilinearTap tap = bilinearTap(o, height, out);
    for (const int32_t i : {tap.i0, tap.i1}) {
      const int32_t row = frame.orientation.flipY ? height - 1 - i : i;
      const auto g = static_cast<size_t>(row / group);
      wanted[g] = true;
      if (meansTwoChromaRows(frame, coeffs, row)) wanted[g - 1] = true;
    }
  }
  compact_.assign(static_cast<size_t>(height), -1);
  for (int32_t row = 0; row < height; row++) {
    if (wanted[static_cast<size_t>(row / group)]) compact_[static_cast<size_t>(row)] = kept_++;
  }
}

std::optional<KeptPicture> keepRows(const FrameView& frame, int32_t outHeight, int32_t outWidth) {
  // Two rows at most for each of the result: no need to look closer.
  const int64_t out = frame.orientation.swapXY ? outWidth : outHeight;
  if (out * 4 >= int64_t{3} * frame.height) return std::nullopt;
  const std::optional<Blocks> blocks = blocksOf(frame);
  if (!blocks) return std::nullopt;
  auto rows = std::make_shared<KeptRows>(frame, outHeight, outWidth);
  if (int64_t{rows->keptRows()} * 4 > int64_t{3} * frame.height) return std::nullopt;

  size_t offset[3] = {}, stride[3] = {}, total = 0;
  for (int i = 0; i < blocks->count; i++) {
    const RowBlock& block = blocks->block[i];
    stride[i] = aligned(block.rowBytes);
    offset[i] = total;
    total += stride[i] * static_cast<size_t>(((rows->keptRows() - 1) >> block.log2Rows) + 1);
  }
  KeptPicture kept;
  kept.memory = Buffer::allocate(hostMemory(), total);
  kept.view = frame;
  kept.view.height = rows->keptRows();
  for (int i = 0; i < blocks->count; i++) {
    const RowBlock& block = blocks->block[i];
    uint8_t* to = kept.memory.as<uint8_t>() + offset[i];
    for (int32_t row = 0; row < frame.height; row += 1 << block.log2Rows) {
      const int32_t at = rows->compact(row);
      if (at < 0) continue;
      std::memcpy(to + static_cast<size_t>(at >> block.log2Rows) * stride[i],
                  block.data + (row >> block.log2Rows) * block.stride, block.rowBytes);
    }
    const auto move = [&](PlaneView& plane) {
      plane.data = to + (plane.data - block.data);
      plane.stride = static_cast<int64_t>(stride[i]);
    };
    move(kept.view.plane[i]);
    if (i == 1 && blocks->semiPlanar) move(kept.view.plane[2]);
    if (blocks->packed) {
      move(kept.view.plane[1]);
      move(kept.view.plane[2]);
    }
  }
  kept.rows = std::move(rows);
  return kept;
}

}  // namespace cps
