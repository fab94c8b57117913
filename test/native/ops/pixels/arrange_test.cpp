// Loops that copy pixels into tensors (Note [Arranging pixels]): random ones against their meaning,
// and loops that would leave their memory.
#include "ops/pixels/arrange.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "core/error.h"
#include "ops/ops_common.h"

namespace {

using namespace cps;

void runAll(size_t n, const std::function<void(size_t)>& fn) {
  for (size_t i = 0; i < n; ++i) fn(i);
}

ValueTable bytes() { return makeValueTable({1.0, {0, 0, 0}, {1, 1, 1}, std::nullopt}, DType::U8); }

// Frames [units, side, side, 3] of random bytes, and loops over frame, row, column and channel in a
// random order into a tensor that may be larger.
struct Sample {
  std::vector<uint8_t> source;
  ArrangePart part;
  int64_t elements = 1;
};
Sample sampleOf(std::mt19937& random) {
  const auto upTo = [&](int most) {
    return static_cast<int64_t>(std::uniform_int_distribution<int>(1, most)(random));
  };
  const int64_t units = upTo(4), rows = upTo(6), columns = upTo(9), wanted = upTo(5);
  Sample s;
  s.source.resize(static_cast<size_t>(units * rows * columns * 3));
  for (uint8_t& v : s.source) v = static_cast<uint8_t>(random());
  s.part.source = s.source.data();
  s.part.sourceBytes = s.source.size();
  s.part.unitBytes = rows * columns * 3;
  for (int64_t i = 0; i < wanted; ++i) {
    s.part.units.push_back(static_cast<int32_t>(upTo(static_cast<int>(units) + 1)) - 2);
  }
  s.part.axes = {{wanted, 0, 1, 0, false},
                 {rows, 0, 0, columns * 3, false},
                 {columns, 0, 0, 3, false},
                 {3, 0, 0, 1, true}};
  std::shuffle(s.part.axes.begin(), s.part.axes.end(), random);
  for (size_t i = s.part.axes.size(); i-- > 0;) {
    s.part.axes[i].out = s.elements;
    s.elements *= s.part.axes[i].size + (upTo(3) - 1);  // room for padding
  }
  s.part.offset = upTo(7) - 1;
  s.elements += s.part.offset;
  return s;
}

TEST(ArrangePixels, CopiesWhatTheLoopsSay) {
  std::mt19937 random(7);
  for (int turn = 0; turn < 300; ++turn) {
    const Sample s = sampleOf(random);
    checkArrange(s.part, s.elements);
    std::vector<uint8_t> out(static_cast<size_t>(s.elements), 77), expected = out;
    arrangePixels(s.part, bytes(), out.data(), runAll);
    const std::vector<ArrangeAxis>& a = s.part.axes;
    for (int64_t i = 0; i < a[0].size; ++i)
      for (int64_t j = 0; j < a[1].size; ++j)
        for (int64_t k = 0; k < a[2].size; ++k)
          for (int64_t l = 0; l < a[3].size; ++l) {
            const int64_t unit = i * a[0].unit + j * a[1].unit + k * a[2].unit + l * a[3].unit;
            const int64_t inner = i * a[0].inner + j * a[1].inner + k * a[2].inner + l * a[3].inner;
            const int64_t at =
                s.part.offset + i * a[0].out + j * a[1].out + k * a[2].out + l * a[3].out;
            const int32_t from = s.part.units[static_cast<size_t>(unit)];
            if (from < 0) continue;
            expected[static_cast<size_t>(at)] =
                s.source[static_cast<size_t>(from * s.part.unitBytes + inner)];
          }
    ASSERT_EQ(out, expected) << "turn " << turn;
  }
}

TEST(ArrangePixels, RefusesLoopsThatLeaveTheirMemory) {
  std::mt19937 random(8);
  const auto refused = [](const ArrangePart& part, int64_t elements) {
    try {
      checkArrange(part, elements);
      return false;
    } catch (const Error& e) {
      return e.code() == ErrorCode::InvalidArgument;
    }
  };
  Sample s = sampleOf(random);
  EXPECT_FALSE(refused(s.part, s.elements));
  int64_t last = s.part.offset;
  for (const ArrangeAxis& a : s.part.axes) last += (a.size - 1) * a.out;
  EXPECT_TRUE(refused(s.part, last));
  EXPECT_FALSE(refused(s.part, last + 1));
  for (size_t i = 0; i < s.part.axes.size(); ++i) {
    ArrangePart part = s.part;
    part.axes[i].size = int64_t{1} << 40;
    EXPECT_TRUE(refused(part, s.elements)) << i;
    part = s.part;
    part.axes[i] = {2, int64_t{1} << 61, 0, 0, false};
    EXPECT_TRUE(refused(part, int64_t{1} << 62)) << i;
    part = s.part;
    part.axes[i].size = -1;
    EXPECT_TRUE(refused(part, s.elements)) << i;
  }
  ArrangePart part = s.part;
  part.units.back() = 1000;
  EXPECT_TRUE(refused(part, s.elements));
  part = s.part;
  part.sourceBytes = 0;
  std::fill(part.units.begin(), part.units.end(), 0);
  EXPECT_TRUE(refused(part, s.elements));
  part = s.part;
  part.offset = -1;
  EXPECT_TRUE(refused(part, s.elements));
  part = s.part;
  part.axes.clear();
  EXPECT_TRUE(refused(part, s.elements));
}

}  // namespace
