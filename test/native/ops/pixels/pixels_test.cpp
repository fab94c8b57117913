#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <random>

#include "backend/cpu_kernels.h"
#include "core/cancel.h"
#include "ops/ops_common.h"
#include "ops/pixels/gather_math.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

using namespace ops_test;

TEST(OpsColor, FixedPointIsWithinOneOfTheStandard) {
  uint32_t seed = 40;
  for (const auto& spec : naive::frameSpecs(61, 47, seed)) {
    // Above 8 bits the scaler also mixes chroma rows, which the standard's formula knows nothing
    // of.
    if (spec.log2ChromaW > 0 && spec.bitDepth > 8) continue;
    const naive::TestFrame frame(spec);
    const auto exact = naive::rgbExact(frame.view), fixed = naive::rgb(frame.view);
    for (size_t i = 0; i < exact.values.size(); i++) {
      for (int c = 0; c < 3; c++) {
        // Subsampled chroma takes the scaler's rounding down, up to one for each of three terms.
        // Far outside RGB the scaler's sums wrap around, and so do ours (OpsSwscale).
        const int difference = std::abs(exact.values[i].c[c] - fixed.values[i].c[c]);
        if (frame.view.planes == 3 && spec.log2ChromaW == 0 && difference == 255) continue;
        const int tolerance = frame.view.planes == 3 && frame.view.log2ChromaW > 0 ? 3 : 1;
        ASSERT_LE(difference, tolerance) << describe(spec);
      }
    }
  }
}

TEST(OpsColor, RgbSourcesOf8BitsAreUnchanged) {
  const auto variants = allKernels();
  naive::FrameSpec spec;
  spec.layout = naive::PixelLayout::PackedRgb;
  const naive::TestFrame frame(spec);
  std::vector<uint8_t> out(size_t(spec.width) * spec.height * 3);
  for (const auto& v : variants) {
    v.kernels->toRgb(frame.view, spec.height, spec.width, out.data());
    EXPECT_EQ(0, std::memcmp(out.data(), frame.view.plane[0].data, out.size())) << v.name;
  }
}

TEST(OpsToRgb, EveryFrameKindAgainstNaive) {
  const auto variants = allKernels();
  uint32_t seed = 50;
  for (const auto& [h, w] : sizes()) {
    for (const auto& spec : naive::frameSpecs(w, h, seed++)) {
      const naive::TestFrame frame(spec);
      const auto expected = naive::rgb(frame.view);
      const size_t size = size_t(h) * w * 3;
      std::unique_ptr<uint8_t[]> out(new uint8_t[size]);
      for (const auto& v : variants) {
        v.kernels->toRgb(frame.view, expected.height, expected.width, out.get());
        for (size_t i = 0; i < size; i++) {
          ASSERT_EQ(expected.values[i / 3].c[i % 3], out[i])
              << v.name << ": " << describe(spec) << " pixel " << i / 3 << " channel " << i % 3;
        }
      }
    }
  }
}

TEST(OpsToRgb, ResizedAgainstNaive) {
  const auto variants = allKernels();
  uint32_t seed = 60;
  for (const auto& [h, w] : {std::pair{1, 1}, std::pair{33, 31}, std::pair{129, 70}}) {
    for (const auto& spec : naive::frameSpecs(w, h, seed++)) {
      const naive::TestFrame frame(spec);
      for (const auto& [oh, ow] : {std::pair{1, 1}, std::pair{20, 50}, std::pair{130, 64}}) {
        const auto expected = naive::resizedRgb(frame.view, oh, ow);
        std::unique_ptr<uint8_t[]> out(new uint8_t[size_t(oh) * ow * 3]);
        for (const auto& v : variants) {
          v.kernels->toRgb(frame.view, oh, ow, out.get());
          for (int i = 0; i < oh * ow * 3; i++) {
            const double want = expected[i % 3].values[i / 3];
            ASSERT_EQ(int(std::floor(want + 0.5)), out[i])
                << v.name << ": " << describe(spec) << " value " << i;
          }
        }
      }
    }
  }
}

