#include "ops/pixels/pixels_cpu.h"

#include <algorithm>
#include <cstring>

#include "ops/pixels/gather_math.h"

namespace cps {

RgbRow storedRow(const FrameView& frame, const ColorCoeffs& coeffs, int32_t y, uint8_t* out) {
  RgbRow row{};
  for (int p = 0; p < frame.planes; p++) {
    const int32_t log2 = p && coeffs.planar3 == 1 ? frame.log2ChromaH : 0;
    row.plane[p] = frame.plane[p].data + (y >> log2) * frame.plane[p].stride;
    row.step[p] = frame.plane[p].step;
    row.shift[p] = frame.plane[p].shift;
  }
  row.bitDepth = frame.bitDepth;
  row.log2ChromaW = coeffs.planar3 == 1 ? frame.log2ChromaW : 0;
  row.count = frame.width;
  row.coeffs = &coeffs;
  if (meansTwoChromaRows(frame, coeffs, y)) {
    for (int p = 0; p < 2; p++) row.above[p] = row.plane[p + 1] - frame.plane[p + 1].stride;
  }
  row.out = out;
  return row;
}

namespace {

// Pixels copied one by one with a step; 4 bytes at a time where one more byte may be written.
void copyPixels(const uint8_t* in, int64_t inStep, uint8_t* out, int32_t count) {
  for (int32_t i = 0; i + 1 < count; i++, in += inStep, out += 3) std::memcpy(out, in, 4);
  std::memcpy(out, in, 3);
}

}  // namespace

void rgbRowsCpu(const OpsTable& ops, ScratchPool& scratch, const FrameView& frame, int32_t begin,
                int32_t end, uint8_t* out) {
  const ColorCoeffs coeffs = makeColorCoeffs(frame);
  const Orientation& o = frame.orientation;
  const int64_t rowBytes = int64_t{frame.width} * 3;
  if (!o.swapXY && !o.flipX) {
    for (int32_t y = begin; y < end; y++) {
      const int32_t display = o.flipY ? frame.height - 1 - y : y;
      ops.rgbRow(storedRow(frame, coeffs, y, out + display * rowBytes));
    }
    return;
  }
  // Converted in stored order, then turned. One spare byte: pixels are copied four bytes at a time.
  constexpr int32_t kBlock = 32;
  const auto memory = scratch.take(static_cast<size_t>(kBlock * rowBytes + 1));
  uint8_t* rgb = memory.as<uint8_t>();
  if (!o.swapXY) {
    for (int32_t y = begin; y < end; y++) {
      const int32_t display = o.flipY ? frame.height - 1 - y : y;
      ops.rgbRow(storedRow(frame, coeffs, y, rgb));
      copyPixels(rgb + rowBytes - 3, -3, out + display * rowBytes, frame.width);
    }
    return;
  }
  // Stored row y is display column a, stored column x is display row b.
  const int64_t outBytes = int64_t{frame.height} * 3;
  for (int32_t y = begin; y < end; y += kBlock) {
    const int32_t count = std::min(kBlock, end - y);
    for (int32_t i = 0; i < count; i++) {
      const int32_t slot = o.flipY ? count - 1 - i : i;
      ops.rgbRow(storedRow(frame, coeffs, y + i, rgb + slot * rowBytes));
    }
    const int32_t a = o.flipY ? frame.height - y - count : y;
    for (int32_t x = 0; x < frame.width; x++) {
      const int32_t b = o.flipX ? frame.width - 1 - x : x;
      copyPixels(rgb + int64_t{x} * 3, rowBytes, out + b * outBytes + int64_t{a} * 3, count);
    }
  }
}

void resizedRgbRowsCpu(const OpsTable& ops, ScratchPool& scratch, const ResizePlan& plan,
                       int32_t begin, int32_t end, int32_t outWidth, uint8_t* out,
                       int64_t outStride) {
  const int64_t stride = int64_t{outWidth} + kOverrun;
  const auto memory = scratch.take(static_cast<size_t>(3 * stride) * sizeof(float));
  float* const planes[3] = {memory.as<float>(), memory.as<float>() + stride,
                            memory.as<float>() + 2 * stride};
  for (int32_t y = begin; y < end; y++) {
    ops.resizeRows(plan, y, 1, 0, outWidth, planes, stride);
    uint8_t* row = out + y * outStride;
    for (int32_t x = 0; x < outWidth; x++, row += 3) {
      for (int c = 0; c < 3; c++) row[c] = roundToU8(planes[c][x]);
    }
  }
}

void patchCpu(const OpsTable& ops, ScratchPool& scratch, const ResizePlan& plan,
              const GatherSpec& spec, int32_t row, int32_t col, void* out) {
  const int32_t p = spec.grid.patchSize;
  const int64_t area = int64_t{p} * p, planeSize = area + kOverrun;
  const auto memory = scratch.take(static_cast<size_t>(3 * planeSize + 3 * area) * sizeof(float));
  float* const planes[3] = {memory.as<float>(), memory.as<float>() + planeSize,
                            memory.as<float>() + 2 * planeSize};
  ops.resizeRows(plan, row * p, p, col * p, p, planes, p);
  const Normalize& n = spec.normalize;
  const auto scale = static_cast<float>(n.scale);
  const auto mean = [&n](int c) { return n.offset.value_or(0.0f) + n.mean[c]; };
  if (spec.layout == Layout::Nchw) {
    for (int c = 0; c < 3; c++) {
      uint8_t* to = static_cast<uint8_t*>(out) + c * area * dtypeSize(spec.dtype);
      ops.castValues(planes[c], area, scale, mean(c), n.std[c], spec.dtype, to);
    }
    return;
  }
  float* interleaved = planes[2] + planeSize;
  for (int c = 0; c < 3; c++) {
    ops.castValues(planes[c], area, scale, mean(c), n.std[c], DType::F32, planes[c]);
    for (int64_t i = 0; i < area; i++) interleaved[3 * i + c] = planes[c][i];
  }
  ops.castValues(interleaved, 3 * area, 1.0f, 0.0f, 1.0f, spec.dtype, out);
}

}  // namespace cps
