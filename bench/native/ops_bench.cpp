// Time of each operation on one thread, for every SIMD variant of this machine:
//   ops_bench [width height [repetitions]]
// Figures are medians of the thread's processor time in microseconds; "x scalar" is the speed-up
// over the scalar variant and "x swscale" that over FFmpeg's scaler (same matrix and range, its
// fastest flags).
extern "C" {
#include <libavutil/pixfmt.h>
#include <libswscale/swscale.h>
}

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "backend/cpu_kernels.h"
#include "naive/test_frame.h"

namespace {

// Processor time of this thread: what the operation costs, whoever else is using the machine.
double nowUs() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return double(t.tv_sec) * 1e6 + double(t.tv_nsec) * 1e-3;
}

struct Setup {
  int width = 1920, height = 1080, repetitions = 15;
};

// Median microseconds of one call.
double measure(const Setup& setup, const std::function<void()>& fn) {
  fn();
  std::vector<double> times;
  for (int i = 0; i < setup.repetitions; i++) {
    const double start = nowUs();
    fn();
    times.push_back(nowUs() - start);
  }
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return times[times.size() / 2];
}

using Operation = std::function<void(cps::Kernels&)>;

void report(const Setup& setup, const std::string& name, const Operation& operation,
            double swscale = 0) {
  const cps::OpsTables& tables = cps::opsTables();
  std::vector<double> times;
  for (int i = 0; i < tables.count; i++) {
    const auto kernels = cps::makeCpuKernels({}, *tables.table[i]);
    times.push_back(measure(setup, [&] { operation(*kernels); }));
  }
  std::printf("%-34s", name.c_str());
  for (int i = 0; i < tables.count; i++) {
    std::printf("  %s %9.1f us (%4.1fx scalar)", tables.table[i]->name, times[i],
                times.back() / times[i]);
  }
  if (swscale > 0) {
    std::printf("  swscale %9.1f us (%.2fx swscale)", swscale, swscale / times[0]);
  }
  std::printf("\n");
  std::fflush(stdout);
}

naive::FrameSpec spec(const Setup& setup, naive::PixelLayout layout, int depth, int cw, int ch) {
  naive::FrameSpec s;
  s.width = setup.width;
  s.height = setup.height;
  s.layout = layout;
  s.bitDepth = depth;
  s.log2ChromaW = cw;
  s.log2ChromaH = ch;
  s.color.matrix = cps::ColorMatrix::Bt709;
  s.padding = 64;
  return s;
}

double timeSwscale(const Setup& setup, AVPixelFormat format, const cps::FrameView& f,
                   uint8_t* out) {
  SwsContext* sws = sws_getContext(f.width, f.height, format, f.width, f.height, AV_PIX_FMT_RGB24,
                                   SWS_FAST_BILINEAR, nullptr, nullptr, nullptr);
  if (!sws) return 0;
  const int* table = sws_getCoefficients(SWS_CS_ITU709);
  sws_setColorspaceDetails(sws, table, 0, table, 1, 0, 1 << 16, 1 << 16);
  const uint8_t* planes[4] = {f.plane[0].data, f.plane[1].data,
                              f.plane[1].step == f.plane[0].step ? f.plane[2].data : nullptr};
  const int strides[4] = {int(f.plane[0].stride), int(f.plane[1].stride), int(f.plane[2].stride)};
  uint8_t* outs[4] = {out};
  const int outStrides[4] = {f.width * 3};
  const double t =
      measure(setup, [&] { sws_scale(sws, planes, strides, 0, f.height, outs, outStrides); });
  sws_freeContext(sws);
  return t;
}

void benchToRgb(const Setup& setup) {
  struct Case {
    const char* name;
    naive::PixelLayout layout;
    int depth, cw, ch;
    AVPixelFormat format;
    cps::Orientation orientation;
  };
  using L = naive::PixelLayout;
  std::vector<uint8_t> out(size_t(setup.width) * setup.height * 3 + 64);
  for (const Case& c : std::initializer_list<Case>{
           {"toRgb yuv420p", L::Planar, 8, 1, 1, AV_PIX_FMT_YUV420P, {}},
           {"toRgb nv12", L::SemiPlanar, 8, 1, 1, AV_PIX_FMT_NV12, {}},
           {"toRgb yuv422p", L::Planar, 8, 1, 0, AV_PIX_FMT_YUV422P, {}},
           {"toRgb yuv444p", L::Planar, 8, 0, 0, AV_PIX_FMT_YUV444P, {}},
           {"toRgb yuv420p10", L::Planar, 10, 1, 1, AV_PIX_FMT_YUV420P10LE, {}},
           {"toRgb p010", L::SemiPlanar, 10, 1, 1, AV_PIX_FMT_P010LE, {}},
           {"toRgb yuyv422", L::Yuyv, 8, 1, 0, AV_PIX_FMT_NONE, {}},
           {"toRgb gray", L::Gray, 8, 0, 0, AV_PIX_FMT_NONE, {}},
           {"toRgb yuv420p rotated 90", L::Planar, 8, 1, 1, AV_PIX_FMT_NONE, {true, false, true}},
           {"toRgb yuv420p rotated 180", L::Planar, 8, 1, 1, AV_PIX_FMT_NONE, {false, true, true}},
       }) {
    naive::FrameSpec s = spec(setup, c.layout, c.depth, c.cw, c.ch);
    s.orientation = c.orientation;
    const naive::TestFrame frame(s);
    const cps::FrameView& f = frame.view;
    report(
        setup, c.name,
        [&](cps::Kernels& k) { k.toRgb(f, f.displayHeight(), f.displayWidth(), out.data()); },
        c.format == AV_PIX_FMT_NONE ? 0 : timeSwscale(setup, c.format, f, out.data()));
  }
  const naive::TestFrame frame(spec(setup, L::Planar, 8, 1, 1));
  report(setup, "toRgb yuv420p to 640x360",
         [&](cps::Kernels& k) { k.toRgb(frame.view, 360, 640, out.data()); });
}

