// CPU and GPU give the same bits, as in equality_test.cpp: energies on cell maps, and what pictures
// for models are made with.

#include <algorithm>
#include <random>

#include "cuda/ops/equality.h"
#include "naive/test_frame.h"
#include "ops/energy/cell_counts.h"

namespace cps {
namespace {

std::vector<uint8_t> noise(size_t n, std::mt19937& rng) {
  std::vector<uint8_t> out(n);
  for (auto& v : out) v = static_cast<uint8_t>(rng());
  return out;
}

TEST(GpuEquality, CellMaps) {
  CPS_NEEDS_GPU();
  Gpu gpu;
  const auto cpu = cpuKernels();
  std::mt19937 rng(5);
  for (const auto& [h, w] : {std::pair{20, 33}, std::pair{130, 135}, std::pair{270, 482}}) {
    const std::string what = std::to_string(w) + "x" + std::to_string(h);
    const PyramidGrid grid = makePyramidGrid(h, w);
    std::vector<std::vector<uint8_t>> cur, prev;
    std::vector<SourceFrame> onGpu;
    std::vector<const uint8_t*> curAt, prevAt, gpuCur, gpuPrev;
    for (int l = 0; l < grid.levels; l++) {
      const CellGrid& level = grid.level[l];
      cur.push_back(noise(static_cast<size_t>(level.cells()), rng));
      prev.push_back(cur.back());
      // Moved by some cells, with a little noise.
      std::rotate(prev.back().begin(), prev.back().begin() + std::min<int>(3 + l, level.cols),
                  prev.back().end());
      for (size_t i = 0; i < prev.back().size(); i += 7) prev.back()[i] ^= 5;
    }
    for (int l = 0; l < grid.levels; l++) {
      const auto at = static_cast<size_t>(l);
      curAt.push_back(cur[at].data());
      prevAt.push_back(prev[at].data());
      onGpu.push_back(gpu.upload(cur[at]));
      gpuCur.push_back(Gpu::data<uint8_t>(onGpu.back()));
      onGpu.push_back(gpu.upload(prev[at]));
      gpuPrev.push_back(Gpu::data<uint8_t>(onGpu.back()));
    }
    const CellGrid& last = grid.last();
    std::vector<Move> moves(static_cast<size_t>(last.blocks()));
    std::vector<uint8_t> residual(static_cast<size_t>(last.cells()));
    cpu->pyramidMatch(curAt.data(), prevAt.data(), grid, moves.data(), residual.data());
    const Buffer gpuMoves = gpu.allocate<Move>(last.blocks());
    const Buffer gpuResidual = gpu.allocate<uint8_t>(last.cells());
    gpu.kernels->pyramidMatch(gpuCur.data(), gpuPrev.data(), grid, gpuMoves.as<Move>(),
                              gpuResidual.as<uint8_t>());
    const auto bytes = [](const std::vector<Move>& m) {
      const auto* p = reinterpret_cast<const uint8_t*>(m.data());
      return std::vector<uint8_t>(p, p + m.size() * sizeof(Move));
    };
    expectSameBits(bytes(moves), gpu.download<uint8_t>(gpuMoves), "moves of " + what);
    expectSameBits(residual, gpu.download<uint8_t>(gpuResidual), "residual of " + what);

    CellMaps maps{last, grid.levels + 1, moves.data(), residual.data(), 1};
    CellMaps gpuMaps = maps;
    gpuMaps.moves = gpuMoves.as<Move>();
    gpuMaps.residual = gpuResidual.data();
    for (const int step : {0, 1, 2}) {
      if (step == 1) {  // blocks without a displacement
        for (size_t b = 0; b < moves.size(); b += 3) moves[b] = kNoMove;
      }
      if (step == 2) std::fill(moves.begin(), moves.end(), kNoMove);
      const SourceFrame given = gpu.upload(bytes(moves));
      const Buffer still = gpu.allocate<Move>(last.blocks());
      gpu.kernels->synchronize();
      const auto copy = gpu.backend.stack(
          0, {{Gpu::data<uint8_t>(given), still.bytes(), 0, still.memory()}}, still.bytes());
      gpuMaps.moves = copy.as<Move>();
      std::vector<Move> expected = moves;
      maps.moves = moves.data();
      cpu->subtractGlobalMotion(maps, expected.data());
      gpu.kernels->subtractGlobalMotion(gpuMaps, copy.as<Move>());
      expectSameBits(bytes(expected), gpu.download<uint8_t>(copy),
                     "moves without the frame's own, " + what + ", " + std::to_string(step));
      maps.moves = expected.data();
      CellCounts counts, gpuCounts;
      cpu->countCells(maps, counts);
      gpu.kernels->countCells(gpuMaps, gpuCounts);
      EXPECT_EQ(counts.residual, gpuCounts.residual) << what;
      EXPECT_EQ(counts.motion2, gpuCounts.motion2) << what;
      for (const double pct : {1.0, 95.0, 100.0}) {
        const PatchGrid patches = makePatchGrid(h, w, 70 * 70, 224 * 224, 14);
        std::vector<float> scores(static_cast<size_t>(patches.perFrame()));
        const Buffer gpuScores = gpu.allocate<float>(patches.perFrame());
        cpu->cellScores(maps, patches, pct, scores.data());
        gpu.kernels->cellScores(gpuMaps, patches, pct, gpuScores.as<float>());
        expectSameBits(scores, gpu.download<float>(gpuScores), "scores of " + what);
        cpu->cellScores(maps, patches, percentilesOf(counts, pct), scores.data());
        gpu.kernels->cellScores(gpuMaps, patches, percentilesOf(counts, pct),
                                gpuScores.as<float>());
        expectSameBits(scores, gpu.download<float>(gpuScores), "scores by given percentiles");
      }
    }
    for (const int32_t residualBytes : {1, 2}) {
      std::vector<uint8_t> texture(static_cast<size_t>(last.cells() * residualBytes));
      const Buffer gpuTexture = gpu.allocate<uint8_t>(last.cells() * residualBytes);
      cpu->cellTexture(cur.back().data(), last, residualBytes, texture.data());
      gpu.kernels->cellTexture(gpuCur.back(), last, residualBytes, gpuTexture.data());
      expectSameBits(texture, gpu.download<uint8_t>(gpuTexture), "texture of " + what);
    }
    std::vector<uint16_t> sums(static_cast<size_t>(last.cells()));
    const Buffer gpuSums = gpu.allocate<uint16_t>(last.cells());
    gpu.kernels->fillZero(gpuSums.data(), gpuSums.bytes());
    for (int i = 0; i < 3; i++) {
      cpu->addDifferences(cur.back().data(), prev.back().data(), last.cells(), sums.data());
      gpu.kernels->addDifferences(gpuCur.back(), gpuPrev.back(), last.cells(),
                                  gpuSums.as<uint16_t>());
    }
    expectSameBits(sums, gpu.download<uint16_t>(gpuSums), "sums of " + what);
    if (HasFatalFailure()) return;
  }
}

TEST(GpuEquality, PicturesForModels) {
  CPS_NEEDS_GPU();
  Gpu gpu;
  const auto cpu = cpuKernels();
  std::mt19937 rng(6);
  uint32_t seed = 40;
  for (const auto& [h, w] : {std::pair{37, 131}, std::pair{130, 94}}) {
    for (const auto& spec : naive::frameSpecs(w, h, seed++)) {
      const naive::TestFrame host(spec);
      const SourceFrame device = gpu.upload(host.view);
      const int32_t dh = host.view.displayHeight(), dw = host.view.displayWidth();
      for (const auto filter : {ResampleKernel::Bilinear, ResampleKernel::Bicubic,
                                ResampleKernel::Lanczos, ResampleKernel::Area}) {
        ResampleAxis y = ResampleAxis::whole(dh, 48), x = ResampleAxis::whole(dw, 56);
        x.reversed = rng() % 2 == 0;  // mirrored
        y.sourceBegin = dh / 5;       // cropped
        y.sourceCount = dh / 2;
        y.begin = 3;
        y.count = 40;
        const auto plan =
            std::make_shared<const ResamplePlan>(makeResamplePlan(host.view, x, y, filter));
        const int64_t stride = x.count * 3;
        std::vector<uint8_t> rgb(static_cast<size_t>(y.count * stride));
        cpu->resample(host.view, plan, rgb.data(), stride);
        const Buffer gpuRgb = gpu.allocate<uint8_t>(y.count * stride);
        gpu.kernels->resample(device.view, plan, gpuRgb.as<uint8_t>(), stride);
        expectSameBits(rgb, gpu.download<uint8_t>(gpuRgb), "resampled " + naive::describe(spec));
        if (HasFatalFailure()) return;
      }
    }
  }
  const PatchGrid grid = makePatchGrid(56, 84, 56 * 84, 56 * 84, 14);
  const auto picture = noise(
      static_cast<size_t>(grid.targetHeight) * static_cast<size_t>(grid.targetWidth) * 3, rng);
  const SourceFrame uploaded = gpu.upload(picture);
  std::vector<int32_t> indices;
  for (int32_t i = 0; i < grid.perFrame(); i++) {
    if (rng() % 3 != 0) indices.push_back(i);
  }
  for (const DType dtype : {DType::F32, DType::BF16, DType::F16, DType::U8}) {
    Normalize normalize{1, {0, 0, 0}, {1, 1, 1}};
    if (dtype != DType::U8) normalize = {1 / 255.0f, {0.48f, 0.45f, 0.4f}, {0.27f, 0.26f, 0.28f}};
    const auto table = std::make_shared<const ValueTable>(makeValueTable(normalize, dtype));
    const size_t size = dtypeSize(dtype);
    for (const Layout layout : {Layout::Nchw, Layout::Nhwc}) {
      std::vector<uint8_t> patches(indices.size() * 3 * 14 * 14 * size);
      const uint8_t* at = picture.data();
      const uint8_t* gpuAt = Gpu::data<uint8_t>(uploaded);
      cpu->cutPatches({&at, 1}, indices, {grid, dtype, layout, normalize}, *table, patches.data());
      const Buffer out = gpu.allocate<uint8_t>(static_cast<int64_t>(patches.size()));
      gpu.kernels->cutPatches({&gpuAt, 1}, indices, {grid, dtype, layout, normalize}, *table,
                              out.data());
      expectSameBits(patches, gpu.download<uint8_t>(out),
                     "patches as " + std::string(dtypeName(dtype)));
    }
    const int32_t h = grid.targetHeight, w = grid.targetWidth;
    for (const PixelStrides& s : {PixelStrides{1, 3 * w, 3}, PixelStrides{int64_t{h} * w, w, 1}}) {
      std::vector<uint8_t> tensor(static_cast<size_t>(h) * static_cast<size_t>(w) * 3 * size);
      cpu->lookUp(picture.data(), w * 3, h, w, table, s, tensor.data());
      const Buffer out = gpu.allocate<uint8_t>(static_cast<int64_t>(tensor.size()));
      gpu.kernels->lookUp(Gpu::data<uint8_t>(uploaded), w * 3, h, w, table, s, out.data());
      expectSameBits(tensor, gpu.download<uint8_t>(out),
                     "frame as " + std::string(dtypeName(dtype)));
    }
  }
}

// Loops over frames, rows, columns and channels in any order, with units that repeat and that are
// left out, into tensors with gaps (Note [Arranging pixels]).
TEST(GpuEquality, InputsOfModels) {
  CPS_NEEDS_GPU();
  Gpu gpu;
  const auto cpu = cpuKernels();
  std::mt19937 rng(8);
  const auto upTo = [&](int most) {
    return static_cast<int64_t>(std::uniform_int_distribution<int>(1, most)(rng));
  };
  for (int turn = 0; turn < 60; turn++) {
    const int64_t units = upTo(4), rows = upTo(20), columns = upTo(30), wanted = upTo(6);
    const auto source = noise(static_cast<size_t>(units * rows * columns * 3), rng);
    ArrangePart part;
    part.source = source.data();
    part.sourceBytes = source.size();
    part.unitBytes = rows * columns * 3;
    for (int64_t i = 0; i < wanted; i++) {
      part.units.push_back(static_cast<int32_t>(upTo(static_cast<int>(units) + 1)) - 2);
    }
    part.axes = {{wanted, 0, 1, 0, false},
                 {rows, 0, 0, columns * 3, false},
                 {columns, 0, 0, 3, false},
                 {3, 0, 0, 1, true}};
    std::shuffle(part.axes.begin(), part.axes.end(), rng);
    int64_t elements = 1;
    for (size_t i = part.axes.size(); i-- > 0;) {
      part.axes[i].out = elements;
      elements *= part.axes[i].size + (upTo(3) - 1);
    }
    part.offset = upTo(7) - 1;
    elements += part.offset;
    checkArrange(part, elements);
    for (const DType dtype : {DType::F32, DType::F16, DType::BF16, DType::U8}) {
      Normalize normalize{1, {0, 0, 0}, {1, 1, 1}};
      if (dtype != DType::U8) normalize = {1 / 255.0f, {0.48f, 0.45f, 0.4f}, {0.27f, 0.26f, 0.28f}};
      const ValueTable table = makeValueTable(normalize, dtype);
      const int64_t bytes = elements * static_cast<int64_t>(dtypeSize(dtype));
      std::vector<uint8_t> tensor(static_cast<size_t>(bytes));
      cpu->arrange(part, table, tensor.data());
      const SourceFrame uploaded = gpu.upload(source);
      ArrangePart onGpu = part;
      onGpu.source = Gpu::data<uint8_t>(uploaded);
      const Buffer out = gpu.allocate<uint8_t>(bytes);
      gpu.kernels->fillZero(out.data(), out.bytes());
      gpu.kernels->arrange(onGpu, table, out.data());
      expectSameBits(tensor, gpu.download<uint8_t>(out),
                     "input as " + std::string(dtypeName(dtype)));
      if (HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace cps
