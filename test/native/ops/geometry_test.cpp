#include "ops/geometry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <set>
#include <vector>

#include "core/error.h"
#include "naive/energy_block.h"
#include "ops/energy/block_match_math.h"
#include "ops/energy/block_scores_math.h"
#include "ops/energy/percentile_math.h"

namespace {

TEST(OpsGeometry, PatchGridOfCommonSizes) {
  // 1080p at 224 x 224 pixels and P = 14: scale sqrt(50176 / 2073600) = 0.15556; sides 168.0,
  // 298.7.
  const auto grid = cps::makePatchGrid(1080, 1920, 50176, 50176, 14);
  EXPECT_EQ(168, grid.targetHeight);
  EXPECT_EQ(308, grid.targetWidth);
  EXPECT_EQ(12, grid.rows);
  EXPECT_EQ(22, grid.cols);
  EXPECT_EQ(264, grid.perFrame());
  const auto square = cps::makePatchGrid(224, 224, 50176, 50176, 14);
  EXPECT_EQ(224, square.targetHeight);
  EXPECT_EQ(224, square.targetWidth);
}

TEST(OpsGeometry, PatchGridHoldsItsProperties) {
  std::mt19937 rng(7);
  for (int i = 0; i < 5000; i++) {
    const int h = 1 + rng() % 4000, w = 1 + rng() % 4000, p = 1 + rng() % 40;
    const int64_t lo = 1 + rng() % 1000000, hi = lo + rng() % 1000000;
    const auto g = cps::makePatchGrid(h, w, lo, hi, p);
    EXPECT_EQ(0, g.targetHeight % (2 * p));
    EXPECT_EQ(0, g.targetWidth % (2 * p));
    EXPECT_EQ(g.targetHeight, g.rows * p);
    EXPECT_EQ(g.targetWidth, g.cols * p);
    const double pixels = double(h) * w;
    const double scale = pixels < lo   ? std::sqrt(lo / pixels)
                         : pixels > hi ? std::sqrt(hi / pixels)
                                       : 1;
    // Within half an alignment unit of the scaled side, or the one unit that is the least.
    if (g.targetHeight > 2 * p) {
      EXPECT_LE(std::abs(g.targetHeight - h * scale), p + 1e-6);
    } else {
      EXPECT_LE(h * scale, 3.0 * p + 1e-6);
    }
    if (g.targetWidth > 2 * p) {
      EXPECT_LE(std::abs(g.targetWidth - w * scale), p + 1e-6);
    } else {
      EXPECT_LE(w * scale, 3.0 * p + 1e-6);
    }
  }
}

TEST(OpsGeometry, HalvesRoundAwayFromZero) {
  // 42 / 28 = 1.5 and 70 / 28 = 2.5 (which rounding to even would turn into 2).
  const auto g = cps::makePatchGrid(42, 70, 42 * 70, 42 * 70, 14);
  EXPECT_EQ(56, g.targetHeight);
  EXPECT_EQ(84, g.targetWidth);
}

TEST(OpsGeometry, RefusesWhatCannotBe) {
  const auto codeOf = [](auto&& fn) {
    try {
      fn();
    } catch (const cps::Error& e) {
      EXPECT_FALSE(std::string(e.what()).empty());
      return e.code();
    }
    ADD_FAILURE() << "nothing was thrown";
    return cps::ErrorCode::Closed;
  };
  using cps::ErrorCode;
  EXPECT_EQ(ErrorCode::InvalidArgument, codeOf([] { cps::makePatchGrid(9, 9, 101, 100, 14); }));
  EXPECT_EQ(ErrorCode::InvalidArgument, codeOf([] { cps::makePatchGrid(9, 9, 0, 100, 14); }));
  EXPECT_EQ(ErrorCode::InvalidArgument, codeOf([] { cps::makePatchGrid(9, 9, 1, 100, 0); }));
  EXPECT_EQ(ErrorCode::InvalidArgument,
            codeOf([] { cps::makePatchGrid(9, 9, INT64_MAX, INT64_MAX, 14); }));
  EXPECT_EQ(ErrorCode::InvalidArgument,
            codeOf([] { cps::makePatchGrid(9, 9, 1, 100, INT32_MAX); }));
  EXPECT_EQ(ErrorCode::InvalidArgument,
            codeOf([] { cps::makePatchGrid(1, INT32_MAX, 1, INT64_MAX, 14); }));
  EXPECT_EQ(ErrorCode::Corrupt, codeOf([] { cps::makePatchGrid(0, 9, 1, 100, 14); }));
  EXPECT_EQ(ErrorCode::Corrupt, codeOf([] { cps::makeCellGrid(9, -1); }));
  EXPECT_EQ(ErrorCode::Corrupt, codeOf([] { cps::makeReferenceGrid(0, 1); }));
}

TEST(OpsGeometry, CellAndReferenceGrids) {
  for (const auto& [h, w] : std::vector<std::pair<int, int>>{{1, 1},
                                                             {63, 900},
                                                             {64, 64},
                                                             {65, 127},
                                                             {127, 128},
                                                             {128, 128},
                                                             {1080, 1920},
                                                             {33, 31}}) {
    const auto cells = cps::makeCellGrid(h, w);
    EXPECT_EQ(naive::cellSize(h, w), cells.cell);
    EXPECT_EQ(int(std::ceil(double(h) / cells.cell)), cells.rows);
    EXPECT_EQ(int(std::ceil(double(w) / cells.cell)), cells.cols);
    EXPECT_EQ((cells.rows + 3) / 4, cells.blockRows);
    EXPECT_EQ((cells.cols + 3) / 4, cells.blockCols);
    const auto ref = cps::makeReferenceGrid(h, w);
    EXPECT_EQ(std::min(h, std::max(32, h / 4)), ref.rows);
    EXPECT_EQ(std::min(w, std::max(32, w / 4)), ref.cols);
    EXPECT_EQ(std::clamp(std::min(ref.rows, ref.cols) / 2, 1, 4), ref.radius);
  }
}

TEST(OpsMath, MatchCandidatesFollowTheTieRule) {
  const auto table = cps::makeMatchCandidates();
  std::set<std::pair<int, int>> seen;
  for (int i = 0; i < cps::kMatchCandidates; i++) {
    const auto key = [&](int j) {
      const int dy = table.dy[j], dx = table.dx[j];
      return std::tuple(dy * dy + dx * dx, dy, dx);
    };
    if (i > 0) {
      EXPECT_LT(key(i - 1), key(i));
    }
    EXPECT_LE(std::abs(table.dy[i]), 4);
    EXPECT_LE(std::abs(table.dx[i]), 4);
    seen.insert({table.dy[i], table.dx[i]});
  }
  EXPECT_EQ(81u, seen.size());
}

TEST(OpsMath, PercentileAgainstSort) {
  std::mt19937 rng(3);
  for (int round = 0; round < 400; round++) {
    const int n = 1 + rng() % 700, bins = 1 + rng() % 256;
    std::vector<int> values(n);
    std::vector<int32_t> counts(bins);
    for (int& v : values) {
      v = rng() % bins;
      counts[v]++;
    }
    for (const double pct : {-5.0, 0.0, 1.0, 33.3, 50.0, 94.999, 95.0, 99.5, 100.0, 400.0}) {
      EXPECT_EQ(naive::percentile(values, pct),
                cps::histogramPercentile(counts.data(), bins, cps::percentileRank(pct, n)))
          << "n " << n << " pct " << pct;
    }
  }
  // Halves away from zero: rank 0.5 of two values is the upper one.
  EXPECT_EQ(1, cps::percentileRank(50, 2));
  EXPECT_EQ(0, cps::percentileRank(49, 2));
}

TEST(OpsMath, AreaWeightsOfAPatchSumToOne) {
  for (const auto& [size, patches, cell] : std::vector<std::tuple<int, int, int>>{
           {1080, 12, 4}, {1920, 22, 4}, {37, 16, 1}, {129, 16, 4}, {5, 16, 1}, {70, 3, 2}}) {
    const int cells = (size + cell - 1) / cell;
    const cps::PatchAxis axis = cps::PatchAxis::whole(size, patches);
    for (int i = 0; i < patches; i++) {
      const auto span = cps::patchCells(i, axis, cell);
      double sum = 0;
      for (int c = 0; c < cells; c++) {
        const float w = cps::areaWeight(c, i, axis, size, cell);
        EXPECT_EQ(w > 0, c >= span.first && c <= span.last) << size << " " << i << " " << c;
        sum += w;
      }
      EXPECT_NEAR(1.0, sum, 1e-5);
    }
  }
}

// A patch of a cropped picture weighs what it shows, in real numbers; padding weighs nothing.
TEST(OpsMath, AreaWeightsOfACroppedPicture) {
  // 90 samples resized to 70, of which [13, 70) stands 6 pixels from the start of 77 = 11 * 7.
  cps::PatchAxis axis{7 * 90, 70, (13 - 6) * 90, 13 * 90, 70 * 90, 11, false};
  for (const bool reversed : {false, true}) {
    axis.reversed = reversed;
    for (int i = 0; i < 11; i++) {
      const int at = reversed ? 10 - i : i;
      const double begin = std::max((at * 7 + 13 - 6) * 90 / 70.0, 13 * 90 / 70.0);
      const double end = std::min(((at + 1) * 7 + 13 - 6) * 90 / 70.0, 90.0);
      for (int c = 0; c < 23; c++) {
        const double low = std::max(begin, c * 4.0), high = std::min({end, c * 4.0 + 4, 90.0});
        const double expected = high > low ? (high - low) / 9 : 0;
        EXPECT_NEAR(expected, cps::areaWeight(c, i, axis, 90, 4), 1e-6) << i << " " << c;
      }
      const auto span = cps::patchCells(i, axis, 4);
      EXPECT_EQ(end > begin, span.last >= span.first) << i;
    }
  }
}

}  // namespace
