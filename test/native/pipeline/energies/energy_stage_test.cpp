#include "pipeline/energy_stage.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <numeric>
#include <optional>
#include <random>
#include <string>

#include "backend/cpu_kernels.h"
#include "core/error.h"
#include "default_options.h"
#include "pipeline/sampling/sampling.h"

namespace cps {
namespace {

using default_options::defaultPatch;

std::unique_ptr<Kernels> cpuKernels() {
  return makeCpuKernels({nullptr, 1, std::make_shared<CancelToken>()});
}

// CPU seconds of an energy for `frames` pictures, each at `repeats` positions.
double energySeconds(int32_t frames, int32_t repeats) {
  const auto kernels = cpuKernels();
  const PatchGrid grid = makePatchGrid(16, 16, 28 * 28, 28 * 28, 14);
  std::vector<int32_t> positions;
  for (int32_t d = 0; d < frames; ++d) positions.insert(positions.end(), repeats, d);
  std::vector<int64_t> ids(static_cast<size_t>(frames));
  std::iota(ids.begin(), ids.end(), 0);
  const PatchOptions options = defaultPatch();
  Profile profile;
  MemoryBudget budget(int64_t{1} << 40);
  const auto energy = makeEnergyStage({options, grid, ids, positions, *kernels, profile, budget});
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
  const std::vector<int64_t> ids = {0, 1, 2, 3, 4};
  for (const Energy energy :
       {Energy::Block, Energy::Adjacent, Energy::Accumulated, Energy::Reference}) {
    PatchOptions options = defaultPatch();
    options.energy = energy;
    const PatchGrid grid = makePatchGrid(kHeight, kWidth, 50176, 50176, 14);
    auto kernels = cpuKernels();
    Profile profile;
    MemoryBudget budget(int64_t{1} << 40);
    auto scoresOf = [&](const std::vector<int>& order) {
      auto stage = makeEnergyStage({options, grid, ids, positions, *kernels, profile, budget});
      for (const int d : order) stage->addFrame(d, view(d), view(d));
      const float* s = stage->scores();
      return std::vector<float>(s, s + positions.size() * static_cast<size_t>(grid.perFrame()));
    };
    const auto expected = scoresOf({0, 1, 2, 3, 4});
    EXPECT_EQ(scoresOf({4, 2, 0, 3, 1}), expected);
    EXPECT_EQ(scoresOf({3, 4, 1, 2, 0}), expected);
    for (int i = 0; i < grid.perFrame(); ++i) EXPECT_EQ(expected[static_cast<size_t>(i)], 0.0f);
    if (energy != Energy::Reference) {
      // Position 2 repeats position 1: no motion, no residual.
      for (int i = 0; i < grid.perFrame(); ++i) {
        EXPECT_EQ(expected[static_cast<size_t>(2 * grid.perFrame() + i)], 0.0f);
      }
    }
  }
}

struct Scene {
  static constexpr int kWidth = 200, kHeight = 150;
  std::vector<std::vector<uint8_t>> luma;

  explicit Scene(int frames) {
    std::mt19937 rng(7);
    for (int i = 0; i < frames; i++) {
      luma.emplace_back(kWidth * kHeight);
      for (int y = 0; y < kHeight; y++) {
        for (int x = 0; x < kWidth; x++) {
          luma.back()[static_cast<size_t>(y * kWidth + x)] =
              static_cast<uint8_t>((x + 3 * i) * 5 + y * (x / 50) + static_cast<int>(rng() % 9));
        }
      }
    }
  }
  FrameView view(int i) const {
    FrameView v;
    v.width = kWidth;
    v.height = kHeight;
    v.planes = 1;
    v.plane[0].data = luma[static_cast<size_t>(i)].data();
    v.plane[0].stride = kWidth;
    return v;
  }
};

struct Scored {
  std::vector<float> scores;
  std::optional<EnergyMaps> maps;
};

Scored scored(const PatchOptions& options, const std::vector<int32_t>& positions,
              const std::vector<int>& order, MemoryBudget& budget) {
  const Scene scene(static_cast<int>(order.size()));
  std::vector<int64_t> ids(order.size());
  std::iota(ids.begin(), ids.end(), 0);
  const PatchGrid grid = makePatchGrid(Scene::kHeight, Scene::kWidth, 50176, 50176, 14);
  const auto kernels = cpuKernels();
  Profile profile;
  auto stage = makeEnergyStage({options, grid, ids, positions, *kernels, profile, budget});
  for (const int d : order) stage->addFrame(d, scene.view(d), scene.view(d));
  stage->finish();
  const float* s = stage->scores();
  return {std::vector<float>(s, s + positions.size() * static_cast<size_t>(grid.perFrame())),
          stage->takeMaps()};
}

// Scores that are made of maps that are kept are those that are made at once, in any order.
TEST(EnergyStage, MapsAndScopesDoNotDependOnTheOrderOfArrival) {
  MemoryBudget budget(int64_t{1} << 40);
  const std::vector<int32_t> positions = {0, 1, 1, 2, 3, 4};
  for (const Energy energy : {Energy::Block, Energy::Adjacent, Energy::Accumulated}) {
    PatchOptions options = defaultPatch();
    options.energy = energy;
    const Scored plain = scored(options, positions, {0, 1, 2, 3, 4}, budget);
    EXPECT_FALSE(plain.maps);
    options.maps = true;
    const Scored withMaps = scored(options, positions, {0, 1, 2, 3, 4}, budget);
    EXPECT_EQ(withMaps.scores, plain.scores);
    ASSERT_TRUE(withMaps.maps);
    EXPECT_EQ(static_cast<bool>(withMaps.maps->motion2), energy != Energy::Accumulated);
    options.energyScope = EnergyScope::Video;
    options.intraEnergy = IntraEnergy::Texture;
    if (energy != Energy::Accumulated) options.globalMotion = GlobalMotion::Subtract;
    const Scored all = scored(options, positions, {0, 1, 2, 3, 4}, budget);
    EXPECT_NE(all.scores, plain.scores);
    EXPECT_EQ(scored(options, positions, {3, 4, 1, 2, 0}, budget).scores, all.scores);
  }
}

TEST(EnergyStage, KeptMapsCountAgainstTheBudgetAndAreGivenBack) {
  PatchOptions options = defaultPatch();
  options.energy = Energy::Adjacent;
  options.energyScope = EnergyScope::Video;
  MemoryBudget small(100'000);
  try {
    scored(options, {0, 1, 2, 3}, {0, 1, 2, 3}, small);
    FAIL() << "more was taken than there is";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::OutOfMemory);
    EXPECT_NE(std::string(error.what()).find("energyScope"), std::string::npos) << error.what();
  }
  MemoryBudget enough(1'000'000);
  for (int i = 0; i < 20; i++) scored(options, {0, 1, 2, 3}, {0, 1, 2, 3}, enough);
  EXPECT_EQ(enough.left(), 1'000'000);
}

}  // namespace
}  // namespace cps