// Parts of the result, back to front or not, are those of the whole one.
TEST(OpsToRgb, PartsOfTheResult) {
  const auto variants = allKernels();
  std::mt19937 rng(61);
  uint32_t seed = 62;
  for (const auto& [h, w] : {std::pair{1, 1}, std::pair{33, 31}, std::pair{64, 70}}) {
    for (const auto& spec : naive::frameSpecs(w, h, seed++)) {
      if (rng() % 3 != 0) continue;
      const naive::TestFrame frame(spec);
      const int oh = 1 + int(rng() % 60), ow = 1 + int(rng() % 90);
      auto y = cps::ResampleAxis::whole(frame.view.displayHeight(), oh);
      auto x = cps::ResampleAxis::whole(frame.view.displayWidth(), ow);
      for (auto* axis : {&y, &x}) {
        axis->begin = int(rng() % axis->size);
        axis->count = 1 + int(rng() % (axis->size - axis->begin));
      }
      x.reversed = rng() % 2 == 0;
      const int64_t stride = x.count * 3 + 5;
      for (const auto& v : variants) {
        std::vector<uint8_t> whole(size_t(oh) * ow * 3), part(size_t(y.count * stride), 0x5a);
        v.kernels->toRgb(frame.view, oh, ow, whole.data());
        v.kernels->resizeRgb(frame.view, y, x, part.data(), stride);
        v.kernels->synchronize();
        for (int row = 0; row < y.count; row++) {
          for (int column = 0; column < x.count; column++) {
            const int from = x.begin + (x.reversed ? x.count - 1 - column : column);
            const size_t at = (size_t(y.begin + row) * ow + from) * 3;
            for (int c = 0; c < 3; c++) {
              ASSERT_EQ(whole[at + c], part[size_t(row * stride + column * 3 + c)])
                  << v.name << ": " << describe(spec) << " y " << row << " x " << column;
            }
          }
          for (int64_t i = x.count * 3; i < stride; i++) {
            ASSERT_EQ(0x5a, part[size_t(row * stride + i)]) << "written behind the row";
          }
        }
      }
    }
  }
}

// A part of the picture is resized as if there were nothing else.
TEST(OpsToRgb, PartsOfThePicture) {
  naive::FrameSpec spec;
  spec.layout = naive::PixelLayout::PackedRgb;
  spec.width = 97;
  spec.height = 61;
  const naive::TestFrame frame(spec);
  cps::FrameView cut = frame.view;
  cut.width = 40;
  cut.height = 23;
  for (auto& plane : cut.plane) plane.data += 11 * plane.stride + 30 * plane.step;
  for (const auto& [oh, ow] : {std::pair{10, 70}, std::pair{23, 40}, std::pair{50, 9}}) {
    cps::ResampleAxis y{61, 11, 23, oh, 0, oh, false}, x{97, 30, 40, ow, 0, ow, false};
    for (const auto& v : allKernels()) {
      std::vector<uint8_t> expected(size_t(oh) * ow * 3), got(expected.size(), 1);
      v.kernels->toRgb(cut, oh, ow, expected.data());
      v.kernels->resizeRgb(frame.view, y, x, got.data(), int64_t{ow} * 3);
      v.kernels->synchronize();
      EXPECT_EQ(expected, got) << v.name << " " << ow << "x" << oh;
    }
  }
}

