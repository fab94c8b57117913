#include "pipeline/selection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "default_options.h"
#include "naive/select.h"
#include "pipeline/sampling/sampling.h"

namespace cps {
namespace {

using default_options::defaultPatch;

// The text of DESIGN section 4.4, with sorting instead of keys.
std::vector<int32_t> naiveSelect(std::vector<float> units, const std::vector<uint8_t>& isI,
                                 int32_t perFrame, int64_t k, const std::vector<float>& boosts) {
  for (size_t i = 0; i < units.size(); ++i) units[i] += boosts[i / static_cast<size_t>(perFrame)];
  auto ranked = [&](bool wantI) {
    std::vector<int32_t> order;
    for (int32_t i = 0; i < static_cast<int32_t>(units.size()); ++i) {
      if ((isI[static_cast<size_t>(i / perFrame)] != 0) == wantI) order.push_back(i);
    }
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
      return units[static_cast<size_t>(a)] > units[static_cast<size_t>(b)];
    });
    return order;
  };
  std::vector<int32_t> chosen = ranked(true);
  if (static_cast<int64_t>(chosen.size()) >= k) {
    chosen.resize(static_cast<size_t>(k));
  } else {
    const auto rest = ranked(false);
    chosen.insert(chosen.end(), rest.begin(),
                  rest.begin() + (k - static_cast<int64_t>(chosen.size())));
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

TEST(Selection, EqualsSortingOnRandomScoresWithTies) {
  std::mt19937 rng(7);
  for (int round = 0; round < 200; ++round) {
    PatchGrid grid;
    grid.patchSize = 14;
    grid.rows = 2 * (1 + static_cast<int>(rng() % 4));
    grid.cols = 2 * (1 + static_cast<int>(rng() % 4));
    const auto frames = 1 + rng() % 6;
    std::vector<uint8_t> isI(frames);
    for (auto& f : isI) f = rng() % 3 == 0;
    isI = withFirstFrameRule(isI);
    std::vector<float> scores(frames * static_cast<size_t>(grid.perFrame()));
    for (auto& s : scores) s = static_cast<float>(rng() % 9) * 0.5f;
    PatchOptions options = defaultPatch();
    const bool blocks = round % 2 == 1;
    options.selectionUnit = blocks ? SelectionUnit::Block2x2 : SelectionUnit::Patch;
    options.kKeep = 4 * (1 + static_cast<int64_t>(rng() % 40));
    const auto got = selectPatches({scores, isI, grid}, options, nullptr);

    std::vector<float> units = scores;
    int32_t perFrame = grid.perFrame();
    if (blocks) {
      perFrame /= 4;
      units.clear();
      for (size_t t = 0; t < frames; ++t) {
        for (int r = 0; r < grid.rows; r += 2) {
          for (int c = 0; c < grid.cols; c += 2) {
            const size_t base = (t * static_cast<size_t>(grid.rows) + static_cast<size_t>(r)) *
                                    static_cast<size_t>(grid.cols) +
                                static_cast<size_t>(c);
            const auto cols = static_cast<size_t>(grid.cols);
            units.push_back(((scores[base] + scores[base + 1]) + scores[base + cols]) +
                            scores[base + cols + 1]);
          }
        }
      }
    }
    const auto k = std::min<int64_t>(blocks ? options.kKeep / 4 : options.kKeep,
                                     static_cast<int64_t>(units.size()));
    const auto expected = naiveSelect(units, isI, perFrame, k, std::vector<float>(frames, 0.0f));
    if (!blocks) {
      EXPECT_EQ(got, expected);
      continue;
    }
    ASSERT_EQ(got.size(), expected.size() * 4);
    for (size_t i = 0; i < expected.size(); ++i) {
      const int32_t t = expected[i] / perFrame;
      const int32_t r = expected[i] % perFrame / (grid.cols / 2) * 2;
      const int32_t c = expected[i] % perFrame % (grid.cols / 2) * 2;
      const int32_t base = (t * grid.rows + r) * grid.cols + c;
      EXPECT_EQ(std::vector<int32_t>(got.begin() + static_cast<long>(i * 4),
                                     got.begin() + static_cast<long>(i * 4 + 4)),
                (std::vector<int32_t>{base, base + 1, base + grid.cols, base + grid.cols + 1}));
    }
  }
}

TEST(Selection, BestUnitsAgainstStableSort) {
  std::mt19937 rng(5);
  for (int round = 0; round < 300; round++) {
    const int frames = 1 + rng() % 9, units = 1 + rng() % 60, kind = round % 4;
    std::vector<float> scores(size_t(frames) * units), boosted;
    std::vector<uint8_t> isI(frames);
    std::vector<float> boost(frames);
    for (int t = 0; t < frames; t++) {
      isI[t] = rng() % 3 == 0;
      boost[t] = round % 5 == 0 && !isI[t] ? float(rng() % 2) * 7.25f : 0.0f;
    }
    for (float& s : scores) {
      s = kind == 0   ? 0.0f
          : kind == 1 ? float(rng() % 4)
          : kind == 2 ? float(rng()) * 1e-9f
                      : std::ldexp(float(rng() % 1000), -140);
    }
    std::vector<bool> unitIsI;
    for (size_t i = 0; i < scores.size(); i++) {
      unitIsI.push_back(isI[i / units] != 0);
      boosted.push_back(scores[i] + boost[i / units]);
    }
    for (const int64_t k :
         {int64_t{1}, int64_t(1 + rng() % scores.size()), int64_t(scores.size())}) {
      const auto got = bestUnits({scores, units}, isI, boost, k, nullptr);
      ASSERT_EQ(naive::topK(boosted, unitIsI, k), got) << "round " << round << " k " << k;
    }
  }
}

TEST(Selection, ScoresAreOrderedWhateverTheyAre) {
  const float inf = std::numeric_limits<float>::infinity();
  // Worst to best; -0 is no worse than 0, so those two are kept apart by their index.
  const std::vector<float> scores = {std::nanf(""), -inf,   -1e30f, -2.0f, -1e-45f, 0.0f, -0.0f,
                                     1e-45f,        1e-30f, 0.5f,   1.0f,  3e38f,   inf};
  const auto n = static_cast<int32_t>(scores.size());
  const std::vector<uint8_t> isI = {0};
  const std::vector<float> boosts = {0};
  for (int32_t k = 1; k <= n; k++) {
    std::vector<int32_t> expected;
    for (int32_t i = n - k; i < n; i++) expected.push_back(i);
    if (k == 7) expected[0] = 5;  // of 0 and -0 the lower index
    EXPECT_EQ(expected, bestUnits({scores, n}, isI, boosts, k, nullptr)) << k;
  }
}

TEST(Selection, AnyUnitOfAnIFrameComesBeforeAllOthers) {
  const std::vector<float> scores = {std::numeric_limits<float>::infinity(), 3, 0, -1};
  EXPECT_EQ((std::vector<int32_t>{0, 2, 3}), bestUnits({scores, 2}, std::vector<uint8_t>{0, 1},
                                                       std::vector<float>{0, 0}, 3, nullptr));
}

TEST(Selection, Block2x2AgainstNaive) {
  std::mt19937 rng(6);
  for (const auto& [rows, cols] : {std::pair{2, 2}, std::pair{4, 6}, std::pair{12, 22}}) {
    PatchGrid grid;
    grid.rows = rows;
    grid.cols = cols;
    const int frames = 3;
    std::vector<float> scores(size_t(frames) * rows * cols), expected;
    for (float& s : scores) s = float(rng()) * 1e-8f;
    for (int t = 0; t < frames; t++) {
      const auto begin = scores.begin() + size_t(t) * rows * cols;
      const auto part = naive::blocks(std::vector<float>(begin, begin + rows * cols), rows, cols);
      expected.insert(expected.end(), part.begin(), part.end());
    }
    EXPECT_EQ(expected, block2x2Scores(scores, grid));
  }
}

TEST(Selection, HearsCancellation) {
  const auto cancel = std::make_shared<CancelToken>();
  cancel->cancel();
  const std::vector<float> scores(4);
  PatchGrid grid;
  grid.rows = grid.cols = 2;
  EXPECT_THROW(selectPatches({scores, std::vector<uint8_t>{1}, grid}, defaultPatch(), cancel),
               Error);
}

TEST(StaticFallback, SpreadsOverOtherFramesOnlyWhenTheClipIsStatic) {
  PatchOptions options = defaultPatch();
  options.staticFallback = true;
  const std::vector<uint8_t> isI = {1, 0, 0, 0, 0, 0, 0, 0, 0};
  std::vector<float> units(isI.size() * 10, 0.001f);
  units[25] = 0.5f;
  auto boosts = staticFallbackBoosts({units, 10}, isI, 196, options);
  // n = 8 others, f = 4: positions 0, 2, 4, 6 of the others are frames 1, 3, 5, 7.
  const float boost = 0.5f - 0.001f + 1.0f;
  EXPECT_EQ(boosts, (std::vector<float>{0, boost, 0, boost, 0, boost, 0, boost, 0}));
  for (float& u : units) u = 196.0f;  // mean 1: anything but static
  boosts = staticFallbackBoosts({units, 10}, isI, 196, options);
  EXPECT_EQ(boosts, std::vector<float>(isI.size(), 0.0f));
  options.staticUniformFrames = 0;
  std::fill(units.begin(), units.end(), 0.0f);
  boosts = staticFallbackBoosts({units, 10}, isI, 196, options);
  EXPECT_EQ(boosts, std::vector<float>(isI.size(), 0.0f));
}

TEST(StaticFallback, RelativeRuleNeedsASmallSpread) {
  PatchOptions options = defaultPatch();
  options.staticAbsThresh = 0.5;  // p95 between a and 2a: only the spread decides
  options.staticUniformFrames = 1;
  const std::vector<uint8_t> isI = {1, 0};
  std::vector<float> units(40, 0.8f);
  EXPECT_GT(staticFallbackBoosts({units, 20}, isI, 1, options)[1], 0.0f);
  for (size_t i = 0; i < 30; ++i) units[i] = 0.1f;
  EXPECT_EQ(staticFallbackBoosts({units, 20}, isI, 1, options)[1], 0.0f);
}

}  // namespace
}  // namespace cps
