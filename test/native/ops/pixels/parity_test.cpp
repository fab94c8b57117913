#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "naive/resample.h"
#include "ops/ops_common.h"
#include "ops/pixels/resample.h"
#include "ops/pixels/values.h"

// Against what torchvision and Pillow gave for the same pictures (test/parity/record_resample.py):
// no sample differs from torchvision's uint8 CPU path. Pillow's own bits are had from the naive
// resize with its precision, whose hash must be the recorded one; ours differ by 1 at most, but for
// a few in a million (bicubic, Lanczos) where torchvision is 2 away as well.
namespace {

using namespace ops_test;
using cps::ResampleAxis;

struct Recorded {
  std::string filter, fill, torch, pillow, torchBytes, pillowBytes;
  int height = 0, width = 0, outHeight = 0, outWidth = 0;
  uint32_t seed = 0;
};

std::vector<Recorded> recorded() {
  std::ifstream in(CPS_PARITY_DIR "/resample.txt");
  std::vector<Recorded> out;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("#")) continue;
    std::istringstream fields(line);
    Recorded r;
    fields >> r.filter >> r.height >> r.width >> r.outHeight >> r.outWidth >> r.fill >> r.seed >>
        r.torch >> r.pillow >> r.torchBytes >> r.pillowBytes;
    out.push_back(r);
  }
  return out;
}

uint32_t mixed(uint32_t value, uint32_t seed) {
  uint32_t x = value + seed * 0x9E3779B9u;
  x = (x ^ x >> 16) * 0x7FEB352Du;
  x = (x ^ x >> 15) * 0x846CA68Bu;
  return x ^ x >> 16;
}

// As `picture` of record_resample.py.
naive::Map<naive::Channels> pictureOf(const Recorded& r) {
  naive::Map<naive::Channels> out(r.height, r.width);
  uint32_t sides[6];
  for (uint32_t i = 0; i < 6; i++) sides[i] = mixed(i, r.seed) % 9 + 1;
  for (int y = 0; y < r.height; y++) {
    for (int x = 0; x < r.width; x++) {
      for (int c = 0; c < 3; c++) {
        int& v = out.at(y, x).c[c];
        if (r.fill == "noise") {
          v = static_cast<int>(mixed(static_cast<uint32_t>((y * r.width + x) * 3 + c), r.seed) >>
                               24);
        } else if (r.fill == "flat") {
          v = static_cast<int>(mixed(static_cast<uint32_t>(c), r.seed) >> 24);
        } else {
          const uint32_t board =
              static_cast<uint32_t>(y) / sides[c] + static_cast<uint32_t>(x) / sides[c + 3];
          v = (board & 1) != 0 ? 255 : 0;
        }
      }
    }
  }
  return out;
}

std::vector<uint8_t> bytesOf(const naive::Map<naive::Channels>& picture) {
  std::vector<uint8_t> out;
  for (const auto& v : picture.values) {
    for (const int c : v.c) out.push_back(static_cast<uint8_t>(c));
  }
  return out;
}

std::string fnv(const std::vector<uint8_t>& bytes) {
  uint64_t value = 0xCBF29CE484222325u;
  for (const uint8_t byte : bytes) value = (value ^ byte) * 0x100000001B3u;
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

std::string hex(const std::vector<uint8_t>& bytes) {
  std::string out;
  for (const uint8_t byte : bytes) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", byte);
    out += two;
  }
  return out;
}

cps::FrameView viewOf(const std::vector<uint8_t>& rgb, int height, int width) {
  cps::FrameView view;
  view.width = width;
  view.height = height;
  view.color.matrix = cps::ColorMatrix::Rgb;
  for (int c = 0; c < 3; c++) view.plane[c] = {rgb.data() + c, width * int64_t{3}, 3, 0};
  return view;
}

struct Filter {
  cps::ResampleKernel kernel;
  naive::ResampleKernel naive;
};
Filter filterOf(const std::string& name) {
  if (name == "bilinear") return {cps::ResampleKernel::Bilinear, naive::triangle()};
  if (name == "bicubic") return {cps::ResampleKernel::Bicubic, naive::keys()};
  if (name == "lanczos") return {cps::ResampleKernel::Lanczos, naive::lanczos3()};
  return {cps::ResampleKernel::Area, naive::box()};
}

#ifdef CPS_TEST_EMULATED_CUDA
constexpr size_t kEvery = 10;  // one thread at a time takes long
#else
constexpr size_t kEvery = 1;
#endif