void checkGather(const std::vector<naive::FrameSpec>& specs, int pixels, int patch,
                 cps::DType dtype, cps::Layout layout, const cps::Normalize& normalize,
                 uint32_t seed) {
  const auto variants = allKernels();
  std::mt19937 rng(seed);
  std::vector<std::unique_ptr<naive::TestFrame>> frames;
  std::vector<cps::FrameView> views;
  for (const auto& s : specs) {
    frames.push_back(std::make_unique<naive::TestFrame>(s));
    views.push_back(frames.back()->view);
  }
  const int h = views[0].displayHeight(), w = views[0].displayWidth();
  const auto grid = cps::makePatchGrid(h, w, pixels, pixels, patch);
  std::vector<int32_t> indices;
  for (int i = 0; i < grid.perFrame() * int(views.size()); i++) {
    if (rng() % 3) indices.push_back(i);
  }
  const size_t values = size_t(patch) * patch * 3, total = values * indices.size();
  std::vector<float> expected(total);
  std::vector<naive::Map<float>> picture;
  int pictureFrame = -1;
  for (size_t n = 0; n < indices.size(); n++) {
    const int t = indices[n] / grid.perFrame(), in = indices[n] % grid.perFrame();
    if (t != pictureFrame) {
      picture = naive::resizedRgb(views[t], grid.targetHeight, grid.targetWidth);
      pictureFrame = t;
    }
    for (int c = 0; c < 3; c++) {
      for (int y = 0; y < patch; y++) {
        for (int x = 0; x < patch; x++) {
          const float v = picture[c].at(in / grid.cols * patch + y, in % grid.cols * patch + x);
          const size_t at =
              n * values + (layout == cps::Layout::Nchw ? (size_t(c) * patch + y) * patch + x
                                                        : (size_t(y) * patch + x) * 3 + c);
          expected[at] =
              (v * static_cast<float>(normalize.scale) - normalize.mean[c]) / normalize.std[c];
        }
      }
    }
  }
  std::unique_ptr<uint8_t[]> out(new uint8_t[total * cps::dtypeSize(dtype)]);
  for (const auto& v : variants) {
    v.kernels->gatherPatches(views, indices, {grid, dtype, layout, normalize}, out.get());
    for (size_t i = 0; i < total; i++) {
      if (dtype == cps::DType::F32) {
        float got;
        std::memcpy(&got, out.get() + i * 4, 4);
        ASSERT_EQ(expected[i], got) << v.name << ": " << describe(specs[0]) << " value " << i;
      } else if (dtype == cps::DType::U8) {
        const float want = std::clamp(std::round(expected[i]), 0.0f, 255.0f);
        ASSERT_EQ(want, out[i]) << v.name << ": " << describe(specs[0]) << " value " << i;
      } else {
        uint16_t got;
        std::memcpy(&got, out.get() + i * 2, 2);
        ASSERT_EQ(dtype == cps::DType::BF16 ? cps::floatToBf16(expected[i])
                                            : cps::floatToF16(expected[i]),
                  got)
            << v.name << ": " << describe(specs[0]) << " value " << i;
      }
    }
  }
}

const cps::Normalize kIdentity{1.0f, {0, 0, 0}, {1, 1, 1}};
const cps::Normalize kImageNet{1.0f / 255, {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}};

