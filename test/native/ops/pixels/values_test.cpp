// Note [Value tables]: pictures and patches into tensors, against the formula written out.

#include "ops/pixels/values.h"

#include <cmath>
#include <cstring>
#include <random>

#include "ops/ops_common.h"
#include "ops/pixels/gather_math.h"

namespace {

using namespace ops_test;

const cps::Normalize kPlain{1.0, {0, 0, 0}, {1, 1, 1}};
const cps::Normalize kImageNet{1.0 / 255, {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}};
const cps::Normalize kViVit{1.0 / 127.5, {0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}, 1.0f};

// What a value becomes, as the bytes of the tensor's type; casts have tests of their own.
std::vector<uint8_t> valueOf(int v, int c, const cps::Normalize& n, cps::DType dtype) {
  const auto by = static_cast<float>(1.0 / n.scale);
  const auto value = static_cast<float>(v);
  const float normal =
      n.offset ? (value * static_cast<float>(n.scale) - *n.offset - n.mean[c]) / n.std[c]
               : (value - n.mean[c] * by) / (n.std[c] * by);
  std::vector<uint8_t> out(cps::dtypeSize(dtype));
  if (dtype == cps::DType::U8) {
    out[0] = static_cast<uint8_t>(std::lround(std::fmin(255.0f, std::fmax(0.0f, normal))));
  } else if (dtype == cps::DType::F32) {
    std::memcpy(out.data(), &normal, 4);
  } else {
    const uint16_t half =
        dtype == cps::DType::F16 ? cps::floatToF16(normal) : cps::floatToBf16(normal);
    std::memcpy(out.data(), &half, 2);
  }
  return out;
}

std::vector<uint8_t> noise(size_t count, uint32_t seed) {
  std::mt19937 rng(seed);
  std::vector<uint8_t> out(count);
  for (auto& v : out) v = static_cast<uint8_t>(rng());
  return out;
}

struct Type {
  cps::DType dtype;
  cps::Normalize normalize;
};
std::vector<Type> types() {
  std::vector<Type> out;
  for (const auto dtype : {cps::DType::F32, cps::DType::F16, cps::DType::BF16}) {
    for (const auto& normalize : {kPlain, kImageNet, kViVit}) out.push_back({dtype, normalize});
  }
  out.push_back({cps::DType::U8, kPlain});
  return out;
}

// Pictures one after the other in every order of the axes, rows with and without gaps.
TEST(OpsValues, LookUpAgainstTheFormula) {
  const auto variants = allKernels();
  uint32_t seed = 5;
  for (const auto& [h, w] : {std::pair{1, 1}, std::pair{7, 3}, std::pair{66, 131}}) {
    const int64_t gap = seed % 2 * 5, stride = w * 3 + gap;
    const auto rgb = noise(static_cast<size_t>(h * stride), seed++);
    const cps::PixelStrides orders[] = {
        {1, 3 * w, 3}, {int64_t{h} * w, w, 1}, {int64_t{2} * h * w + 1, w, 1}};
    for (const auto& [dtype, normalize] : types()) {
      const auto table =
          std::make_shared<const cps::ValueTable>(cps::makeValueTable(normalize, dtype));
      const size_t bytes = cps::dtypeSize(dtype);
      for (const auto& s : orders) {
        const auto size =
            static_cast<size_t>(2 * s.channel + (h - 1) * s.row + (w - 1) * s.column + 1);
        std::vector<uint8_t> expected(size * bytes, 0x5a);
        for (int y = 0; y < h; y++) {
          for (int x = 0; x < w; x++) {
            for (int c = 0; c < 3; c++) {
              const auto value =
                  valueOf(rgb[static_cast<size_t>(y * stride + 3 * x + c)], c, normalize, dtype);
              const auto at = static_cast<size_t>(c * s.channel + y * s.row + x * s.column);
              std::memcpy(expected.data() + at * bytes, value.data(), bytes);
            }
          }
        }
        for (const auto& v : variants) {
          std::vector<uint8_t> out(expected.size(), 0x5a);
          v.kernels->lookUp(rgb.data(), stride, h, w, table, s, out.data());
          v.kernels->synchronize();
          ASSERT_EQ(expected, out)
              << v.name << " " << cps::dtypeName(dtype) << " " << w << "x" << h;
        }
      }
    }
  }
}

TEST(OpsValues, CutPatchesAgainstTheFormula) {
  const auto variants = allKernels();
  std::mt19937 rng(8);
  for (const int patch : {1, 3, 14}) {
    cps::PatchGrid grid;
    grid.patchSize = patch;
    grid.rows = 4;
    grid.cols = 6;
    grid.targetHeight = 4 * patch;
    grid.targetWidth = 6 * patch;
    std::vector<std::vector<uint8_t>> pictures;
    std::vector<const uint8_t*> addresses;
    for (uint32_t t = 0; t < 3; t++) {
      pictures.push_back(noise(static_cast<size_t>(24 * patch * patch * 3), 50 + t));
      addresses.push_back(pictures.back().data());
    }
    std::vector<int32_t> indices;
    for (int32_t i = 0; i < 3 * grid.perFrame(); i++) {
      if (rng() % 3) indices.push_back(i);
    }
    for (const auto& [dtype, normalize] : types()) {
      const cps::ValueTable table = cps::makeValueTable(normalize, dtype);
      for (const auto layout : {cps::Layout::Nchw, cps::Layout::Nhwc}) {
        std::vector<uint8_t> expected;
        for (const int32_t index : indices) {
          const auto& picture = pictures[static_cast<size_t>(index / 24)];
          const int top = index % 24 / 6 * patch, left = index % 6 * patch;
          const auto add = [&](int y, int x, int c) {
            const int at = ((top + y) * grid.targetWidth + left + x) * 3 + c;
            const auto value = valueOf(picture[static_cast<size_t>(at)], c, normalize, dtype);
            expected.insert(expected.end(), value.begin(), value.end());
          };
          for (int i = 0; i < 3 * patch * patch; i++) {
            const int area = patch * patch;
            if (layout == cps::Layout::Nchw) {
              add(i % area / patch, i % patch, i / area);
            } else {
              add(i / 3 / patch, i / 3 % patch, i % 3);
            }
          }
        }
        for (const auto& v : variants) {
          std::vector<uint8_t> out(expected.size(), 0x5a);
          v.kernels->cutPatches(addresses, indices, {grid, dtype, layout, normalize}, table,
                                out.data());
          v.kernels->synchronize();
          ASSERT_EQ(expected, out) << v.name << " " << cps::dtypeName(dtype) << " P " << patch;
        }
      }
    }
  }
}

// Where mean / scale is no number, the steps are taken one after the other.
TEST(OpsValues, ScalesThatCannotBeFused) {
  for (const double scale : {0.0, 1e-42}) {
    const cps::Normalize n{scale, {0, 0.5f, -3}, {1, 2, 4}};
    const cps::ValueTable table = cps::makeValueTable(n, cps::DType::F32);
    for (int c = 0; c < 3; c++) {
      float value;
      std::memcpy(&value, &table.bits[static_cast<size_t>(256 * c + 255)], 4);
      EXPECT_NEAR((255 * scale - n.mean[c]) / n.std[c], value, 1e-6) << scale << " " << c;
    }
  }
}

}  // namespace
