#include "pipeline/sampling/sampling.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace cps {
namespace {

TEST(Sampling, IsTheIntegerFloorOfTheText) {
  for (const int64_t n : {1, 2, 3, 7, 115, 120, 1001}) {
    for (const int64_t l : {1, 2, 3, 16, 64, 300}) {
      const auto ids = sampleFrameIds(n, l);
      ASSERT_EQ(ids.size(), static_cast<size_t>(l));
      for (int64_t i = 0; i < l; ++i) {
        EXPECT_EQ(ids[static_cast<size_t>(i)], l == 1 ? 0 : i * (n - 1) / (l - 1));
      }
    }
  }
}

TEST(Sampling, HugeCountsDoNotOverflow) {
  const int64_t n = int64_t{1} << 62;
  const auto ids = sampleFrameIds(n, 5);
  EXPECT_EQ(ids.front(), 0);
  EXPECT_EQ(ids.back(), n - 1);
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
}

TEST(Sampling, DistinctFramesMapsEveryPosition) {
  const std::vector<int64_t> ids = {0, 0, 1, 3, 3, 3, 4};
  const auto d = distinctFrames(ids);
  EXPECT_EQ(d.ids, (std::vector<int64_t>{0, 1, 3, 4}));
  for (size_t t = 0; t < ids.size(); ++t) {
    EXPECT_EQ(d.ids[static_cast<size_t>(d.ofPosition[t])], ids[t]);
  }
}

TEST(Sampling, PositionsOfAPictureLieInARow) {
  const DistinctFrames d = distinctFrames(std::vector<int64_t>{0, 0, 1, 3, 3, 3, 4});
  EXPECT_EQ(d.positionsOf(0), (std::pair<size_t, size_t>{0, 2}));
  EXPECT_EQ(d.positionsOf(1), (std::pair<size_t, size_t>{2, 3}));
  EXPECT_EQ(d.positionsOf(2), (std::pair<size_t, size_t>{3, 6}));
  EXPECT_EQ(d.positionsOf(3), (std::pair<size_t, size_t>{6, 7}));
}

TEST(Sampling, FirstFrameIsIWhenNoneIs) {
  EXPECT_EQ(withFirstFrameRule(std::vector<uint8_t>{0, 0, 0}), (std::vector<uint8_t>{1, 0, 0}));
  EXPECT_EQ(withFirstFrameRule(std::vector<uint8_t>{0, 1, 0}), (std::vector<uint8_t>{0, 1, 0}));
}

}  // namespace
}  // namespace cps
