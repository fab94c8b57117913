#include <cstring>
#include <random>

#include "ops/ops_common.h"

namespace {

using namespace ops_test;

TEST(OpsCells, EveryFrameKindAgainstNaive) {
  const auto variants = allKernels();
  uint32_t seed = 1;
  for (const auto& [h, w] : sizes()) {
    for (const auto& spec : naive::frameSpecs(w, h, seed++)) {
      const naive::TestFrame frame(spec);
      const auto expected = naive::cells(frame.view);
      const auto grid = cps::makeCellGrid(frame.view.displayHeight(), frame.view.displayWidth());
      ASSERT_EQ(expected.height, grid.rows);
      ASSERT_EQ(expected.width, grid.cols);
      std::unique_ptr<uint8_t[]> out(new uint8_t[grid.cells()]);
      for (const auto& v : variants) {
        v.kernels->lumaCells(frame.view, grid, out.get());
        expectEqual(expected, out.get(), v.name + ": " + naive::describe(spec));
      }
      if (HasFatalFailure()) return;
    }
  }
}

// Note [Sizes]
TEST(OpsCells, PicturesOfOtherSizesThanTheVideo) {
  const auto variants = allKernels();
  constexpr int kHeight = 129, kWidth = 202;
  const auto cells = cps::makeCellGrid(kHeight, kWidth);
  const auto reference = cps::makeReferenceGrid(kHeight, kWidth);
  std::vector<uint8_t> cell(static_cast<size_t>(cells.cells()));
  std::vector<float> luma(static_cast<size_t>(reference.cells()));
  uint32_t seed = 1;
  for (const auto& [h, w] : sizes()) {
    for (const auto& spec : naive::frameSpecs(w, h, seed++)) {
      const naive::TestFrame frame(spec);
      const auto expected = naive::cells(frame.view, kHeight, kWidth);
      const auto expectedLuma = naive::referenceLuma(frame.view, kHeight, kWidth);
      for (const auto& v : variants) {
        v.kernels->lumaCells(frame.view, cells, cell.data());
        expectEqual(expected, cell.data(), v.name + ": " + naive::describe(spec));
        v.kernels->referenceLuma(frame.view, reference, luma.data());
        expectEqual(expectedLuma, luma.data(), v.name + ": luma, " + naive::describe(spec));
      }
      if (HasFatalFailure()) return;
    }
  }
}

enum class Pair { Random, Flat, Shifted, TwoValues, Extreme, Gradient };

naive::Map<int> cellMap(int h, int w, Pair kind, bool second, std::mt19937& rng) {
  naive::Map<int> m(h, w);
  for (int y = 0; y < h; y++) {
    for (int x = 0; x < w; x++) {
      int& v = m.at(y, x);
      const int yy = second ? y + 2 : y, xx = second ? x - 3 : x;
      switch (kind) {
        case Pair::Random:
          v = rng() & 255;
          break;
        case Pair::Flat:
          v = second ? 17 : 16;
          break;
        case Pair::Shifted:
          v = (yy * 37 + xx * 91 + yy * xx * 5) & 255;
          break;
        case Pair::TwoValues:
          v = rng() & 1 ? 8 : 12;
          break;
        case Pair::Extreme:
          v = second ? 255 : 0;
          break;
        case Pair::Gradient:
          v = (yy * 4 + xx * 4) & 255;
          break;
      }
    }
  }
  return m;
}

std::unique_ptr<uint8_t[]> bytes(const naive::Map<int>& m) {
  std::unique_ptr<uint8_t[]> out(new uint8_t[m.values.size()]);
  std::copy(m.values.begin(), m.values.end(), out.get());
  return out;
}

// Block match and scores of a pair, against naive.
void checkBlockEnergy(const std::vector<Variant>& variants, int h, int w, Pair kind,
                      uint32_t seed) {
  const std::string what =
      "frame " + std::to_string(w) + "x" + std::to_string(h) + " kind " + std::to_string(int(kind));
  std::mt19937 rng(seed);
  const auto grid = cps::makeCellGrid(h, w);
  const auto cur = cellMap(grid.rows, grid.cols, kind, false, rng);
  const auto prev = cellMap(grid.rows, grid.cols, kind, true, rng);
  const auto expected = naive::blockMatch(cur, prev);
  const auto curBytes = bytes(cur), prevBytes = bytes(prev);
  struct Shape {
    double pct;
    cps::PatchGrid patches;
    naive::Map<float> scores;
  };
  std::vector<Shape> shapes;
  for (const auto& [pct, pixels, patch] : std::vector<std::tuple<double, int, int>>{
           {95, 50176, 14}, {50, 20000, 16}, {100, 3000, 5}}) {
    const auto patches = cps::makePatchGrid(h, w, pixels, pixels, patch);
    const auto energy = naive::blockEnergy(expected, pct);
    shapes.push_back(
        {pct, patches, naive::blockScores(energy, h, w, patches.rows, patches.cols, patch)});
  }
  for (const auto& v : variants) {
    std::unique_ptr<uint8_t[]> motion2(new uint8_t[grid.blocks()]);
    std::unique_ptr<uint8_t[]> residual(new uint8_t[grid.cells()]);
    v.kernels->blockMatch(curBytes.get(), prevBytes.get(), grid, motion2.get(), residual.get());
    for (int y = 0; y < grid.rows; y++) {
      for (int x = 0; x < grid.cols; x++) {
        ASSERT_EQ(expected.motion2.at(y, x), motion2[y / 4 * grid.blockCols + x / 4])
            << v.name << ": " << what << " motion at y " << y << " x " << x;
      }
    }
    expectEqual(expected.residual, residual.get(), v.name + ": " + what + " residual");
    if (testing::Test::HasFatalFailure()) return;
    for (const Shape& s : shapes) {
      std::vector<float> got(s.patches.perFrame());
      v.kernels->blockScores(motion2.get(), residual.get(), grid, s.patches, s.pct, got.data());
      expectEqual(s.scores, got.data(),
                  v.name + ": " + what + " score, pct " + std::to_string(s.pct));
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(OpsBlockEnergy, MatchAndScoresAgainstNaive) {
  const auto variants = allKernels();
  uint32_t seed = 100;
  for (const auto& [h, w] : sizes()) {
    for (const Pair kind : {Pair::Random, Pair::Flat, Pair::Shifted, Pair::TwoValues, Pair::Extreme,
                            Pair::Gradient}) {
      checkBlockEnergy(variants, h, w, kind, seed++);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(OpsBlockEnergy, WideFrames) {
  const auto variants = allKernels();
  for (const auto& [h, w] : {std::pair{131, 1283}, std::pair{270, 517}, std::pair{1027, 140}}) {
    for (const Pair kind : {Pair::Random, Pair::Shifted}) {
      checkBlockEnergy(variants, h, w, kind, 5);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(OpsBlockEnergy, FlatAreasGetNoEnergy) {
  const auto variants = allKernels();
  const auto grid = cps::makeCellGrid(200, 300);
  std::vector<uint8_t> flat(grid.cells(), 90), motion2(grid.blocks(), 9), residual(grid.cells(), 9);
  const auto patches = cps::makePatchGrid(200, 300, 50176, 50176, 14);
  for (const auto& variant : variants) {
    variant.kernels->blockMatch(flat.data(), flat.data(), grid, motion2.data(), residual.data());
    for (const uint8_t v : motion2) EXPECT_EQ(0, v);
    for (const uint8_t v : residual) EXPECT_EQ(0, v);
    std::vector<float> scores(patches.perFrame(), -1.0f);
    variant.kernels->blockScores(motion2.data(), residual.data(), grid, patches, 95, scores.data());
    for (const float v : scores) EXPECT_EQ(0.0f, v);
    std::fill(motion2.begin(), motion2.end(), uint8_t{9});
  }
}

// The sum over what each patch shows of a cropped, padded or mirrored picture, counted in 1/unit
// samples: no weights at all.
std::vector<double> countedScores(const naive::Map<float>& energy, int cell,
                                  const cps::PatchGrid& grid) {
  std::vector<double> out(static_cast<size_t>(grid.perFrame()));
  const auto patchAt = [](const cps::PatchAxis& axis, int64_t q) {
    const int64_t i = (q - axis.offset) / axis.span;
    return axis.reversed ? axis.patches - 1 - i : i;
  };
  for (int64_t y = grid.y.begin; y < grid.y.end; y++) {
    for (int64_t x = grid.x.begin; x < grid.x.end; x++) {
      const auto at = static_cast<size_t>(patchAt(grid.y, y) * grid.cols + patchAt(grid.x, x));
      out[at] += static_cast<double>(energy.at(static_cast<int>(y / grid.y.unit / cell),
                                               static_cast<int>(x / grid.x.unit / cell)));
    }
  }
  const double area = static_cast<double>(grid.y.span) * static_cast<double>(grid.x.span);
  for (double& v : out) v *= grid.patchSize * grid.patchSize / area;
  return out;
}

TEST(OpsBlockEnergy, ScoresOfCroppedPictures) {
  const auto variants = allKernels();
  std::mt19937 rng(19);
  for (const auto& [h, w] : {std::pair{37, 53}, std::pair{66, 81}, std::pair{129, 141}}) {
    const auto cells = cps::makeCellGrid(h, w);
    const auto match = naive::blockMatch(cellMap(cells.rows, cells.cols, Pair::Random, false, rng),
                                         cellMap(cells.rows, cells.cols, Pair::Random, true, rng));
    std::vector<uint8_t> motion2(cells.blocks()), residual(cells.cells());
    for (int y = 0; y < cells.rows; y++) {
      for (int x = 0; x < cells.cols; x++) {
        motion2[y / 4 * cells.blockCols + x / 4] = uint8_t(match.motion2.at(y, x));
        residual[size_t(y) * cells.cols + x] = uint8_t(match.residual.at(y, x));
      }
    }
    for (int round = 0; round < 12; round++) {
      // The axis resized to `size`, of which [from, to) is shown `at` pixels into `patches` * 3.
      const auto axisOf = [&](int length) {
        const int size = 5 + int(rng() % 20), from = int(rng() % size);
        const int to = from + 1 + int(rng() % (size - from)), at = int(rng() % 9);
        cps::PatchAxis axis;
        axis.patches = (at + to - from + 2) / 3 + int(rng() % 3);  // perhaps padding alone
        axis.span = int64_t{3} * length;
        axis.unit = size;
        axis.offset = int64_t{from - at} * length;
        axis.begin = int64_t{from} * length;
        axis.end = int64_t{to} * length;
        return axis;
      };
      cps::PatchGrid grid;
      grid.frameHeight = h;
      grid.frameWidth = w;
      grid.patchSize = 3;
      grid.y = axisOf(h);
      grid.x = axisOf(w);
      grid.x.reversed = rng() % 2 == 0;
      grid.rows = grid.y.patches;
      grid.cols = grid.x.patches;
      const auto expected = countedScores(naive::blockEnergy(match, 90), cells.cell, grid);
      for (const auto& v : variants) {
        std::vector<float> got(grid.perFrame(), -1.0f);
        v.kernels->blockScores(motion2.data(), residual.data(), cells, grid, 90, got.data());
        v.kernels->synchronize();
        for (size_t i = 0; i < got.size(); i++) {
          ASSERT_NEAR(expected[i], got[i], 1e-4) << v.name << " round " << round << " patch " << i;
        }
      }
    }
  }
}

// The weights themselves against a mean that knows no weights.
TEST(OpsBlockEnergy, ScoresAreTheMeanOverTheCoveredArea) {
  const auto variants = allKernels();
  std::mt19937 rng(9);
  for (const auto& [h, w] : {std::pair{37, 53}, std::pair{66, 81}, std::pair{129, 141}}) {
    const auto grid = cps::makeCellGrid(h, w);
    const auto patches = cps::makePatchGrid(h, w, 900, 900, 3);
    const auto match = naive::blockMatch(cellMap(grid.rows, grid.cols, Pair::Random, false, rng),
                                         cellMap(grid.rows, grid.cols, Pair::Random, true, rng));
    const auto expected = naive::blockScoresByCounting(naive::blockEnergy(match, 90), h, w,
                                                       patches.rows, patches.cols, 3);
    std::vector<uint8_t> motion2(grid.blocks()), residual(grid.cells());
    for (int y = 0; y < grid.rows; y++) {
      for (int x = 0; x < grid.cols; x++) {
        motion2[y / 4 * grid.blockCols + x / 4] = uint8_t(match.motion2.at(y, x));
        residual[size_t(y) * grid.cols + x] = uint8_t(match.residual.at(y, x));
      }
    }
    std::vector<float> got(patches.perFrame());
    variants[0].kernels->blockScores(motion2.data(), residual.data(), grid, patches, 90,
                                     got.data());
    for (size_t i = 0; i < got.size(); i++) EXPECT_NEAR(expected.values[i], got[i], 1e-4);
  }
}

TEST(OpsReferenceEnergy, LumaOfEveryFrameKindAgainstNaive) {
  const auto variants = allKernels();
  uint32_t seed = 300;
  for (const auto& [h, w] : sizes()) {
    for (const auto& spec : naive::frameSpecs(w, h, seed++)) {
      const naive::TestFrame frame(spec);
      const auto expected = naive::referenceLuma(frame.view);
      const auto grid =
          cps::makeReferenceGrid(frame.view.displayHeight(), frame.view.displayWidth());
      std::unique_ptr<float[]> out(new float[grid.cells()]);
      for (const auto& v : variants) {
        v.kernels->referenceLuma(frame.view, grid, out.get());
        expectEqual(expected, out.get(), v.name + ": " + naive::describe(spec));
      }
      if (HasFatalFailure()) return;
    }
  }
}

TEST(OpsReferenceEnergy, MatchAndScoresAgainstNaive) {
  const auto variants = allKernels();
  std::mt19937 rng(17);
  for (const auto& [h, w] : sizes()) {
    for (int kind = 0; kind < 4; kind++) {
      const auto grid = cps::makeReferenceGrid(h, w);
      naive::Map<float> cur(grid.rows, grid.cols), prev(grid.rows, grid.cols);
      for (size_t i = 0; i < cur.values.size(); i++) {
        cur.values[i] = kind == 0   ? float(rng() % 65536) / 257
                        : kind == 1 ? 50.0f
                        : kind == 2 ? float(rng() % 3) * 100
                                    : float(i % 97);
        prev.values[i] = kind == 0   ? float(rng() % 65536) / 257
                         : kind == 1 ? 50.0f
                         : kind == 2 ? float(rng() % 3) * 100
                                     : float(i % 89);
      }
      const auto expected = naive::referenceMatch(cur, prev);
      const std::string what =
          std::to_string(w) + "x" + std::to_string(h) + " kind " + std::to_string(kind);
      std::vector<float> motion(grid.cells()), residual(grid.cells());
      for (const auto& v : variants) {
        v.kernels->referenceMatch(cur.values.data(), prev.values.data(), grid, motion.data(),
                                  residual.data());
        expectEqual(expected.motion, motion.data(), v.name + ": " + what + " motion");
        expectEqual(expected.residual, residual.data(), v.name + ": " + what + " residual");
        if (HasFatalFailure()) return;
      }
      for (const auto& [pct, pixels, patch] :
           std::vector<std::tuple<double, int, int>>{{95, 20000, 14}, {60, 3000, 5}}) {
        const auto patches = cps::makePatchGrid(h, w, pixels, pixels, patch);
        const auto scores = naive::referenceScores(expected, pct, h, w, patches.targetHeight,
                                                   patches.targetWidth, patch);
        std::vector<float> got(patches.perFrame());
        variants[0].kernels->referenceScores(motion.data(), residual.data(), grid, patches, pct,
                                             got.data());
        expectEqual(scores, got.data(), what + " score");
        if (HasFatalFailure()) return;
      }
    }
  }
}

}  // namespace
