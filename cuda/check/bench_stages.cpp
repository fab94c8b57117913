#include <algorithm>
#include <cstdio>
#include <vector>

#include "cuda/check/checks.h"
#include "cuda/cuda_kernels.h"
#include "cuda/transfer.h"

namespace cps {
namespace {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Milliseconds of one repetition of `work`, waited for; median of 30 after 5 to warm up.
template <typename Work>
double timed(Kernels& kernels, const Work& work) {
  std::vector<double> ms;
  for (int i = 0; i < 35; i++) {
    kernels.synchronize();
    const auto start = Clock::now();
    work();
    kernels.synchronize();
    if (i >= 5) ms.push_back(secondsSince(start) * 1e3);
  }
  return median(ms);
}

// What models ask for of `views`: small pictures, their values in a layout, their places in a
// tensor of patches; and energy 'adjacent', down to single pixels.
void benchModels(Json& json, Kernels& kernels, const std::vector<FrameView>& views) {
  const FrameView& view = views.front();
  const int32_t side = std::min(224, view.height / 14 * 14), patches = side / 14;
  const auto memory = kernels.memory();
  const size_t one = size_t{3} * static_cast<size_t>(side) * static_cast<size_t>(side);
  const Buffer pictures = Buffer::allocate(memory, one * views.size());
  const Buffer tensor = Buffer::allocate(memory, one * views.size() * sizeof(float));
  const auto plan = std::make_shared<const ResamplePlan>(
      makeResamplePlan(view, ResampleAxis::whole(view.displayHeight(), side),
                       ResampleAxis::whole(view.displayWidth(), side), ResampleKernel::Bicubic));
  const auto table = std::make_shared<const ValueTable>(
      makeValueTable({1 / 255.0, {0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}}, DType::F32));
  const auto each = [&](const auto& fn) {
    return [&] {
      for (size_t t = 0; t < views.size(); t++) fn(t);
    };
  };
  const auto picture = [&](size_t t) { return pictures.as<uint8_t>() + one * t; };
  json.number("resampleMs", timed(kernels, each([&](size_t t) {
                                    kernels.resample(views[t], plan, picture(t), int64_t{side} * 3);
                                  })));
  json.number("lookUpMs", timed(kernels, each([&](size_t t) {
                                  const PixelStrides planar{int64_t{side} * side, side, 1};
                                  kernels.lookUp(picture(t), int64_t{side} * 3, side, side, table,
                                                 planar, tensor.as<float>() + one * t);
                                })));
  ArrangePart part;
  part.source = pictures.as<uint8_t>();
  part.sourceBytes = pictures.bytes();
  part.unitBytes = static_cast<int64_t>(one);
  for (size_t t = 0; t < views.size(); t++) part.units.push_back(static_cast<int32_t>(t));
  // (t h w) (c y x)
  const int64_t patch = 3 * 14 * 14, row = int64_t{side} * 3;
  part.axes = {{std::ssize(views), static_cast<int64_t>(one), 1, 0, false},
               {patches, patches * patch, 0, 14 * row, false},
               {patches, patch, 0, 14 * 3, false},
               {3, 14 * 14, 0, 1, true},
               {14, 14, 0, row, false},
               {14, 1, 0, 3, false}};
  checkArrange(part, static_cast<int64_t>(one) * std::ssize(views));
  json.number("arrangeMs", timed(kernels, [&] { kernels.arrange(part, *table, tensor.data()); }));
  const PyramidGrid pyramid = makePyramidGrid(view.height, view.width);
  std::vector<Buffer> levels;
  std::vector<const uint8_t*> cur, prev;
  for (int32_t l = 0; l < pyramid.levels; l++) {
    const auto cells = static_cast<size_t>(pyramid.level[l].cells());
    for (auto* at : {&cur, &prev}) {
      levels.push_back(Buffer::allocate(memory, cells));
      at->push_back(levels.back().as<uint8_t>());
      kernels.fillZero(levels.back().data(), cells);
    }
  }
  const auto blocks = static_cast<size_t>(pyramid.last().blocks());
  const Buffer moves = Buffer::allocate(memory, blocks * sizeof(Move));
  const Buffer residual = Buffer::allocate(memory, static_cast<size_t>(pyramid.last().cells()));
  json.number("adjacentMs", timed(kernels, each([&](size_t t) {
                                    for (int32_t l = 0; l < pyramid.levels; l++) {
                                      kernels.lumaCells(
                                          views[t], pyramid.level[l],
                                          levels[static_cast<size_t>(2 * l)].as<uint8_t>());
                                    }
                                    kernels.pyramidMatch(cur.data(), prev.data(), pyramid,
                                                         moves.as<Move>(), residual.as<uint8_t>());
                                  })));
}

}  // namespace

void benchStages(Json& json, GpuRegistry& registry, int32_t width, int32_t height, int32_t frames) {
  const auto gpu = registry.device(0);
  const auto kernels = makeCudaKernels(gpu, nullptr);
  const auto memory = kernels->memory();
  std::vector<uint8_t> picture(static_cast<size_t>(width) * height * 3 / 2);
  uint32_t state = 1;
  for (auto& v : picture) v = static_cast<uint8_t>((state = state * 1664525u + 1013904223u) >> 24);
  SourceFrame host;
  host.view.width = width;
  host.view.height = height;
  host.view.log2ChromaW = host.view.log2ChromaH = 1;
  host.view.plane[0] = {picture.data(), width, 1, 0};
  const uint8_t* chroma = picture.data() + static_cast<size_t>(width) * height;
  host.view.plane[1] = {chroma, width, 2, 0};
  host.view.plane[2] = {chroma + 1, width, 2, 0};
  std::vector<SourceFrame> uploaded;
  std::vector<FrameView> views;
  for (int32_t t = 0; t < frames; t++) {
    uploaded.push_back(uploadFrame(host, gpu));
    views.push_back(uploaded.back().view);
  }
  const CellGrid cells = makeCellGrid(height, width);
  const PatchGrid grid = makePatchGrid(height, width, 224 * 224, 224 * 224, 14);
  const auto n = static_cast<size_t>(cells.cells());
  const auto perFrame = static_cast<size_t>(grid.perFrame());
  const auto all = static_cast<size_t>(frames);
  const Buffer cell = Buffer::allocate(memory, n * all), residual = Buffer::allocate(memory, n);
  const Buffer motion2 = Buffer::allocate(memory, static_cast<size_t>(cells.blocks()));
  const Buffer scores = Buffer::allocate(memory, perFrame * all * sizeof(float));
  const auto k = std::min<int64_t>(2048, static_cast<int64_t>(perFrame * all));
  // Spread over all frames; which ones does not matter for the time.
  std::vector<int32_t> indices(static_cast<size_t>(k));
  for (size_t i = 0; i < indices.size(); i++) {
    indices[i] = static_cast<int32_t>(i * perFrame * all / indices.size());
  }
  std::vector<float> scoresOnHost(perFrame * all);
  const Buffer patches = Buffer::allocate(memory, static_cast<size_t>(k) * 3 * 14 * 14 * 2);
  const auto cellsOf = [&](int32_t t) { return cell.as<uint8_t>() + n * static_cast<size_t>(t); };
  const auto luma = [&] {
    for (int32_t t = 0; t < frames; t++) {
      kernels->lumaCells(views[static_cast<size_t>(t)], cells, cellsOf(t));
    }
  };
  const auto match = [&](int32_t t) {
    kernels->blockMatch(cellsOf(t), cellsOf(std::max(0, t - 1)), cells, motion2.as<uint8_t>(),
                        residual.as<uint8_t>());
  };
  const auto score = [&](int32_t t) {
    kernels->blockScores(motion2.as<uint8_t>(), residual.as<uint8_t>(), cells, grid, 95,
                         scores.as<float>() + perFrame * static_cast<size_t>(t));
  };
  const auto each = [&](const auto& fn) {
    return [&] {
      for (int32_t t = 0; t < frames; t++) fn(t);
    };
  };
  // The selection itself is host code; what it costs here is to have the scores there.
  const auto scoresToHost = [&] {
    kernels->download(scoresOnHost.data(), scores.data(), scores.bytes());
  };
  const auto gather = [&] {
    kernels->gatherPatches(views, indices,
                           {grid, DType::BF16, Layout::Nchw, {1, {0, 0, 0}, {1, 1, 1}}},
                           patches.data());
  };
  const auto everything = [&] {
    luma();
    for (int32_t t = 0; t < frames; t++) {
      match(t);
      score(t);
    }
    scoresToHost();
    gather();
  };
  json.open("", '{');
  json.number("width", width);
  json.number("height", height);
  json.number("frames", frames);
  everything();
  kernels->synchronize();
  auto& traffic = gpu->context->traffic();
  const int64_t to = traffic.toDevice, from = traffic.fromDevice;
  everything();
  kernels->synchronize();
  json.number("bytesToDevice", static_cast<double>(traffic.toDevice - to));
  json.number("bytesFromDevice", static_cast<double>(traffic.fromDevice - from));
  json.number("cellsMs", timed(*kernels, luma));
  json.number("matchMs", timed(*kernels, each(match)));
  json.number("scoresMs", timed(*kernels, each(score)));
  json.number("downloadMs", timed(*kernels, scoresToHost));
  json.number("gatherMs", timed(*kernels, gather));
  // Cells, matching and scores run while decoding goes on; this is what is left after it.
  const double after = timed(*kernels, [&] {
    match(frames - 1);
    score(frames - 1);
    scoresToHost();
    gather();
  });
  json.number("afterDecodeMs", after);
  json.number("allMs", timed(*kernels, everything));
  benchModels(json, *kernels, views);
  json.close('}');
  std::fprintf(stderr, "  %dx%d, %d frames: %.3f ms after the last decoded frame\n", width, height,
               frames, after);
}

}  // namespace cps
