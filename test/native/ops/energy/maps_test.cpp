// Energies on cell maps (Note [Cell maps]) against naive/energy_maps.h.

#include <random>

#include "naive/energy_maps.h"
#include "ops/ops_common.h"

namespace {

using namespace ops_test;

TEST(OpsPyramid, CellsOfEveryLevelAndFrameKind) {
  const auto variants = allKernels();
  uint32_t seed = 40;
  for (const auto& [h, w] : {std::pair{65, 70}, std::pair{130, 141}}) {
    for (const auto& spec : naive::frameSpecs(w, h, seed++)) {
      const naive::TestFrame frame(spec);
      const auto grid = cps::makePyramidGrid(frame.view.displayHeight(), frame.view.displayWidth());
      for (int l = 0; l < grid.levels; l++) {
        const auto expected = naive::cells(frame.view, 0, 0, grid.level[l].cell);
        ASSERT_EQ(expected.height, grid.level[l].rows);
        ASSERT_EQ(expected.width, grid.level[l].cols);
        std::vector<uint8_t> out(static_cast<size_t>(grid.level[l].cells()));
        for (const auto& v : variants) {
          v.kernels->lumaCells(frame.view, grid.level[l], out.data());
          expectEqual(expected, out.data(), v.name + ": " + naive::describe(spec));
        }
      }
      if (HasFatalFailure()) return;
    }
  }
}

enum class Scene { Noise, Flat, Moved, MovedFar, TwoValues, Extreme };
constexpr Scene kScenes[] = {Scene::Noise,    Scene::Flat,      Scene::Moved,
                             Scene::MovedFar, Scene::TwoValues, Scene::Extreme};

// Samples of a picture and of the one before it; shared parts of both move.
naive::Map<int> picture(int h, int w, Scene scene, bool before, uint32_t seed) {
  std::mt19937 rng(seed + (before ? 1 : 0));
  naive::Map<int> m(h, w);
  const int far = scene == Scene::MovedFar ? 5 : 1;
  for (int y = 0; y < h; y++) {
    for (int x = 0; x < w; x++) {
      const int yy = before ? y + 3 * far : y, xx = before ? x - 2 * far : x;
      int& v = m.at(y, x);
      switch (scene) {
        case Scene::Noise:
          v = int(rng() & 255);
          break;
        case Scene::Flat:
          v = before ? 17 : 16;
          break;
        case Scene::Moved:
        case Scene::MovedFar:
          v = int(127 + 60 * std::sin(yy * 0.21) + 60 * std::cos(xx * 0.13 + yy * 0.05)) +
              int(rng() & 3);
          break;
        case Scene::TwoValues:
          v = rng() & 1 ? 8 : 12;
          break;
        case Scene::Extreme:
          v = before ? 255 : 0;
          break;
      }
    }
  }
  return m;
}

std::vector<naive::Map<int>> levelsOf(const naive::Map<int>& samples) {
  std::vector<naive::Map<int>> out;
  for (int c = naive::cellSize(samples.height, samples.width); c >= 1; c /= 2) {
    naive::Map<int> level((samples.height + c - 1) / c, (samples.width + c - 1) / c);
    for (int y = 0; y < level.height; y++) {
      for (int x = 0; x < level.width; x++) {
        int sum = 0, n = 0;
        for (int yy = y * c; yy < std::min(samples.height, y * c + c); yy++) {
          for (int xx = x * c; xx < std::min(samples.width, x * c + c); xx++, n++) {
            sum += samples.at(yy, xx);
          }
        }
        level.at(y, x) = (2 * sum + n) / (2 * n);
      }
    }
    out.push_back(level);
  }
  return out;
}

std::vector<std::vector<uint8_t>> bytesOf(const std::vector<naive::Map<int>>& levels) {
  std::vector<std::vector<uint8_t>> out;
  for (const auto& level : levels) out.emplace_back(level.values.begin(), level.values.end());
  return out;
}

std::vector<const uint8_t*> addressesOf(const std::vector<std::vector<uint8_t>>& levels) {
  std::vector<const uint8_t*> out;
  for (const auto& level : levels) out.push_back(level.data());
  return out;
}

void checkAdjacent(const std::vector<Variant>& variants, int h, int w, Scene scene, uint32_t seed) {
  const std::string what =
      std::to_string(w) + "x" + std::to_string(h) + " scene " + std::to_string(int(scene));
  const auto cur = levelsOf(picture(h, w, scene, false, seed));
  const auto prev = levelsOf(picture(h, w, scene, true, seed));
  const auto expected = naive::pyramidMatch(cur, prev);
  const auto grid = cps::makePyramidGrid(h, w);
  ASSERT_EQ(grid.levels, int(cur.size()));
  const auto curBytes = bytesOf(cur), prevBytes = bytesOf(prev);
  const auto curAt = addressesOf(curBytes), prevAt = addressesOf(prevBytes);
  for (const auto& v : variants) {
    std::vector<cps::Move> moves(static_cast<size_t>(grid.last().blocks()));
    std::vector<uint8_t> residual(static_cast<size_t>(grid.last().cells()));
    v.kernels->pyramidMatch(curAt.data(), prevAt.data(), grid, moves.data(), residual.data());
    cps::CellMaps maps;
    maps.cells = grid.last();
    maps.log2Block = grid.levels + 1;
    maps.moves = moves.data();
    maps.residual = residual.data();
    for (int y = 0; y < h; y++) {
      for (int x = 0; x < w; x++) {
        const cps::Move& m =
            moves[(y >> maps.log2Block) * grid.last().blockCols + (x >> maps.log2Block)];
        ASSERT_EQ(expected.dy.at(y, x), m.dy) << v.name << ": " << what << " y " << y << " x " << x;
        ASSERT_EQ(expected.dx.at(y, x), m.dx) << v.name << ": " << what << " y " << y << " x " << x;
      }
    }
    expectEqual(expected.residual, residual.data(), v.name + ": " + what + " residual");
    // What most of it does is taken off, for scores by given percentiles.
    std::vector<cps::Move> still = moves;
    v.kernels->subtractGlobalMotion(maps, still.data());
    cps::CellMaps stillMaps = maps;
    stillMaps.moves = still.data();
    const auto expectedStill = naive::withoutGlobalMotion(expected, 1 << maps.log2Block);
    for (int y = 0; y < h; y++) {
      for (int x = 0; x < w; x++) {
        const cps::Move& m =
            still[(y >> maps.log2Block) * grid.last().blockCols + (x >> maps.log2Block)];
        ASSERT_EQ(expectedStill.dy.at(y, x), m.dy) << v.name << ": " << what << " still";
        ASSERT_EQ(expectedStill.dx.at(y, x), m.dx) << v.name << ": " << what << " still";
      }
    }
    {
      cps::CellCounts counts;
      v.kernels->countCells(stillMaps, counts);
      const auto squares = naive::squared(expectedStill);
      const auto percentiles = cps::percentilesOf(counts, 95);
      ASSERT_EQ(counts.cells, int64_t{h} * w);
      ASSERT_EQ(percentiles.motion2, naive::percentile(squares.motion2.values, 95)) << what;
      ASSERT_EQ(percentiles.residual, naive::percentile(squares.residual.values, 95)) << what;
      const auto patches = cps::makePatchGrid(h, w, 50176, 50176, 14);
      const auto scores = naive::blockScores(naive::blockEnergy(squares, 95), h, w, patches.rows,
                                             patches.cols, 14, 1);
      std::vector<float> got(static_cast<size_t>(patches.perFrame()));
      v.kernels->cellScores(stillMaps, patches, percentiles, got.data());
      expectEqual(scores, got.data(), v.name + ": " + what + " still score");
      if (testing::Test::HasFatalFailure()) return;
    }
    for (const auto& [pct, pixels, patch] : std::vector<std::tuple<double, int, int>>{
             {95, 50176, 14}, {50, 20000, 16}, {100, 3000, 5}}) {
      const auto patches = cps::makePatchGrid(h, w, pixels, pixels, patch);
      const auto scores = naive::blockScores(naive::blockEnergy(naive::squared(expected), pct), h,
                                             w, patches.rows, patches.cols, patch, 1);
      std::vector<float> got(static_cast<size_t>(patches.perFrame()));
      v.kernels->cellScores(maps, patches, pct, got.data());
      expectEqual(scores, got.data(), v.name + ": " + what + " score");
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(OpsPyramid, MatchAndScoresAgainstNaive) {
  const auto variants = allKernels();
  uint32_t seed = 100;
  for (const auto& [h, w] : sizes()) {
    for (const Scene scene : kScenes) {
      checkAdjacent(variants, h, w, scene, seed++);
      if (HasFatalFailure()) return;
    }
  }
}

// Displacements that only the last level can see are found, whatever the first made of them.
TEST(OpsPyramid, FindsWhatMoved) {
  const auto variants = allKernels();
  constexpr int kSide = 256;
  for (const auto& [my, mx] : {std::pair{1, 0}, std::pair{-3, 2}, std::pair{9, -13}}) {
    const auto texture = [](int y, int x) {
      return int(127 + 60 * std::sin(y * 0.23 + x * 0.05) + 60 * std::cos(x * 0.19 - y * 0.07));
    };
    naive::Map<int> cur(kSide, kSide), prev(kSide, kSide);
    for (int y = 0; y < kSide; y++) {
      for (int x = 0; x < kSide; x++) {
        cur.at(y, x) = texture(y, x);
        prev.at(y, x) = texture(y + my, x + mx);
      }
    }
    const auto curBytes = bytesOf(levelsOf(cur)), prevBytes = bytesOf(levelsOf(prev));
    const auto curAt = addressesOf(curBytes), prevAt = addressesOf(prevBytes);
    const auto grid = cps::makePyramidGrid(kSide, kSide);
    for (const auto& v : variants) {
      std::vector<cps::Move> moves(static_cast<size_t>(grid.last().blocks()));
      std::vector<uint8_t> residual(static_cast<size_t>(grid.last().cells()));
      v.kernels->pyramidMatch(curAt.data(), prevAt.data(), grid, moves.data(), residual.data());
      int right = 0, inner = 0;
      for (int by = 2; by < grid.last().blockRows - 2; by++) {
        for (int bx = 2; bx < grid.last().blockCols - 2; bx++, inner++) {
          const cps::Move& m = moves[static_cast<size_t>(by * grid.last().blockCols + bx)];
          right += m.dy == my && m.dx == mx;
        }
      }
      EXPECT_GT(right, inner * 7 / 10) << v.name << " moved by " << my << ", " << mx;
    }
  }
}

TEST(OpsTexture, IsWhatNeighboursDifferBy) {
  const auto variants = allKernels();
  std::mt19937 rng(8);
  for (const auto& [h, w] : sizes()) {
    const auto grid = cps::makeCellGrid(h, w);
    naive::Map<int> cells(grid.rows, grid.cols);
    for (int& v : cells.values) v = int(rng() & 255);
    const std::vector<uint8_t> bytes(cells.values.begin(), cells.values.end());
    const auto expected = naive::texture(cells);
    for (const auto& v : variants) {
      std::vector<uint8_t> narrow(bytes.size());
      v.kernels->cellTexture(bytes.data(), grid, 1, narrow.data());
      expectEqual(expected, narrow.data(), v.name);
      std::vector<uint16_t> wide(bytes.size());
      v.kernels->cellTexture(bytes.data(), grid, 2, wide.data());
      expectEqual(expected, wide.data(), v.name + " wide");
    }
    if (HasFatalFailure()) return;
  }
}

TEST(OpsAccumulated, DifferencesAddUpAndSaturate) {
  const auto variants = allKernels();
  std::mt19937 rng(5);
  for (const int64_t count : {1, 15, 16, 33, 1000}) {
    std::vector<uint8_t> a(static_cast<size_t>(count)), b(a.size());
    std::vector<uint16_t> start(a.size());
    for (size_t i = 0; i < a.size(); i++) {
      a[i] = uint8_t(rng());
      b[i] = uint8_t(rng());
      start[i] = uint16_t(i % 3 == 0 ? 65535 - rng() % 256 : rng() % 1000);
    }
    for (const auto& v : variants) {
      std::vector<uint16_t> sums = start;
      v.kernels->addDifferences(a.data(), b.data(), count, sums.data());
      for (size_t i = 0; i < a.size(); i++) {
        ASSERT_EQ(std::min(65535, start[i] + std::abs(a[i] - b[i])), sums[i]) << v.name << " " << i;
      }
    }
  }
}

TEST(OpsAccumulated, ScoresAgainstNaive) {
  const auto variants = allKernels();
  std::mt19937 rng(6);
  for (const auto& [h, w] : sizes()) {
    for (const int most : {0, 3, 700, 65535}) {
      cps::CellMaps maps;
      maps.cells = cps::makeCellGrid(h, w);
      maps.residualBytes = 2;
      naive::Map<int> sums(maps.cells.rows, maps.cells.cols);
      for (int& v : sums.values) v = int(rng() % uint32_t(most + 1));
      const std::vector<uint16_t> bytes(sums.values.begin(), sums.values.end());
      maps.residual = bytes.data();
      for (const double pct : {95.0, 30.0}) {
        const auto patches = cps::makePatchGrid(h, w, 20000, 20000, 14);
        const auto expected = naive::blockScores(naive::accumulatedEnergy(sums, pct), h, w,
                                                 patches.rows, patches.cols, 14);
        for (const auto& v : variants) {
          std::vector<float> got(static_cast<size_t>(patches.perFrame()));
          v.kernels->cellScores(maps, patches, pct, got.data());
          expectEqual(expected, got.data(), v.name + " most " + std::to_string(most));
        }
        if (HasFatalFailure()) return;
      }
    }
  }
}

}  // namespace