TEST(OpsParity, TorchvisionAndPillow) {
  const std::vector<Recorded> all = recorded();
  ASSERT_EQ(1200U, all.size());
  const auto variants = allKernels();
  size_t widthsFirst = 0, samples = 0, twos = 0;
  for (size_t i = 0; i < all.size(); i += kEvery) {
    const Recorded& r = all[i];
    const std::string what = r.filter + " line " + std::to_string(i + 2);
    const auto picture = pictureOf(r);
    const std::vector<uint8_t> rgb = bytesOf(picture);
    const Filter filter = filterOf(r.filter);
    // Pillow's own bits are one of these two.
    auto pillow =
        bytesOf(naive::resampledAsPillow(picture, r.outHeight, r.outWidth, filter.naive, false));
    const bool widthFirst = fnv(pillow) == r.pillow;
    if (!widthFirst) {
      pillow =
          bytesOf(naive::resampledAsPillow(picture, r.outHeight, r.outWidth, filter.naive, true));
      ASSERT_EQ(r.pillow, fnv(pillow)) << what;
    }
    widthsFirst += widthFirst ? 1 : 0;
    const auto view = viewOf(rgb, r.height, r.width);
    const auto plan = std::make_shared<const cps::ResamplePlan>(
        cps::makeResamplePlan(view, ResampleAxis::whole(r.width, r.outWidth),
                              ResampleAxis::whole(r.height, r.outHeight), filter.kernel));
    for (const auto& v : variants) {
      std::vector<uint8_t> out(pillow.size());
      v.kernels->resample(view, plan, out.data(), int64_t{r.outWidth} * 3);
      if (r.torch != "-") {
        ASSERT_EQ(r.torch, fnv(out)) << v.name << " " << what;
      }
      if (!r.pillowBytes.empty()) {
        if (r.torch != "-") {
          ASSERT_EQ(r.torchBytes, hex(out)) << v.name << " " << what;
        }
        ASSERT_EQ(r.pillowBytes, hex(pillow)) << what;
      }
      if (!widthFirst) continue;  // torch has the width first
      for (size_t at = 0; at < out.size(); at++) {
        const int difference = std::abs(out[at] - pillow[at]);
        ASSERT_LE(difference, 2) << v.name << " " << what << " at " << at;
        twos += difference == 2 ? 1 : 0;
      }
      samples += out.size();
    }
  }
  EXPECT_GE(widthsFirst * 2, all.size() / kEvery);
  EXPECT_LE(twos * 50000, samples);
}

// The golden values of a 4x6 picture: value 11 (6 r + c), and 7 times that modulo 256.
TEST(OpsParity, GoldenValues) {
  struct Golden {
    const char* filter;
    int outHeight, outWidth, firstRow;
    std::vector<int> a, b;
  };
  const Golden goldens[] = {
      {"bilinear",
       3,
       4,
       0,
       {24, 40, 55, 71, 103, 119, 134, 150, 182, 198, 213, 229},
       {62, 122, 148, 85, 162, 105, 131, 73, 150, 87, 113, 173}},
      {"bicubic",
       3,
       4,
       0,
       {16, 32, 49, 65, 102, 118, 135, 151, 188, 204, 221, 237},
       {48, 125, 154, 79, 171, 99, 136, 64, 156, 81, 110, 187}},
      {"lanczos",
       3,
       4,
       0,
       {14, 30, 47, 63, 102, 118, 135, 151, 190, 206, 223, 239},
       {37, 131, 152, 71, 177, 97, 138, 58, 164, 83, 104, 198}},
      {"bicubic",
       5,
       9,
       0,
       {0, 2, 10, 17, 25, 32, 39, 47, 53},
       {0, 28, 93, 143, 211, 215, 72, 84, 136}},
      {"bicubic",
       5,
       9,
       4,
       {200, 206, 214, 221, 229, 236, 243, 251, 255},
       {99, 151, 163, 20, 25, 92, 142, 207, 250}},
      {"bilinear",
       5,
       9,
       0,
       {0, 6, 13, 20, 28, 35, 42, 50, 55},
       {0, 39, 90, 141, 193, 201, 82, 91, 129}},
      {"lanczos",
       5,
       9,
       4,
       {200, 205, 214, 221, 229, 236, 243, 252, 255},
       {93, 155, 158, 23, 14, 94, 135, 210, 255}},
  };
  std::vector<uint8_t> rgb;
  for (int i = 0; i < 24; i++) {
    for (const int v : {11 * i, 77 * i % 256, 0}) rgb.push_back(static_cast<uint8_t>(v));
  }
  const auto view = viewOf(rgb, 4, 6);
  for (const auto& v : allKernels()) {
    for (const Golden& g : goldens) {
      const auto plan = std::make_shared<const cps::ResamplePlan>(
          cps::makeResamplePlan(view, ResampleAxis::whole(6, g.outWidth),
                                ResampleAxis::whole(4, g.outHeight), filterOf(g.filter).kernel));
      std::vector<uint8_t> out(static_cast<size_t>(g.outHeight) * g.outWidth * 3);
      v.kernels->resample(view, plan, out.data(), int64_t{g.outWidth} * 3);
      for (size_t i = 0; i < g.a.size(); i++) {
        const size_t at = (static_cast<size_t>(g.firstRow) * g.outWidth + i) * 3;
        EXPECT_EQ(g.a[i], out[at]) << v.name << " " << g.filter << " A " << i;
        EXPECT_EQ(g.b[i], out[at + 1]) << v.name << " " << g.filter << " B " << i;
      }
    }
  }
}

// Against torch's own float32 arithmetic (test/parity/record_values.py).
TEST(OpsParity, NormalisedValues) {
  std::ifstream in(CPS_PARITY_DIR "/values.txt");
  int count = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("#")) continue;
    std::istringstream fields(line);
    std::string name, offset, hash;
    cps::Normalize n{};
    fields >> name >> offset >> n.scale;
    double v = 0;
    for (float& mean : n.mean) fields >> v, mean = static_cast<float>(v);
    for (float& std : n.std) fields >> v, std = static_cast<float>(v);
    fields >> hash;
    if (offset != "fused") n.offset = std::stof(offset);
    const cps::ValueTable table = cps::makeValueTable(n, cps::DType::F32);
    std::vector<uint8_t> bytes;
    for (const uint32_t bits : table.bits) {
      for (int shift = 0; shift < 32; shift += 8)
        bytes.push_back(static_cast<uint8_t>(bits >> shift));
    }
    EXPECT_EQ(hash, fnv(bytes)) << name;
    count++;
  }
  EXPECT_EQ(5, count);
}

}  // namespace
