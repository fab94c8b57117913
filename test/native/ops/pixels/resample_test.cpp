#include "naive/resample.h"

#include <algorithm>
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

#ifndef CPS_TEST_EMULATED_CUDA
// Rows in lanes: each variant's operation alone, with weights that no kernel has.
class Block {
 public:
  Block(std::mt19937& rng, int width, int count, int mostTaps, bool backwards, int greatest)
      : width_(width) {
    taps_.count = count;
    taps_.bits = 8 + static_cast<int>(rng() % 15);
    std::vector<int> first;
    for (int i = 0; i < count; i++) first.push_back(static_cast<int>(rng() % width));
    std::sort(first.begin(), first.end());
    if (backwards) std::reverse(first.begin(), first.end());
    taps_.stride = (mostTaps + 7) / 8 * 8;
    taps_.weights.assign(static_cast<size_t>(count * taps_.stride), 0);
    for (int i = 0; i < count; i++) {
      const int at = first[static_cast<size_t>(i)];
      const int used = std::min(width - at, 1 + static_cast<int>(rng() % mostTaps));
      taps_.first.push_back(at);
      taps_.used.push_back(used);
      for (int j = 0; j < used; j++) {
        const int span = greatest + 32769;
        const int w = rng() % 8 == 0 ? greatest : static_cast<int>(rng() % span) - 32768;
        taps_.weights[static_cast<size_t>(i * taps_.stride + j)] = static_cast<int16_t>(w);
      }
    }
    taps_.quads = cps::makeResampleQuads(taps_);
    planes_.resize(static_cast<size_t>(stride()) * 3 * cps::kResampleRows + 64);
    for (uint8_t& v : planes_) v = static_cast<uint8_t>(rng() % 4 == 0 ? 255 : rng());
  }

  const cps::ResampleTaps& taps() const { return taps_; }
  int64_t outStride() const { return taps_.count * 3 + 16; }

  // What the operation writes, between bytes of 0xa5.
  std::vector<uint8_t> run(const cps::OpsTable& ops, int rows, int window) const {
    window = std::max(window, taps_.quads.span + cps::kResampleFill);
    std::vector<uint8_t> scratch(
        static_cast<size_t>(window + taps_.quads.perSample) * cps::kResampleQuadBytes + 64, 0x5a);
    std::vector<uint8_t> out(static_cast<size_t>(outStride() * cps::kResampleRows), 0xa5);
    const bool bytes = !taps_.quads.bytes.empty();
    ops.resampleBlock({aligned(planes_.data()), stride(), rows, width_, taps_.count, taps_.bits,
                       taps_.stride, taps_.first.data(), taps_.used.data(), taps_.weights.data(),
                       taps_.quads.perSample, taps_.quads.words.data(),
                       bytes ? taps_.quads.bytes.data() : nullptr, aligned(scratch.data()), window,
                       out.data(), outStride()});
    return out;
  }

  int expected(int y, int i, int c) const {
    const uint8_t* row = aligned(planes_.data()) + (3 * y + c) * stride();
    int64_t sum = int64_t{1} << (taps_.bits - 1);
    for (int j = 0; j < taps_.used[static_cast<size_t>(i)]; j++) {
      sum += int64_t{taps_.weights[static_cast<size_t>(i * taps_.stride + j)]} *
             row[taps_.first[static_cast<size_t>(i)] + j];
    }
    return static_cast<int>(std::clamp<int64_t>(sum >> taps_.bits, 0, 255));
  }

 private:
  int64_t stride() const { return (width_ + 63) / 64 * 64; }
  template <typename T>
  static T* aligned(T* p) {
    return p + (64 - reinterpret_cast<uintptr_t>(p) % 64) % 64;
  }

  int width_;
  cps::ResampleTaps taps_;
  std::vector<uint8_t> planes_;
};

TEST(OpsResample, BlocksOfRowsAgainstTheirSums) {
  std::mt19937 rng(13);
  int withBytes = 0, without = 0;
  for (int round = 0; round < 200; round++) {
    const int width = 1 + static_cast<int>(rng() % (round % 4 == 0 ? 2000 : 90));
    const int count = 1 + static_cast<int>(rng() % (round % 5 == 0 ? 600 : 40));
    // 32639 is the greatest weight that two signed bytes make; of 200 any, sums fit 32 bits.
    const int greatest = round % 3 == 0 ? 32767 : round % 3 == 1 ? 32640 : 32639;
    const Block block(rng, width, count, 1 + static_cast<int>(rng() % 200), rng() % 2 == 0,
                      greatest);
    const auto& weights = block.taps().weights;
    const bool fits = *std::max_element(weights.begin(), weights.end()) < 32640;
    ASSERT_EQ(fits, !block.taps().quads.bytes.empty());
    fits ? withBytes++ : without++;
    const int rows = round % 2 == 0 ? cps::kResampleRows : 1 + static_cast<int>(rng() % 16);
    for (const cps::OpsTable* ops : variants()) {
      const auto out = block.run(*ops, rows, static_cast<int>(rng() % 100));
      for (int y = 0; y < cps::kResampleRows; y++) {
        const uint8_t* row = out.data() + y * block.outStride();
        for (int i = 0; i < block.taps().count * 3; i++) {
          const int expected = y < rows ? block.expected(y, i / 3, i % 3) : 0xa5;
          ASSERT_EQ(expected, row[i]) << ops->name << " round " << round << " y " << y << " " << i;
        }
      }
    }
  }
  EXPECT_GT(withBytes, 20);
  EXPECT_GT(without, 20);
}

// Axes whose greatest weight two signed bytes do not make, over whole pictures.
TEST(OpsResample, GreatWeightsAgainstNaive) {
  int seen = 0;
  for (int from = 20; from < 400 && seen < 4; from++) {
    for (const auto& [kernel, naiveKernel] : filters()) {
      naive::FrameSpec spec;
      spec.width = from;
      spec.height = 37;
      spec.fill = naive::Fill::TwoValues;
      spec.seed = static_cast<uint32_t>(from);
      const naive::TestFrame frame(spec);
      const Case c{ResampleAxis::whole(from, 53), ResampleAxis::whole(spec.height, 41)};
      const auto plan = std::make_shared<const cps::ResamplePlan>(
          cps::makeResamplePlan(frame.view, c.x, c.y, kernel));
      if (plan->x.copies || !plan->x.quads.bytes.empty()) continue;
      seen++;
      const auto expected = expectedOf(channelsOf(frame.view), c, naiveKernel);
      for (const auto& v : allKernels()) {
        std::vector<uint8_t> out(static_cast<size_t>(c.y.count) * c.x.count * 3);
        v.kernels->resample(frame.view, plan, out.data(), c.x.count * 3);
        expectEqual(expected, out, c.x.count * 3, v.name);
        if (HasFatalFailure()) return;
      }
    }
  }
  EXPECT_EQ(seen, 4);
}
#endif

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
