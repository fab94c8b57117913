// CPU and GPU give the same bits for every operation: device memory on one side, the scalar or SIMD
// code of the CPU on the other. Runs emulated everywhere and for real where there is a GPU.

#include "cuda/ops/equality.h"

#include <cstring>
#include <random>

#include "naive/test_frame.h"

namespace cps {
namespace {

std::vector<std::pair<int, int>> frameSizes() {
  return {{1, 1}, {3, 5}, {31, 33}, {66, 70}, {131, 129}, {150, 200}};
}

TEST(GpuEquality, CellsLumaAndRgbOfEveryKindOfFrame) {
  CPS_NEEDS_GPU();
  Gpu gpu;
  const auto cpu = cpuKernels();
  uint32_t seed = 100;
  for (const auto& [h, w] : frameSizes()) {
    for (const auto& spec : naive::frameSpecs(w, h, seed++)) {
      const naive::TestFrame host(spec);
      const SourceFrame device = gpu.upload(host.view);
      const int32_t dh = host.view.displayHeight(), dw = host.view.displayWidth();
      const std::string what = naive::describe(spec);

      const CellGrid cells = makeCellGrid(dh, dw);
      std::vector<uint8_t> cpuCells(static_cast<size_t>(cells.cells()));
      cpu->lumaCells(host.view, cells, cpuCells.data());
      const Buffer gpuCells = gpu.allocate<uint8_t>(cells.cells());
      gpu.kernels->lumaCells(device.view, cells, gpuCells.as<uint8_t>());
      expectSameBits(cpuCells, gpu.download<uint8_t>(gpuCells), "cells of " + what);

      const ReferenceGrid reference = makeReferenceGrid(dh, dw);
      std::vector<float> cpuLuma(static_cast<size_t>(reference.cells()));
      cpu->referenceLuma(host.view, reference, cpuLuma.data());
      const Buffer gpuLuma = gpu.allocate<float>(reference.cells());
      gpu.kernels->referenceLuma(device.view, reference, gpuLuma.as<float>());
      expectSameBits(cpuLuma, gpu.download<float>(gpuLuma), "reference luma of " + what);

      for (const auto& [oh, ow] : {std::pair{dh, dw}, std::pair{17, 23}}) {
        std::vector<uint8_t> cpuRgb(static_cast<size_t>(oh) * ow * 3);
        cpu->toRgb(host.view, oh, ow, cpuRgb.data());
        const Buffer gpuRgb = gpu.allocate<uint8_t>(int64_t{3} * oh * ow);
        gpu.kernels->toRgb(device.view, oh, ow, gpuRgb.as<uint8_t>());
        expectSameBits(cpuRgb, gpu.download<uint8_t>(gpuRgb), "RGB of " + what);
      }
      if (HasFatalFailure()) return;
    }
  }
}

// Cells that are random, flat, shifted copies, or at both ends of the range.
std::vector<uint8_t> cellPattern(const CellGrid& grid, int kind, bool second, std::mt19937& rng) {
  std::vector<uint8_t> out(static_cast<size_t>(grid.cells()));
  for (int32_t y = 0; y < grid.rows; y++) {
    for (int32_t x = 0; x < grid.cols; x++) {
      const int32_t yy = second ? y + 2 : y, xx = second ? x - 3 : x;
      const int32_t values[] = {static_cast<int32_t>(rng() & 255),
                                16,
                                yy * 37 + xx * 91 + yy * xx,
                                second ? 255 : 0,
                                rng() & 1 ? 8 : 12,
                                yy * 4 + xx * 4};
      out[static_cast<size_t>(y) * grid.cols + x] = static_cast<uint8_t>(values[kind]);
    }
  }
  return out;
}

TEST(GpuEquality, BlockMatchAndScores) {
  CPS_NEEDS_GPU();
  Gpu gpu;
  const auto cpu = cpuKernels();
  std::mt19937 rng(3);
  for (const auto& [h, w] : {std::pair{20, 20}, std::pair{61, 77}, std::pair{130, 135},
                             std::pair{270, 482}, std::pair{1080, 1920}}) {
    if (onlySmall() && h > 200) continue;
    for (int kind = 0; kind < 6; kind++) {
      const std::string what =
          std::to_string(w) + "x" + std::to_string(h) + " pattern " + std::to_string(kind);
      const CellGrid cells = makeCellGrid(h, w);
      const auto cur = cellPattern(cells, kind, true, rng);
      const auto prev = cellPattern(cells, kind, false, rng);
      std::vector<uint8_t> motion2(static_cast<size_t>(cells.blocks()));
      std::vector<uint8_t> residual(static_cast<size_t>(cells.cells()));
      cpu->blockMatch(cur.data(), prev.data(), cells, motion2.data(), residual.data());
      const SourceFrame gpuCur = gpu.upload(cur), gpuPrev = gpu.upload(prev);
      const Buffer gpuMotion2 = gpu.allocate<uint8_t>(cells.blocks());
      const Buffer gpuResidual = gpu.allocate<uint8_t>(cells.cells());
      gpu.kernels->blockMatch(Gpu::data<uint8_t>(gpuCur), Gpu::data<uint8_t>(gpuPrev), cells,
                              gpuMotion2.as<uint8_t>(), gpuResidual.as<uint8_t>());
      expectSameBits(motion2, gpu.download<uint8_t>(gpuMotion2), "motion of " + what);
      expectSameBits(residual, gpu.download<uint8_t>(gpuResidual), "residual of " + what);
      for (const double pct : {1.0, 50.0, 95.0, 100.0}) {
        for (const int patch : {14, 3}) {
          const PatchGrid grid = makePatchGrid(h, w, 70 * 70, 224 * 224, patch);
          std::vector<float> scores(static_cast<size_t>(grid.perFrame()));
          cpu->blockScores(motion2.data(), residual.data(), cells, grid, pct, scores.data());
          const Buffer gpuScores = gpu.allocate<float>(grid.perFrame());
          gpu.kernels->blockScores(gpuMotion2.as<uint8_t>(), gpuResidual.as<uint8_t>(), cells, grid,
                                   pct, gpuScores.as<float>());
          expectSameBits(scores, gpu.download<float>(gpuScores), "scores of " + what);
        }
      }
      if (HasFatalFailure()) return;
    }
  }
}

TEST(GpuEquality, ReferenceMatchAndScores) {
  CPS_NEEDS_GPU();
  Gpu gpu;
  const auto cpu = cpuKernels();
  std::mt19937 rng(4);
  for (const auto& [h, w] : {std::pair{9, 40}, std::pair{130, 135}, std::pair{270, 482}}) {
    for (int kind = 0; kind < 4; kind++) {
      const std::string what =
          std::to_string(w) + "x" + std::to_string(h) + " pattern " + std::to_string(kind);
      const ReferenceGrid cells = makeReferenceGrid(h, w);
      std::vector<float> cur(static_cast<size_t>(cells.cells())), prev(cur.size());
      for (size_t i = 0; i < cur.size(); i++) {
        cur[i] = kind == 0   ? static_cast<float>(rng() & 0xffff) / 257.0f
                 : kind == 1 ? 5.0f
                             : static_cast<float>(i % 251);
        prev[i] = kind == 0   ? static_cast<float>(rng() & 0xffff) / 257.0f
                  : kind == 1 ? 5.0f
                              : static_cast<float>((i * 7 + kind) % 251);
      }
      std::vector<float> motion(cur.size()), residual(cur.size());
      cpu->referenceMatch(cur.data(), prev.data(), cells, motion.data(), residual.data());
      const SourceFrame gpuCur = gpu.upload(cur), gpuPrev = gpu.upload(prev);
      const Buffer gpuMotion = gpu.allocate<float>(cells.cells());
      const Buffer gpuResidual = gpu.allocate<float>(cells.cells());
      gpu.kernels->referenceMatch(Gpu::data<float>(gpuCur), Gpu::data<float>(gpuPrev), cells,
                                  gpuMotion.as<float>(), gpuResidual.as<float>());
      expectSameBits(motion, gpu.download<float>(gpuMotion), "motion of " + what);
      expectSameBits(residual, gpu.download<float>(gpuResidual), "residual of " + what);
      for (const double pct : {1.0, 95.0, 100.0}) {
        for (const int patch : {14, 37}) {
          const PatchGrid grid = makePatchGrid(h, w, 100 * 100, 224 * 224, patch);
          std::vector<float> scores(static_cast<size_t>(grid.perFrame()));
          cpu->referenceScores(motion.data(), residual.data(), cells, grid, pct, scores.data());
          const Buffer gpuScores = gpu.allocate<float>(grid.perFrame());
          gpu.kernels->referenceScores(gpuMotion.as<float>(), gpuResidual.as<float>(), cells, grid,
                                       pct, gpuScores.as<float>());
          expectSameBits(scores, gpu.download<float>(gpuScores), "scores of " + what);
        }
      }
      if (HasFatalFailure()) return;
    }
  }
}

TEST(GpuEquality, Gather) {
  CPS_NEEDS_GPU();
  Gpu gpu;
  const auto cpu = cpuKernels();
  std::mt19937 rng(6);
  const PatchGrid grid = makePatchGrid(130, 174, 100 * 100, 224 * 224, 14);
  std::vector<naive::FrameSpec> specs = naive::frameSpecs(174, 130, 9);
  std::erase_if(specs, [](const auto& s) { return s.orientation.swapXY; });
  std::vector<std::unique_ptr<naive::TestFrame>> frames;
  std::vector<SourceFrame> uploaded;
  std::vector<FrameView> hostViews, deviceViews;
  for (const auto& spec : specs) {
    frames.push_back(std::make_unique<naive::TestFrame>(spec));
    uploaded.push_back(gpu.upload(frames.back()->view));
    hostViews.push_back(frames.back()->view);
    deviceViews.push_back(uploaded.back().view);
  }
  const auto count = static_cast<int32_t>(frames.size());
  std::vector<int32_t> indices;
  for (int32_t i = 0; i < count * grid.perFrame(); i++) {
    if (rng() % 7 == 0) indices.push_back(i);
  }
  for (const DType dtype : {DType::F32, DType::BF16, DType::F16, DType::U8}) {
    for (const Layout layout : {Layout::Nchw, Layout::Nhwc}) {
      for (const bool plain : {true, false}) {
        GatherSpec spec{grid, dtype, layout, {1, {0, 0, 0}, {1, 1, 1}}};
        if (!plain) {
          spec.normalize = {1 / 255.0f, {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}};
        }
        const size_t bytes = indices.size() * 3 * 14 * 14 * dtypeSize(dtype);
        std::vector<uint8_t> expected(bytes);
        cpu->gatherPatches(hostViews, indices, spec, expected.data());
        const Buffer out = gpu.allocate<uint8_t>(static_cast<int64_t>(bytes));
        gpu.kernels->gatherPatches(deviceViews, indices, spec, out.data());
        expectSameBits(expected, gpu.download<uint8_t>(out), dtypeName(dtype));
      }
    }
  }
}

TEST(GpuTransfer, ThereAndBackIsTheSamePicture) {
  CPS_NEEDS_GPU();
  Gpu gpu;
  for (const auto& spec : naive::frameSpecs(67, 45, 21)) {
    const naive::TestFrame host(spec);
    const SourceFrame back = gpu.backend.transfer(gpu.upload(host.view), Device::cpu());
    EXPECT_TRUE(back.device.isCpu());
    const FrameView& v = host.view;
    for (int i = 0; i < v.planes; i++) {
      const int cols = ((v.width - 1) >> (i ? v.log2ChromaW : 0)) + 1;
      const int rows = ((v.height - 1) >> (i ? v.log2ChromaH : 0)) + 1;
      const size_t sample = v.bitDepth > 8 ? 2 : 1;
      const PlaneView &a = v.plane[i], &b = back.view.plane[i];
      for (int y = 0; y < rows; y++) {
        for (int x = 0; x < cols; x++) {
          ASSERT_EQ(std::memcmp(a.data + y * a.stride + x * a.step,
                                b.data + y * b.stride + x * b.step, sample),
                    0)
              << naive::describe(spec) << " plane " << i << " y " << y << " x " << x;
        }
      }
    }
  }
}

TEST(GpuTransfer, DownloadPinnedReturnsTheBytes) {
  CPS_NEEDS_GPU();
  Gpu gpu;
  // More than one staging block.
  std::vector<uint8_t> values((size_t{17} << 20) + 5);
  std::mt19937 rng(8);
  for (auto& v : values) v = static_cast<uint8_t>(rng());
  const SourceFrame device = gpu.upload(values);
  // Through an operation, so that the bytes are in a buffer of the kernels.
  const Buffer buffer = gpu.allocate<uint8_t>(static_cast<int64_t>(values.size()));
  gpu.kernels->fillZero(buffer.data(), buffer.bytes());
  gpu.kernels->synchronize();
  const Buffer zeros = gpu.backend.downloadPinned(buffer);
  EXPECT_EQ(zeros.bytes(), values.size());
  EXPECT_TRUE(std::all_of(zeros.as<uint8_t>(), zeros.as<uint8_t>() + zeros.bytes(),
                          [](uint8_t v) { return v == 0; }));
  std::vector<uint8_t> back(values.size());
  gpu.kernels->download(back.data(), Gpu::data<uint8_t>(device), back.size());
  EXPECT_EQ(back, values);
}

}  // namespace
}  // namespace cps