// Antialiased, to the sizes that models take and to ratios of the size.
void benchResample(const Setup& setup) {
  using cps::ResampleKernel;
  using L = naive::PixelLayout;
  struct Case {
    const char* name;
    int height, width;
    ResampleKernel kernel;
    int depth;
    cps::Orientation orientation;
  };
  const int h = setup.height, w = setup.width;
  for (const Case& c : std::initializer_list<Case>{
           {"resample 224x224 bicubic", 224, 224, ResampleKernel::Bicubic, 8, {}},
           {"resample 224x224 bilinear", 224, 224, ResampleKernel::Bilinear, 8, {}},
           {"resample 224x224 area", 224, 224, ResampleKernel::Area, 8, {}},
           {"resample 224x224 bicubic, 10 bit", 224, 224, ResampleKernel::Bicubic, 10, {}},
           {"resample 224x224 bicubic mirrored",
            224,
            224,
            ResampleKernel::Bicubic,
            8,
            {false, true, false}},
           {"resample 224x224 bicubic turned",
            224,
            224,
            ResampleKernel::Bicubic,
            8,
            {true, false, true}},
           {"resample 2/3 bicubic", h * 2 / 3, w * 2 / 3, ResampleKernel::Bicubic, 8, {}},
           {"resample x2 bicubic", h * 2, w * 2, ResampleKernel::Bicubic, 8, {}},
       }) {
    naive::FrameSpec s = spec(setup, L::Planar, c.depth, 1, 1);
    s.orientation = c.orientation;
    const naive::TestFrame frame(s);
    const cps::FrameView& f = frame.view;
    const auto plan = std::make_shared<const cps::ResamplePlan>(
        cps::makeResamplePlan(f, cps::ResampleAxis::whole(f.displayWidth(), c.width),
                              cps::ResampleAxis::whole(f.displayHeight(), c.height), c.kernel));
    std::vector<uint8_t> out(size_t(c.height) * c.width * 3);
    report(setup, c.name,
           [&](cps::Kernels& k) { k.resample(f, plan, out.data(), int64_t(c.width) * 3); });
  }
}

void benchBlockEnergy(const Setup& setup) {
  using L = naive::PixelLayout;
  const auto grid = cps::makeCellGrid(setup.height, setup.width);
  const auto patches = cps::makePatchGrid(setup.height, setup.width, 224 * 224, 224 * 224, 14);
  std::vector<uint8_t> cells(grid.cells()), prev(grid.cells()), motion2(grid.blocks()),
      residual(grid.cells());
  const naive::TestFrame planar(spec(setup, L::Planar, 8, 1, 1));
  const naive::TestFrame deep(spec(setup, L::Planar, 10, 1, 1));
  naive::FrameSpec turned = spec(setup, L::Planar, 8, 1, 1);
  turned.orientation = {true, false, true};
  const naive::TestFrame portrait(turned);
  const auto turnedGrid = cps::makeCellGrid(setup.width, setup.height);
  report(setup, "lumaCells 8 bit",
         [&](cps::Kernels& k) { k.lumaCells(planar.view, grid, cells.data()); });
  report(setup, "lumaCells 10 bit",
         [&](cps::Kernels& k) { k.lumaCells(deep.view, grid, cells.data()); });
  report(setup, "lumaCells 8 bit rotated 90",
         [&](cps::Kernels& k) { k.lumaCells(portrait.view, turnedGrid, cells.data()); });
  // Three kinds of content: every block searched to the end; a textured pan by (2, 3) cells with a
  // little noise; nothing moves.
  std::mt19937 rng(1);
  const auto match = [&](const char* name) {
    report(setup, name, [&](cps::Kernels& k) {
      k.blockMatch(cells.data(), prev.data(), grid, motion2.data(), residual.data());
    });
  };
  for (auto& v : cells) v = uint8_t(rng());
  for (auto& v : prev) v = uint8_t(rng());
  match("blockMatch random");
  const auto texture = [](int y, int x) { return 128 + ((x * 7 + y * 13 + x * y / 8) & 63); };
  for (int y = 0; y < grid.rows; y++) {
    for (int x = 0; x < grid.cols; x++) {
      cells[size_t(y) * grid.cols + x] = uint8_t(texture(y, x) + int(rng() & 3));
      prev[size_t(y) * grid.cols + x] = uint8_t(texture(y + 2, x + 3));
    }
  }
  match("blockMatch pan");
  report(setup, "blockScores",
         [&, scores = std::vector<float>(patches.perFrame())](cps::Kernels& k) mutable {
           k.blockScores(motion2.data(), residual.data(), grid, patches, 95, scores.data());
         });
  prev = cells;
  match("blockMatch static");
}

