#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <numeric>
#include <random>

#include "core/error.h"
#include "default_options.h"
#include "ops/kernels.h"
#include "pipeline/energy_stage.h"
#include "pipeline/sampling.h"
#include "pipeline/selection.h"

namespace cps {
namespace {

using default_options::defaultPatch;

std::unique_ptr<Kernels> cpuKernels() {
  return makeCpuKernels({nullptr, 1, std::make_shared<CancelToken>()});
}

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

// CPU seconds of an energy for `frames` pictures, each at `repeats` positions.
double energySeconds(int32_t frames, int32_t repeats) {
  const auto kernels = cpuKernels();
  const PatchGrid grid = makePatchGrid(16, 16, 28 * 28, 28 * 28, 14);
  std::vector<int32_t> positions;
  for (int32_t d = 0; d < frames; ++d) positions.insert(positions.end(), repeats, d);
  Profile profile;
  const auto energy = makeEnergyStage(defaultPatch(), grid, positions, *kernels, profile);
  std::vector<uint8_t> luma(256);
  FrameView view;
  view.width = view.height = 16;
  view.planes = 1;
  view.bitDepth = 8;
  view.plane[0] = {luma.data(), 16, 1, 0};
  const auto now = [] {
    timespec time = {};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  };
  const double start = now();
  for (int32_t d = 0; d < frames; ++d) energy->addFrame(d, view, view);
  return now() - start;
}

// Each picture looked at every position: at 60,000 of them that took most of a call.
TEST(EnergyStage, APictureCostsTheSameHoweverManyThereAre) {
  const double few = energySeconds(2'000, 1) / 2'000;
  EXPECT_LT(energySeconds(60'000, 1) / 60'000, 3 * few + 5e-6);
  EXPECT_LT(energySeconds(100, 600) / 60'000, 3 * few + 5e-6);
}

TEST(Sampling, FirstFrameIsIWhenNoneIs) {
  EXPECT_EQ(withFirstFrameRule(std::vector<uint8_t>{0, 0, 0}), (std::vector<uint8_t>{1, 0, 0}));
  EXPECT_EQ(withFirstFrameRule(std::vector<uint8_t>{0, 1, 0}), (std::vector<uint8_t>{0, 1, 0}));
}

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
  auto kernels = cpuKernels();
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
    const auto got = selectPatches({scores.data(), isI, grid}, options, *kernels);

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

TEST(StaticFallback, SpreadsOverOtherFramesOnlyWhenTheClipIsStatic) {
  PatchOptions options = defaultPatch();
  options.staticFallback = true;
  const std::vector<uint8_t> isI = {1, 0, 0, 0, 0, 0, 0, 0, 0};
  std::vector<float> units(isI.size() * 10, 0.001f);
  units[25] = 0.5f;
  auto boosts = staticFallbackBoosts(units, isI, 10, 196, options);
  // n = 8 others, f = 4: positions 0, 2, 4, 6 of the others are frames 1, 3, 5, 7.
  const float boost = 0.5f - 0.001f + 1.0f;
  EXPECT_EQ(boosts, (std::vector<float>{0, boost, 0, boost, 0, boost, 0, boost, 0}));
  for (float& u : units) u = 196.0f;  // mean 1: anything but static
  boosts = staticFallbackBoosts(units, isI, 10, 196, options);
  EXPECT_EQ(boosts, std::vector<float>(isI.size(), 0.0f));
  options.staticUniformFrames = 0;
  std::fill(units.begin(), units.end(), 0.0f);
  boosts = staticFallbackBoosts(units, isI, 10, 196, options);
  EXPECT_EQ(boosts, std::vector<float>(isI.size(), 0.0f));
}

TEST(StaticFallback, RelativeRuleNeedsASmallSpread) {
  PatchOptions options = defaultPatch();
  options.staticAbsThresh = 0.5;  // p95 between a and 2a: only the spread decides
  options.staticUniformFrames = 1;
  const std::vector<uint8_t> isI = {1, 0};
  std::vector<float> units(40, 0.8f);
  EXPECT_GT(staticFallbackBoosts(units, isI, 20, 1, options)[1], 0.0f);
  for (size_t i = 0; i < 30; ++i) units[i] = 0.1f;
  EXPECT_EQ(staticFallbackBoosts(units, isI, 20, 1, options)[1], 0.0f);
}

// Random pictures fed in random order must give what feeding them in order gives.
TEST(EnergyStage, OrderOfArrivalDoesNotMatter) {
  std::mt19937 rng(3);
  constexpr int kWidth = 200, kHeight = 150, kFrames = 5;
  std::vector<std::vector<uint8_t>> luma(kFrames, std::vector<uint8_t>(kWidth * kHeight));
  for (auto& p : luma) {
    for (auto& v : p) v = static_cast<uint8_t>(rng());
  }
  auto view = [&](int i) {
    FrameView v;
    v.width = kWidth;
    v.height = kHeight;
    v.planes = 1;
    v.plane[0].data = luma[static_cast<size_t>(i)].data();
    v.plane[0].stride = kWidth;
    return v;
  };
  const std::vector<int32_t> positions = {0, 1, 1, 2, 3, 4};
  for (const Energy energy : {Energy::Block, Energy::Reference}) {
    PatchOptions options = defaultPatch();
    options.energy = energy;
    const PatchGrid grid = makePatchGrid(kHeight, kWidth, 50176, 50176, 14);
    auto kernels = cpuKernels();
    Profile profile;
    auto scoresOf = [&](const std::vector<int>& order) {
      auto stage = makeEnergyStage(options, grid, positions, *kernels, profile);
      for (const int d : order) stage->addFrame(d, view(d), view(d));
      const float* s = stage->scores();
      return std::vector<float>(s, s + positions.size() * static_cast<size_t>(grid.perFrame()));
    };
    const auto expected = scoresOf({0, 1, 2, 3, 4});
    EXPECT_EQ(scoresOf({4, 2, 0, 3, 1}), expected);
    EXPECT_EQ(scoresOf({3, 4, 1, 2, 0}), expected);
    for (int i = 0; i < grid.perFrame(); ++i) EXPECT_EQ(expected[static_cast<size_t>(i)], 0.0f);
    if (energy == Energy::Block) {
      // Position 2 repeats position 1: no motion, no residual.
      for (int i = 0; i < grid.perFrame(); ++i) {
        EXPECT_EQ(expected[static_cast<size_t>(2 * grid.perFrame() + i)], 0.0f);
      }
    }
  }
}

}  // namespace
}  // namespace cps
