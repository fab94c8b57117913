#include "ops/pixels/resample_cpu.h"

#include <algorithm>
#include <cstring>

#include "ops/pixels/pixels_cpu.h"

namespace cps {
namespace {

// Behind every row that is read or written here.
constexpr int64_t kRoom = 64;
static_assert(kRoom >= kResampleOverread);

// A block costs the same however few rows it has; fewer than this are done one by one.
constexpr int32_t kFewestInBlock = 8;
// Quads that are kept of a block, where no output needs more at once.
constexpr int32_t kResampleWindow = 96;

int64_t rowBytes(int64_t pixels) { return (pixels * 3 + kRoom + 63) / 64 * 64; }

void across(const OpsTable& ops, const ResampleTaps& taps, const uint8_t* in, uint8_t* out) {
  if (taps.copiesRun()) {
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

// Of a plane of a row, where many lie one behind the other: an odd number of cache lines, so that
// rows do not meet in the same sets of a cache.
int64_t planeBytes(int32_t pixels) { return ((int64_t{pixels} + 63) / 64 | 1) * 64; }

// Pixels [begin, end) of a row; `begin` is that of a chroma sample, too.
RgbRow columnsOf(RgbRow row, int32_t begin, int32_t end) {
  for (int p = 0; p < 3; p++) {
    const int64_t skipped = int64_t{begin >> (p ? row.log2ChromaW : 0)} * row.step[p];
    if (row.plane[p]) row.plane[p] += skipped;
    if (p && row.above[p - 1]) row.above[p - 1] += skipped;
  }
  row.out += begin;
  row.count = end - begin;
  return row;
}

// Stored rows [begin, end), kResampleRows at most, along their width.
void acrossBlock(const OpsTable& ops, ScratchPool& scratch, const FrameView& frame,
                 const ColorCoeffs& coeffs, const ResampleTaps& taps, int32_t begin, int32_t end,
                 uint8_t* out, int64_t outStride) {
  const int64_t stride = planeBytes(frame.width), planes = kResampleRows * 3 * stride;
  const int32_t window = std::max(kResampleWindow, taps.quads.span + kResampleFill);
  const auto memory = scratch.take(
      static_cast<size_t>(planes + int64_t{window + taps.quads.perSample} * kResampleQuadBytes));
  uint8_t* in = memory.as<uint8_t>();
  for (int32_t y = begin; y < end; y++) {
    RgbRow row = storedRow(frame, coeffs, y, in + 3 * (y - begin) * stride);
    row.outPlane = stride;
    ops.rgbRow(columnsOf(row, taps.sourceBegin / 64 * 64, taps.sourceEnd));
  }
  ResampleBlock block{};
  block.in = in;
  block.inStride = stride;
  block.rows = end - begin;
  block.width = taps.sourceEnd;
  block.count = taps.count;
  block.bits = taps.bits;
  block.stride = taps.stride;
  block.first = taps.first.data();
  block.used = taps.used.data();
  block.weights = taps.weights.data();
  block.quads = taps.quads.perSample;
  block.quadWords = taps.quads.words.data();
  block.quadBytes = taps.quads.bytes.empty() ? nullptr : taps.quads.bytes.data();
  block.scratch = in + planes;
  block.window = window;
  block.out = out;
  block.outStride = outStride;
  ops.resampleBlock(block);
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
  forRows(rows, kResampleRows, [&](int32_t begin, int32_t end) {
    if (plan.x.quads.perSample > 0 && end - begin >= kFewestInBlock) {
      return acrossBlock(ops, scratch, frame, coeffs, plan.x, first + begin, first + end,
                         kept + begin * stride, stride);
    }
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