void benchGather(const Setup& setup) {
  using L = naive::PixelLayout;
  const auto grid = cps::makePatchGrid(setup.height, setup.width, 224 * 224, 224 * 224, 14);
  const int frames = 16;
  const size_t count = std::min<size_t>(2048, size_t(grid.perFrame()) * frames);
  std::vector<int32_t> indices(size_t(grid.perFrame()) * frames);
  for (size_t i = 0; i < indices.size(); i++) indices[i] = int32_t(i);
  std::shuffle(indices.begin(), indices.end(), std::mt19937(3));
  indices.resize(count);
  std::sort(indices.begin(), indices.end());
  std::vector<float> out(count * 3 * 14 * 14);
  struct Case {
    const char* name;
    L layout;
    int depth;
    cps::Orientation orientation;
    cps::DType dtype;
    cps::Layout order;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"gather yuv420p bf16", L::Planar, 8, {}, cps::DType::BF16, cps::Layout::Nchw},
           {"gather yuv420p fp16", L::Planar, 8, {}, cps::DType::F16, cps::Layout::Nchw},
           {"gather yuv420p fp32 nhwc", L::Planar, 8, {}, cps::DType::F32, cps::Layout::Nhwc},
           {"gather nv12 bf16", L::SemiPlanar, 8, {}, cps::DType::BF16, cps::Layout::Nchw},
           {"gather yuv420p10 bf16", L::Planar, 10, {}, cps::DType::BF16, cps::Layout::Nchw},
           {"gather rotated 90 bf16",
            L::Planar,
            8,
            {true, false, true},
            cps::DType::BF16,
            cps::Layout::Nchw},
       }) {
    std::vector<std::unique_ptr<naive::TestFrame>> pictures;
    std::vector<cps::FrameView> views;
    for (int t = 0; t < frames; t++) {
      naive::FrameSpec s = spec(setup, c.layout, c.depth, 1, 1);
      s.orientation = c.orientation;
      s.seed = uint32_t(t);
      if (c.orientation.swapXY) std::swap(s.width, s.height);
      pictures.push_back(std::make_unique<naive::TestFrame>(s));
      views.push_back(pictures.back()->view);
    }
    cps::GatherSpec gather{grid, c.dtype, c.order, {1, {0, 0, 0}, {1, 1, 1}}};
    report(setup, c.name,
           [&](cps::Kernels& k) { k.gatherPatches(views, indices, gather, out.data()); });
  }
  std::printf("(%zu patches of 14x14 from %d frames)\n", count, frames);
}

void benchReference(const Setup& setup) {
  const auto grid = cps::makeReferenceGrid(setup.height, setup.width);
  const auto patches = cps::makePatchGrid(setup.height, setup.width, 224 * 224, 224 * 224, 14);
  const naive::TestFrame frame(spec(setup, naive::PixelLayout::Planar, 8, 1, 1));
  std::vector<float> cur(grid.cells()), prev(grid.cells()), motion(grid.cells()),
      residual(grid.cells()), scores(patches.perFrame());
  report(setup, "referenceLuma",
         [&](cps::Kernels& k) { k.referenceLuma(frame.view, grid, cur.data()); });
  std::mt19937 rng(4);
  for (auto& v : prev) v = float(rng() & 255);
  report(setup, "referenceMatch", [&](cps::Kernels& k) {
    k.referenceMatch(cur.data(), prev.data(), grid, motion.data(), residual.data());
  });
  report(setup, "referenceScores", [&](cps::Kernels& k) {
    k.referenceScores(motion.data(), residual.data(), grid, patches, 95, scores.data());
  });
}

}  // namespace

int main(int argc, char** argv) {
  Setup setup;
  if (argc > 2) {
    setup.width = std::atoi(argv[1]);
    setup.height = std::atoi(argv[2]);
  }
  if (argc > 3) setup.repetitions = std::max(1, std::atoi(argv[3]));
  if (setup.width < 1 || setup.height < 1) {
    std::fprintf(stderr, "usage: %s [width height [repetitions]]\n", argv[0]);
    return 1;
  }
  std::printf("%dx%d, one thread, medians of %d\n", setup.width, setup.height, setup.repetitions);
  benchBlockEnergy(setup);
  benchGather(setup);
  benchToRgb(setup);
  benchResample(setup);
  benchReference(setup);
  return 0;
}