TEST(OpsGather, EveryFrameKindAgainstNaive) {
  uint32_t seed = 70;
  for (const auto& [h, w] :
       {std::pair{1, 1}, std::pair{3, 5}, std::pair{33, 31}, std::pair{130, 171}}) {
    for (const auto& spec : naive::frameSpecs(w, h, seed++)) {
      checkGather({spec}, 5000, 7, cps::DType::F32, cps::Layout::Nchw, kIdentity, seed);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(OpsGather, LargeFramesAndManyOfThem) {
  for (const auto layout : {naive::PixelLayout::Planar, naive::PixelLayout::SemiPlanar}) {
    for (const int depth : {8, 10}) {
      std::vector<naive::FrameSpec> specs;
      for (int t = 0; t < 4; t++) {
        naive::FrameSpec s;
        s.width = 641;
        s.height = 479;
        s.layout = layout;
        s.bitDepth = depth;
        s.seed = 1000 + t;
        s.padding = t;
        specs.push_back(s);
      }
      checkGather(specs, 50176, 14, cps::DType::F32, cps::Layout::Nchw, kIdentity, 1);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(OpsGather, DtypesLayoutsAndNormalisation) {
  naive::FrameSpec spec;
  spec.width = 173;
  spec.height = 131;
  for (const auto dtype : {cps::DType::F32, cps::DType::F16, cps::DType::BF16, cps::DType::U8}) {
    for (const auto layout : {cps::Layout::Nchw, cps::Layout::Nhwc}) {
      for (const auto& normalize : {kIdentity, kImageNet}) {
        for (const int patch : {1, 3, 8, 14, 16, 17, 33}) {
          checkGather({spec}, 20000, patch, dtype, layout, normalize, 3);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

// Patches out of the rows that are kept of a picture, when the picture itself is gone.
TEST(OpsGather, KeptRowsGiveTheSamePatches) {
  int kept = 0, whole = 0;
  for (const auto& [h, w, patch, pixels] :
       {std::tuple{200, 170, 7, 3000}, std::tuple{131, 173, 4, 400}, std::tuple{401, 31, 1, 60},
        std::tuple{96, 98, 14, 3000}, std::tuple{150, 202, 2, 300}}) {
    uint32_t seed = 90 + static_cast<uint32_t>(h);
    for (const auto& spec : naive::frameSpecs(w, h, seed)) {
      auto picture = std::make_unique<naive::TestFrame>(spec);
      const cps::FrameView view = picture->view;
      const auto grid =
          cps::makePatchGrid(view.displayHeight(), view.displayWidth(), pixels, pixels, patch);
      std::vector<int32_t> indices(grid.perFrame());
      for (size_t i = 0; i < indices.size(); i++) indices[i] = int32_t(i);
      const auto expected = naive::resizedRgb(view, grid.targetHeight, grid.targetWidth);
      for (const auto& v : allKernels()) {
        if (!picture) picture = std::make_unique<naive::TestFrame>(spec);
        std::optional<cps::KeptPicture> copy = v.kernels->keepForGather(picture->view, grid);
        if (!copy) {
          whole++;
          continue;
        }
        kept++;
        picture.reset();
        EXPECT_LE(copy->rows->keptRows() * 4, view.height * 3) << describe(spec);
        EXPECT_EQ(copy->view.height, copy->rows->keptRows());
        const std::vector<cps::FrameView> views = {copy->view};
        const std::vector<const cps::KeptRows*> rows = {copy->rows.get()};
        cps::GatherSpec gather{grid, cps::DType::F32, cps::Layout::Nchw, kIdentity};
        gather.rows = rows;
        std::vector<float> out(indices.size() * size_t(patch * patch) * 3);
        v.kernels->gatherPatches(views, indices, gather, out.data());
        const float* value = out.data();
        for (const int32_t i : indices) {
          for (int c = 0; c < 3; c++) {
            for (int y = 0; y < patch; y++) {
              for (int x = 0; x < patch; x++, value++) {
                ASSERT_EQ(expected[c].at(i / grid.cols * patch + y, i % grid.cols * patch + x),
                          *value)
                    << v.name << ": " << describe(spec) << " patch " << i << " channel " << c;
              }
            }
          }
        }
      }
    }
  }
#ifdef CPS_TEST_EMULATED_CUDA
  EXPECT_EQ(kept, 0);
#else
  EXPECT_GT(kept, 300);
  EXPECT_GT(whole, 100);
#endif
}

// Pictures of one call may be kept in different ways.
TEST(OpsGather, KeptAndWholePicturesInOneCall) {
  naive::FrameSpec spec;
  spec.width = 322;
  spec.height = 258;
  std::vector<std::unique_ptr<naive::TestFrame>> pictures;
  std::vector<cps::FrameView> whole, mixed;
  std::vector<const cps::KeptRows*> rows;
  std::vector<std::optional<cps::KeptPicture>> copies;
  const auto kernels = cps::makeCpuKernels({});
  const auto grid = cps::makePatchGrid(258, 322, 3136, 3136, 14);
  for (int t = 0; t < 4; t++) {
    spec.seed = 7 + uint32_t(t);
    pictures.push_back(std::make_unique<naive::TestFrame>(spec));
    whole.push_back(pictures.back()->view);
    copies.push_back(t % 2 ? kernels->keepForGather(whole.back(), grid) : std::nullopt);
    ASSERT_EQ(copies.back().has_value(), t % 2 == 1);
    mixed.push_back(copies.back() ? copies.back()->view : whole.back());
    rows.push_back(copies.back() ? copies.back()->rows.get() : nullptr);
  }
  std::vector<int32_t> indices(size_t(grid.perFrame()) * 4);
  for (size_t i = 0; i < indices.size(); i++) indices[i] = int32_t(i);
  cps::GatherSpec gather{grid, cps::DType::F32, cps::Layout::Nchw, kIdentity};
  std::vector<float> a(indices.size() * 588), b(a.size(), 1.0f);
  kernels->gatherPatches(whole, indices, gather, a.data());
  gather.rows = rows;
  kernels->gatherPatches(mixed, indices, gather, b.data());
  EXPECT_EQ(a, b);
}

TEST(OpsGather, StopsWhenCancelled) {
  naive::FrameSpec spec;
  spec.width = 640;
  spec.height = 480;
  const naive::TestFrame frame(spec);
  auto cancel = std::make_shared<cps::CancelToken>();
  cancel->cancel();
  cps::CpuKernelsConfig config;
  config.cancel = cancel;
  auto kernels = cps::makeCpuKernels(config);
  const auto grid = cps::makePatchGrid(480, 640, 50176, 50176, 14);
  std::vector<int32_t> indices = {0, 1, 2};
  std::vector<float> out(3 * 14 * 14 * 3);
  const std::vector<cps::FrameView> views = {frame.view};
  EXPECT_THROW(
      kernels->gatherPatches(views, indices, {grid, cps::DType::F32, cps::Layout::Nchw, kIdentity},
                             out.data()),
      cps::Error);
  std::vector<uint8_t> rgb(640 * 480 * 3);
  EXPECT_THROW(kernels->toRgb(frame.view, 480, 640, rgb.data()), cps::Error);
}

TEST(OpsGather, ThePoolGivesTheSameBytes) {
  naive::FrameSpec spec;
  spec.width = 641;
  spec.height = 483;
  const naive::TestFrame frame(spec);
  cps::TaskPool pool(3);
  cps::CpuKernelsConfig config;
  config.pool = &pool;
  config.maxThreads = 3;
  auto alone = cps::makeCpuKernels({}), many = cps::makeCpuKernels(config);
  std::vector<uint8_t> a(641 * 483 * 3), b(a.size(), 1);
  alone->toRgb(frame.view, 483, 641, a.data());
  many->toRgb(frame.view, 483, 641, b.data());
  EXPECT_EQ(a, b);
  const auto grid = cps::makePatchGrid(483, 641, 50176, 50176, 14);
  std::vector<int32_t> indices(grid.perFrame());
  for (size_t i = 0; i < indices.size(); i++) indices[i] = int32_t(i);
  std::vector<uint16_t> c(indices.size() * 588), d(c.size(), 1);
  const std::vector<cps::FrameView> views = {frame.view};
  const cps::GatherSpec gather{grid, cps::DType::BF16, cps::Layout::Nchw, kIdentity};
  alone->gatherPatches(views, indices, gather, c.data());
  many->gatherPatches(views, indices, gather, d.data());
  EXPECT_EQ(c, d);
}

// Nearest float16 by search over all of them, ties to even.
TEST(OpsCast, Float16AgainstItsDefinition) {
  const auto value = [](int bits) {
    const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
    return exponent == 0 ? std::ldexp(double(mantissa), -24)
                         : std::ldexp(double(mantissa + 1024), exponent - 25);
  };
  for (int bits = 0; bits < 0x7c00; bits++) {
    const double a = value(bits), b = bits == 0x7bff ? 65536.0 : value(bits + 1);
    ASSERT_EQ(bits, cps::floatToF16(float(a)));
    ASSERT_EQ(bits | 0x8000, cps::floatToF16(-float(a)));
    const float middle = float((a + b) / 2);  // exact in float32
    ASSERT_EQ((bits + 1) & ~1, cps::floatToF16(middle)) << "tie above " << bits;
    ASSERT_EQ(bits, cps::floatToF16(std::nextafterf(middle, 0)));
    ASSERT_EQ(bits + 1, cps::floatToF16(std::nextafterf(middle, INFINITY)));
  }
  EXPECT_EQ(0x7c00, cps::floatToF16(INFINITY));
  EXPECT_EQ(0x7c00, cps::floatToF16(3e38f));
}

TEST(OpsCast, Bfloat16AgainstItsDefinition) {
  const auto value = [](uint32_t bits) {
    const uint32_t wide = bits << 16;
    float v;
    std::memcpy(&v, &wide, 4);
    return double(v);
  };
  for (uint32_t bits = 0; bits < 0x7f80; bits++) {
    const double a = value(bits), b = bits == 0x7f7f ? std::ldexp(1.0, 128) : value(bits + 1);
    ASSERT_EQ(bits, cps::floatToBf16(float(a)));
    ASSERT_EQ(bits | 0x8000, cps::floatToBf16(-float(a)));
    const float middle = float((a + b) / 2);
    ASSERT_EQ((bits + 1) & ~1u, cps::floatToBf16(middle));
    ASSERT_EQ(bits, cps::floatToBf16(std::nextafterf(middle, 0)));
    ASSERT_EQ(bits + 1, cps::floatToBf16(std::nextafterf(middle, INFINITY)));
  }
  EXPECT_TRUE(std::isnan(value(cps::floatToBf16(std::nanf("")))));
  const uint32_t nanBits = 0x7f800001;  // payload only in the bits that are cut off
  float nan;
  std::memcpy(&nan, &nanBits, 4);
  EXPECT_TRUE(std::isnan(value(cps::floatToBf16(nan))));
}

#if defined(__x86_64__)
__attribute__((target("f16c"))) uint16_t hardwareF16(float v) {
  return static_cast<uint16_t>(_cvtss_sh(v, _MM_FROUND_TO_NEAREST_INT));
}

TEST(OpsCast, Float16EqualsTheProcessors) {
  // Every processor with AVX2 has F16C, which clang 14 does not know by name here.
  if (!__builtin_cpu_supports("avx2")) GTEST_SKIP() << "no F16C here";
  // Every sign and exponent with a dense set of mantissas (all that decide rounding), 4.2 M values.
  for (uint32_t high = 0; high < 1u << 16; high++) {
    for (uint32_t low = 0; low < 64; low++) {
      const uint32_t bits = high << 16 | (low & 32 ? 0xffffu - (low & 31) * 601 : low * 997);
      float v;
      std::memcpy(&v, &bits, 4);
      ASSERT_EQ(hardwareF16(v), cps::floatToF16(v)) << std::hex << bits;
    }
  }
}
#endif

// Any float bits, any length, every dtype, normalised or not: the variants give the same bytes.
TEST(OpsCast, VariantsEqualScalar) {
  std::mt19937 rng(11);
  const float inf = INFINITY;
  for (int round = 0; round < 60; round++) {
    const int64_t count = round < 40 ? round : 600 + round;
    std::vector<float> in(count);
    for (float& v : in) {
      const uint32_t bits = uint32_t(rng());
      std::memcpy(&v, &bits, 4);
      if (rng() % 2) v = float(rng() % 2600) / 10;
      if (rng() % 16 == 0) v = rng() % 2 ? inf : -inf;
    }
    for (const auto& n : {std::array{1.0f, 0.0f, 1.0f}, std::array{1.0f / 255, 0.485f, 0.229f},
                          std::array{3.0f, -2.0f, 0.0f}}) {
      for (const auto dtype :
           {cps::DType::F32, cps::DType::F16, cps::DType::BF16, cps::DType::U8}) {
        std::vector<uint8_t> expected(count * 4 + 1, 7), got(count * 4 + 1, 7);
        cps::kScalarOps.castValues(in.data(), count, n[0], n[1], n[2], dtype, expected.data());
        for (const cps::OpsTable* ops : ops_test::variants()) {
          ops->castValues(in.data(), count, n[0], n[1], n[2], dtype, got.data());
          for (int64_t i = 0; i < count && dtype == cps::DType::F32; i++) {
            float a, b;  // which NaN comes out of arithmetic is not ours to say
            std::memcpy(&a, &expected[i * 4], 4);
            std::memcpy(&b, &got[i * 4], 4);
            if (std::isnan(a) && std::isnan(b)) std::memcpy(&got[i * 4], &a, 4);
          }
          ASSERT_EQ(expected, got) << ops->name << " count " << count << " dtype " << int(dtype);
        }
      }
    }
  }
}

TEST(OpsCast, RoundToU8) {
  for (int i = 0; i <= 255 * 256; i++) {
    const float v = float(i) / 256;
    EXPECT_EQ(int(std::floor(double(v) + 0.5)), cps::roundToU8(v));
  }
  EXPECT_EQ(0, cps::roundToU8(std::nextafterf(0.5f, 0)));
}

}  // namespace
