#include "ops/pixels/resize_plan.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "ops/geometry_math.h"
#include "ops/pixels/resample_axis.h"

namespace cps {
namespace {

constexpr int32_t kWindow = 4;  // bytes

int32_t sampleBytes(const FrameView& f) { return f.bitDepth > 8 ? 2 : 1; }

bool semiPlanar8(const FrameView& f) {
  return f.planes == 3 && f.bitDepth == 8 && f.plane[1].step == 2 && f.plane[2].step == 2 &&
         std::abs(f.plane[1].data - f.plane[2].data) == 1;
}

}  // namespace

ResizeTables::ResizeTables(const FrameView& frame, int32_t outHeight, int32_t outWidth,
                           const KeptRows* rows)
    : frame_(frame), coeffs_(makeColorCoeffs(frame)), outHeight_(outHeight), outWidth_(outWidth) {
  if (rows) rows_ = *rows;
  FrameView whole = frame;
  if (rows) whole.height = rows->originalRows();
  const int32_t height = whole.displayHeight(), width = whole.displayWidth();
  for (int32_t y = 0; y < outHeight; y++) tapY_.push_back(bilinearTap(y, height, outHeight));
  for (int32_t x = 0; x < outWidth; x++) tapX_.push_back(bilinearTap(x, width, outWidth));
  if (rows) {
    const bool flip = frame.orientation.flipY;
    const auto toKept = [&](int32_t display) {
      const int32_t row = rows->compact(flip ? whole.height - 1 - display : display);
      return flip ? frame.height - 1 - row : row;
    };
    for (BilinearTap& tap : frame.orientation.swapXY ? tapX_ : tapY_) {
      tap.i0 = toKept(tap.i0);
      tap.i1 = toKept(tap.i1);
    }
  }
  fetch_ = chooseFetch();
  if (fetch_ != ResizeFetch::Direct) build();
}

ResizeTables::ResizeTables(const FrameView& frame, const ResampleAxis& y, const ResampleAxis& x)
    : frame_(frame), coeffs_(makeColorCoeffs(frame)), outHeight_(y.count), outWidth_(x.count) {
  for (int32_t i = 0; i < y.count; i++) tapY_.push_back(bilinearTap(i, y));
  for (int32_t i = 0; i < x.count; i++) tapX_.push_back(bilinearTap(i, x));
  fetch_ = chooseFetch();
  if (fetch_ != ResizeFetch::Direct) build();
}

bool ResizeTables::fits(const FrameView& f, const KeptRows* rows) const {
  if (rows ? rows_ != *rows : rows_.has_value()) return false;
  if (f.width != frame_.width || f.height != frame_.height || f.planes != frame_.planes ||
      f.log2ChromaW != frame_.log2ChromaW || f.log2ChromaH != frame_.log2ChromaH ||
      f.bitDepth != frame_.bitDepth || !(f.orientation == frame_.orientation) ||
      (f.color.matrix == ColorMatrix::Rgb) != (frame_.color.matrix == ColorMatrix::Rgb) ||
      semiPlanar8(f) != semiPlanar8(frame_)) {
    return false;
  }
  for (int i = 0; i < f.planes; i++) {
    const PlaneView &a = f.plane[i], &b = frame_.plane[i];
    if (a.stride != b.stride || a.step != b.step || a.shift != b.shift) return false;
  }
  return true;
}

ResizePlan ResizeTables::planFor(const FrameView& frame) const {
  ResizePlan plan{};
  plan.frame = frame;
  plan.coeffs = makeColorCoeffs(frame);
  plan.fetch = fetch_;
  plan.tapY = tapY_.data();
  plan.tapX = tapX_.data();
  if (fetch_ == ResizeFetch::Direct) return plan;
  plan.mask = sampleBytes(frame) == 1 ? 0xffu : 0xffffu >> frame.plane[0].shift;
  if (fetch_ == ResizeFetch::Semi) {
    const uint8_t *u = frame.plane[1].data, *v = frame.plane[2].data;
    plan.chroma = std::min(u, v);
    plan.chromaBits[0] = u < v ? 0 : 8;
    plan.chromaBits[1] = u < v ? 8 : 0;
  }
  plan.lines = lines_.data();
  for (int kind = 0; kind < 3; kind++) {
    for (int tap = 0; tap < 2; tap++) {
      plan.offset[kind][tap] = offset_[kind][tap].data();
      plan.shift[kind][tap] = shift_[kind][tap].data();
    }
  }
  plan.w0 = w0_.data();
  plan.w1 = w1_.data();
  return plan;
}

// Bytes of a stored row from the plane's first sample on.
int64_t ResizeTables::rowBytes(int kind) const {
  const int32_t log2W = kind ? frame_.log2ChromaW : 0;
  const int64_t last = (frame_.width - 1) >> log2W;
  if (kind && fetch_ == ResizeFetch::Semi) return last * 2 + 2;
  return last * plane(kind).step + sampleBytes(frame_);
}

ResizeFetch ResizeTables::chooseFetch() const {
  const FrameView& f = frame_;
  // Beyond 16-bit multiply-add, which way Table does not use.
  if (f.bitDepth > 15 && coeffs_.way != ColorWay::Table) return ResizeFetch::Direct;
  if (f.planes == 3) {
    const PlaneView &u = f.plane[1], &v = f.plane[2];
    if (u.stride != v.stride || u.step != v.step) return ResizeFetch::Direct;
    // One mask serves all planes.
    if (sampleBytes(f) == 2 && (u.shift != v.shift || u.shift != f.plane[0].shift)) {
      return ResizeFetch::Direct;
    }
  }
  for (int kind = 0; kind < kinds(); kind++) {
    if (plane(kind).step <= 0 || rowBytes(kind) < kWindow) return ResizeFetch::Direct;
    const int64_t reach =
        f.orientation.swapXY ? std::abs(plane(kind).stride) * f.height : rowBytes(kind);
    if (reach > std::numeric_limits<int32_t>::max()) return ResizeFetch::Direct;
  }
  if (f.orientation.swapXY || f.planes == 1 || f.color.matrix == ColorMatrix::Rgb) {
    return ResizeFetch::Split;
  }
  const int32_t bytes = sampleBytes(f);
  const bool lumaFits = f.plane[0].step + bytes <= kWindow;
  if (lumaFits && f.plane[1].step + bytes <= kWindow && !semiPlanar8(f)) return ResizeFetch::Joint;
  if (lumaFits && semiPlanar8(f) && ((f.width - 1) >> f.log2ChromaW) >= 1) {
    return ResizeFetch::Semi;
  }
  return ResizeFetch::Split;
}

ResizeTables::Window ResizeTables::rowWindow(int kind, int32_t display) const {
  const int32_t row = frame_.orientation.flipY ? frame_.height - 1 - display : display;
  int64_t stored = row >> (kind ? frame_.log2ChromaH : 0);
  if (kind == 2 && meansTwoChromaRows(frame_, coeffs_, row)) stored--;
  return {stored * plane(kind).stride, 0};
}

// The window of display column `display`; with one window for both taps it also holds `other`.
ResizeTables::Window ResizeTables::columnWindow(int kind, int32_t display, int32_t other) const {
  const auto byteOf = [&](int32_t d) {
    const int32_t column = frame_.orientation.flipX ? frame_.width - 1 - d : d;
    return int64_t{column >> (kind ? frame_.log2ChromaW : 0)} * plane(kind).step;
  };
  const int64_t byte = byteOf(display);
  const int64_t first = fetch_ == ResizeFetch::Split ? byte : std::min(byte, byteOf(other));
  const int64_t base = std::min(first, rowBytes(kind) - kWindow);
  const int32_t stored = sampleBytes(frame_) == 2 ? plane(kind).shift : 0;
  return {base, static_cast<int32_t>(8 * (byte - base)) + stored};
}

ResizeTables::Window ResizeTables::window(bool sourceRows, int kind, int32_t display,
                                          int32_t other) const {
  return sourceRows ? rowWindow(kind, display) : columnWindow(kind, display, other);
}

void ResizeTables::build() {
  const bool swap = frame_.orientation.swapXY;
  lines_.resize(outHeight_);
  for (int32_t y = 0; y < outHeight_; y++) {
    ResizeLine& line = lines_[y];
    line = {};
    line.w0 = tapY_[y].w0;
    line.w1 = tapY_[y].w1;
    for (int kind = 0; kind < kinds(); kind++) {
      const int32_t at[2] = {tapY_[y].i0, tapY_[y].i1};
      for (int tap = 0; tap < 2; tap++) {
        const Window w = window(!swap, kind, at[tap], at[1 - tap]);
        line.offset[kind][tap] = w.offset;
        line.shift[kind][tap] = w.shift;
      }
    }
  }
  const int32_t columns = outWidth_ + kResizePadding;
  w0_.resize(columns);
  w1_.resize(columns);
  for (auto* table : {&offset_, &shift_}) {
    for (auto& kind : *table) {
      for (auto& tap : kind) tap.assign(columns, 0);
    }
  }
  for (int32_t x = 0; x < columns; x++) {
    const BilinearTap& t = tapX_[std::min(x, outWidth_ - 1)];
    w0_[x] = t.w0;
    w1_[x] = t.w1;
    for (int kind = 0; kind < kinds(); kind++) {
      const int32_t at[2] = {t.i0, t.i1};
      for (int tap = 0; tap < 2; tap++) {
        const Window w = window(swap, kind, at[tap], at[1 - tap]);
        offset_[kind][tap][x] = static_cast<int32_t>(w.offset);
        shift_[kind][tap][x] = w.shift;
      }
    }
  }
}

}  // namespace cps
