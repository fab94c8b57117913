#include "ops/pixels/resample_cpu.h"

#include <algorithm>
#include <cstring>

#include "ops/pixels/pixels_cpu.h"

namespace cps {
namespace {

// Behind every row that is read or written here.
constexpr int64_t kRoom = 64;
static_assert(kRoom >= kResampleOverread);

int64_t rowBytes(int64_t pixels) { return (pixels * 3 + kRoom + 63) / 64 * 64; }

void across(const OpsTable& ops, const ResampleTaps& taps, const uint8_t* in, uint8_t* out) {
  if (taps.copies && taps.count > 0 && taps.first.back() - taps.first.front() == taps.count - 1) {
    std::memcpy(out, in + int64_t{taps.first[0]} * 3, static_cast<size_t>(taps.count) * 3);
    return;
  }
  ops.resampleAcross({in, taps.count, taps.bits, taps.stride, taps.first.data(), taps.used.data(),
                      taps.weights.data(), out});
}

// `in`: where position 0 of the taps would be.
void down(const OpsTable& ops, const ResampleTaps& taps, int32_t i, const uint8_t* in,
          int64_t inStride, int32_t bytes, uint8_t* out) {
  const auto at = static_cast<size_t>(i);
  const uint8_t* first = in + taps.first[at] * inStride;
  if (taps.copies) {
    std::memcpy(out, first, static_cast<size_t>(bytes));
    return;
  }
  const int16_t* weights = taps.weights.data() + at * static_cast<size_t>(taps.stride);
  ops.resampleDown({first, inStride, weights, taps.used[at], taps.bits, bytes, out});
}

// Stored rows are displayed rows.
void upright(const OpsTable& ops, ScratchPool& scratch, const FrameView& frame,
             const ResamplePlan& plan, uint8_t* out, int64_t outStride, const ForRows& forRows) {
  const ColorCoeffs coeffs = makeColorCoeffs(frame);
  const int32_t bytes = plan.x.count * 3;
  const int32_t first = plan.y.sourceBegin, rows = plan.y.sourceEnd - first;
  const int64_t stride = rowBytes(plan.x.count);
  const auto narrow = scratch.take(static_cast<size_t>(rows * stride));
  uint8_t* kept = narrow.as<uint8_t>();
  forRows(rows, 16, [&](int32_t begin, int32_t end) {
    const auto memory = scratch.take(static_cast<size_t>(rowBytes(frame.width)));
    uint8_t* rgb = memory.as<uint8_t>();
    for (int32_t y = begin; y < end; y++) {
      ops.rgbRow(storedRow(frame, coeffs, first + y, rgb));
      across(ops, plan.x, rgb, kept + y * stride);
    }
  });
  forRows(plan.y.count, 16, [&](int32_t begin, int32_t end) {
    for (int32_t y = begin; y < end; y++) {
      down(ops, plan.y, y, kept - first * stride, stride, bytes, out + y * outStride);
    }
  });
}

// Stored rows are displayed columns: the pass along the displayed width goes down the stored rows,
// and what it gives is a displayed column, to be finished along the stored row.
void turned(const OpsTable& ops, ScratchPool& scratch, const FrameView& frame,
            const ResamplePlan& plan, uint8_t* out, int64_t outStride, const ForRows& forRows) {
  const ColorCoeffs coeffs = makeColorCoeffs(frame);
  const int64_t stride = rowBytes(frame.width);
  forRows(plan.x.count, 64, [&](int32_t begin, int32_t end) {
    int32_t first = frame.height, last = 0;
    for (int32_t i = begin; i < end; i++) {
      const auto at = static_cast<size_t>(i);
      first = std::min(first, plan.x.first[at]);
      last = std::max(last, plan.x.first[at] + plan.x.used[at]);
    }
    const int64_t columnBytes = rowBytes(plan.y.count);
    const auto memory =
        scratch.take(static_cast<size_t>((last - first + 1) * stride + columnBytes));
    uint8_t* rows = memory.as<uint8_t>();
    uint8_t* column = rows + (last - first) * stride;
    uint8_t* done = column + stride;
    for (int32_t y = first; y < last; y++) {
      ops.rgbRow(storedRow(frame, coeffs, y, rows + (y - first) * stride));
    }
    for (int32_t i = begin; i < end; i++) {
      down(ops, plan.x, i, rows - first * stride, stride, frame.width * 3, column);
      across(ops, plan.y, column, done);
      uint8_t* to = out + int64_t{i} * 3;
      for (int32_t y = 0; y < plan.y.count; y++, to += outStride) std::memcpy(to, done + 3 * y, 3);
    }
  });
}

}  // namespace

void resampleCpu(const OpsTable& ops, ScratchPool& scratch, const FrameView& frame,
                 const ResamplePlan& plan, uint8_t* out, int64_t outStride,
                 const ForRows& forRows) {
  const auto run = plan.orientation.swapXY ? turned : upright;
  run(ops, scratch, frame, plan, out, outStride, forRows);
}

}  // namespace cps
