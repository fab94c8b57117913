#include "naive/resample.h"

#include <cstring>
#include <random>

#include "ops/ops_common.h"
#include "ops/pixels/resample.h"

namespace {

using namespace ops_test;
using cps::ResampleAxis;

struct Filter {
  cps::ResampleKernel kernel;
  naive::ResampleKernel naive;
};
std::vector<Filter> filters() {
  return {{cps::ResampleKernel::Bilinear, naive::triangle()},
          {cps::ResampleKernel::Bicubic, naive::keys()},
          {cps::ResampleKernel::Lanczos, naive::lanczos3()},
          {cps::ResampleKernel::Area, naive::box()}};
}

#ifdef CPS_TEST_EMULATED_CUDA
constexpr bool kEmulated = true;
#else
constexpr bool kEmulated = false;
#endif

naive::Map<naive::Channels> channelsOf(const cps::FrameView& view) {
  const auto rgb = naive::rgb(view);
  naive::Map<naive::Channels> out(rgb.height, rgb.width);
  for (size_t i = 0; i < rgb.values.size(); i++) {
    for (int c = 0; c < 3; c++) out.values[i].c[c] = rgb.values[i].c[c];
  }
  return out;
}

// A resize of parts: of the picture, and of the result, perhaps mirrored.
struct Case {
  ResampleAxis x, y;
};

naive::Map<naive::Channels> expectedOf(const naive::Map<naive::Channels>& picture, const Case& c,
                                       const naive::ResampleKernel& kernel) {
  const auto source =
      naive::part(picture, c.y.sourceBegin, c.x.sourceBegin, c.y.sourceCount, c.x.sourceCount);
  const auto whole = naive::resampled(source, c.y.size, c.x.size, kernel);
  auto out = naive::part(whole, c.y.begin, c.x.begin, c.y.count, c.x.count);
  if (c.y.reversed) out = naive::flippedRows(out);
  if (c.x.reversed) out = naive::flippedColumns(out);
  return out;
}

void expectEqual(const naive::Map<naive::Channels>& expected, const std::vector<uint8_t>& got,
                 int64_t stride, const std::string& what) {
  for (int y = 0; y < expected.height; y++) {
    for (int x = 0; x < expected.width; x++) {
      for (int c = 0; c < 3; c++) {
        const auto at = static_cast<size_t>(y * stride + x * 3 + c);
        ASSERT_EQ(expected.at(y, x).c[c], got[at]) << what << " y " << y << " x " << x;
      }
    }
  }
}

ResampleAxis randomAxis(std::mt19937& rng, int length, int largest) {
  ResampleAxis a = ResampleAxis::whole(length, 1 + static_cast<int>(rng() % largest));
  if (rng() % 3 == 0) {
    a.sourceBegin = static_cast<int>(rng() % length);
    a.sourceCount = 1 + static_cast<int>(rng() % (length - a.sourceBegin));
  }
  if (rng() % 8 == 0) a.size = a.sourceCount;
  a.count = a.size;
  if (rng() % 3 == 0) {
    a.begin = static_cast<int>(rng() % a.size);
    a.count = 1 + static_cast<int>(rng() % (a.size - a.begin));
  }
  a.reversed = rng() % 4 == 0;
  return a;
}

TEST(OpsResample, EveryFrameKindAgainstNaive) {
  const auto variants = allKernels();
  std::mt19937 rng(11);
  uint32_t seed = 700;
  for (const auto& [h, w] :
       {std::pair{48, 64}, std::pair{37, 131}, std::pair{1, 90}, std::pair{75, 1}}) {
    for (const auto& spec : naive::frameSpecs(w, h, seed++)) {
      if (kEmulated && rng() % 4 != 0) continue;  // one thread at a time takes long
      const naive::TestFrame frame(spec);
      const auto picture = channelsOf(frame.view);
      for (const auto& [kernel, naiveKernel] : filters()) {
        const Case c{randomAxis(rng, picture.width, 100), randomAxis(rng, picture.height, 70)};
        const auto plan = std::make_shared<const cps::ResamplePlan>(
            cps::makeResamplePlan(frame.view, c.x, c.y, kernel));
        const auto expected = expectedOf(picture, c, naiveKernel);
        const int64_t stride = c.x.count * 3 + static_cast<int64_t>(rng() % 2) * 7;
        for (const auto& v : variants) {
          std::vector<uint8_t> out(static_cast<size_t>(c.y.count * stride));
          v.kernels->resample(frame.view, plan, out.data(), stride);
          expectEqual(expected, out, stride, v.name + " " + describe(spec));
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

// Strong shrinking and enlarging, noise, edges and flat areas: the fixed-point sums at their worst.
TEST(OpsResample, ExtremeRatiosAgainstNaive) {
  const auto variants = allKernels();
  std::mt19937 rng(12);
  for (const naive::Fill fill :
       {naive::Fill::Random, naive::Fill::TwoValues, naive::Fill::Max, naive::Fill::Zero}) {
    for (const auto& [from, to] : {std::pair{500, 10}, std::pair{7, 301}, std::pair{257, 256},
                                   std::pair{256, 257}, std::pair{64, 1}, std::pair{1, 33}}) {
      naive::FrameSpec spec;
      spec.layout = naive::PixelLayout::PackedRgb;
      spec.width = from;
      spec.height = 23;
      spec.fill = fill;
      spec.seed = static_cast<uint32_t>(from + to);
      for (const bool turned : {false, true}) {
        spec.orientation.swapXY = turned;
        const naive::TestFrame frame(spec);
        const auto picture = channelsOf(frame.view);
        for (const auto& [kernel, naiveKernel] : filters()) {
          const Case c{ResampleAxis::whole(picture.width, turned ? 11 : to),
                       ResampleAxis::whole(picture.height, turned ? to : 11)};
          const auto plan = std::make_shared<const cps::ResamplePlan>(
              cps::makeResamplePlan(frame.view, c.x, c.y, kernel));
          const auto expected = expectedOf(picture, c, naiveKernel);
          for (const auto& v : variants) {
            std::vector<uint8_t> out(static_cast<size_t>(c.y.count) * c.x.count * 3);
            v.kernels->resample(frame.view, plan, out.data(), c.x.count * 3);
            expectEqual(expected, out, c.x.count * 3, v.name);
            if (HasFatalFailure()) return;
          }
        }
      }
    }
  }
}

// Only the part that a crop needs is read.
TEST(OpsResample, APartNeedsOnlyItsOwnRows) {
  ResampleAxis axis = ResampleAxis::whole(1000, 100);
  axis.begin = 40;
  axis.count = 10;
  const cps::ResampleTaps taps = cps::makeResampleTaps(axis, cps::ResampleKernel::Bicubic, false);
  EXPECT_GE(taps.sourceBegin, 380);
  EXPECT_LE(taps.sourceEnd, 520);
}

}  // namespace
