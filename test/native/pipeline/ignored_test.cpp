#include "pipeline/ignored.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace cps {
namespace {

Ignore parts(const std::vector<Rectangle>& rectangles) {
  std::vector<IgnoredPart> all;
  for (const Rectangle& r : rectangles) all.push_back({r});
  return {all};
}

PatchGrid plainGrid(int32_t height, int32_t width, int32_t rows, int32_t cols) {
  PatchGrid grid;
  grid.frameHeight = height;
  grid.frameWidth = width;
  grid.rows = rows;
  grid.cols = cols;
  grid.y = PatchAxis::whole(height, rows);
  grid.x = PatchAxis::whole(width, cols);
  return grid;
}

// A frame of 64 x 64 points, patches that show whole points: covered ones are counted.
std::vector<uint8_t> counted(const std::vector<Rectangle>& rectangles, int rows, int cols, int left,
                             int side) {
  std::vector<uint8_t> candidates;
  const auto covered = [&](int y, int x) {
    for (const Rectangle& r : rectangles) {
      const double cy = (y + 0.5) / 64, cx = (x + 0.5) / 64;
      if (cx > r.x && cx < r.x + r.width && cy > r.y && cy < r.y + r.height) return true;
    }
    return false;
  };
  for (int row = 0; row < rows; row++) {
    for (int col = 0; col < cols; col++) {
      int shown = 0, hidden = 0;
      for (int y = row * 64 / rows; y < (row + 1) * 64 / rows; y++) {
        for (int x = left + col * side; x < left + (col + 1) * side; x++) {
          if (x < 0 || x >= 64) continue;
          shown++;
          hidden += covered(y, x);
        }
      }
      candidates.push_back(shown > 0 && 2 * hidden <= shown);
    }
  }
  return candidates;
}

std::vector<Rectangle> randomRectangles(std::mt19937& rng) {
  std::vector<Rectangle> all(rng() % 5);
  for (Rectangle& r : all) {
    const auto x = rng() % 64, y = rng() % 64;
    r = {double(x) / 64, double(y) / 64, double(1 + rng() % (64 - x)) / 64,
         double(1 + rng() % (64 - y)) / 64};
  }
  return all;
}

TEST(Ignored, PatchesAgainstCounting) {
  std::mt19937 rng(3);
  for (int round = 0; round < 500; round++) {
    const int rows = 1 << rng() % 5, cols = 1 << rng() % 5;
    const auto rectangles = randomRectangles(rng);
    EXPECT_EQ(candidatePatches(plainGrid(64, 64, rows, cols), parts(rectangles), {}),
              counted(rectangles, rows, cols, 0, 64 / cols))
        << round;
  }
}

TEST(Ignored, CroppedAndPaddedPatchesByWhatTheyShow) {
  std::mt19937 rng(4);
  for (int round = 0; round < 500; round++) {
    const int rows = 4, cols = 1 + static_cast<int>(rng() % 8),
              side = 4 + static_cast<int>(rng() % 9);
    const int left = static_cast<int>(rng() % 64) - 24;
    PatchGrid grid = plainGrid(64, 64, rows, cols);
    grid.x = {side, 1, left, 0, 64, cols, false};
    const auto rectangles = randomRectangles(rng);
    EXPECT_EQ(candidatePatches(grid, parts(rectangles), {}),
              counted(rectangles, rows, cols, left, side))
        << round;
  }
}

TEST(Ignored, HalfIsNotMore) {
  const PatchGrid grid = plainGrid(90, 70, 6, 14);
  for (int row = 0; row < 6; row++) {
    const Rectangle half = {0, double(row) / 6, 1, 1.0 / 12};
    EXPECT_EQ(candidatePatches(grid, parts({half}), {}), std::vector<uint8_t>(6 * 14, 1));
  }
}

TEST(Ignored, BarsCountAsRectangles) {
  const PatchGrid grid = plainGrid(100, 200, 4, 4);
  // 24 of the 25 rows of the top row of patches, none of the others; 12 of 50 columns.
  const auto candidates = candidatePatches(grid, {IgnoredBars::Letterbox}, {24, 0, 0, 12});
  std::vector<uint8_t> expected(16, 1);
  for (int i = 0; i < 4; i++) expected[i] = 0;
  EXPECT_EQ(candidates, expected);
  // Together more than half of the patch in the corner.
  const auto corner = candidatePatches(grid, {IgnoredBars::Letterbox}, {0, 12, 24, 0});
  expected.assign(16, 1);
  expected[12] = 0;
  EXPECT_EQ(corner, expected);
}

TEST(Ignored, WhetherBarsAreAskedFor) {
  EXPECT_TRUE(ignoresBars({IgnoredBars::Letterbox}));
  EXPECT_FALSE(ignoresBars(parts({})));
  EXPECT_FALSE(ignoresBars(parts({{0, 0, 1, 1}})));
  EXPECT_TRUE(ignoresBars({std::vector<IgnoredPart>{{Rectangle{}}, {IgnoredBars::Letterbox}}}));
}

// The text, cell by cell.
Bars naiveBars(const std::vector<std::vector<uint8_t>>& frames, const CellGrid& grid, int black) {
  const auto dark = [&](int y, int x) {
    for (const auto& frame : frames) {
      if (std::abs(int(frame[size_t(y * grid.cols + x)]) - black) > 24) return false;
    }
    return true;
  };
  const auto rowBlack = [&](int y) {
    for (int x = 0; x < grid.cols; x++) {
      if (!dark(y, x)) return false;
    }
    return true;
  };
  const auto colBlack = [&](int x) {
    for (int y = 0; y < grid.rows; y++) {
      if (!dark(y, x)) return false;
    }
    return true;
  };
  int top = 0, bottom = 0, left = 0, right = 0;
  while (top < grid.rows && rowBlack(top)) top++;
  if (top == grid.rows) return {};
  while (rowBlack(grid.rows - 1 - bottom)) bottom++;
  while (colBlack(left)) left++;
  while (colBlack(grid.cols - 1 - right)) right++;
  const auto pixels = [&](int cells, int size) {  // from the far edge, where a cell may be cut
    return cells == 0 ? 0
                      : cells * grid.cell - ((size + grid.cell - 1) / grid.cell * grid.cell - size);
  };
  return {top * grid.cell, pixels(bottom, grid.frameHeight), left * grid.cell,
          pixels(right, grid.frameWidth)};
}

TEST(Ignored, BarsAgainstTheText) {
  std::mt19937 rng(5);
  int found = 0;
  for (int round = 0; round < 500; round++) {
    const CellGrid grid =
        makeCellGrid(20 + static_cast<int32_t>(rng() % 150),
                     20 + static_cast<int32_t>(rng() % 150));  // cells of 1, 2 and 4 pixels
    const int black = rng() % 2 == 0 ? 16 : 0;
    std::vector<std::vector<uint8_t>> frames(1 + rng() % 3);
    const int most = rng() % 8 == 0 ? 1 : 4;  // now and then all of it
    const auto bar = [&] { return static_cast<int>(rng() % unsigned(most + 1)) - 1; };
    BarFinder finder(grid);
    for (auto& frame : frames) {
      const int t = bar(), b = bar(), l = bar(), r = bar();
      for (int y = 0; y < grid.rows; y++) {
        for (int x = 0; x < grid.cols; x++) {
          const bool inBar = y < t || x < l || y >= grid.rows - b || x >= grid.cols - r;
          const bool hole = rng() % 4000 == 0;
          frame.push_back(static_cast<uint8_t>(inBar && !hole ? black + int(rng() % 25)
                                               : most == 1    ? black
                                                              : 41 + rng() % 200));
        }
      }
      finder.add(frame, black);
    }
    const Bars expected = naiveBars(frames, grid, black), got = finder.bars();
    EXPECT_EQ(got.top, expected.top) << round;
    EXPECT_EQ(got.bottom, expected.bottom) << round;
    EXPECT_EQ(got.left, expected.left) << round;
    EXPECT_EQ(got.right, expected.right) << round;
    EXPECT_TRUE(finder.open() || !expected.any());
    found += expected.any();
  }
  EXPECT_GT(found, 150);
}

TEST(Ignored, EverythingBlackIsNoBar) {
  const CellGrid grid = makeCellGrid(160, 130);
  BarFinder finder(grid);
  finder.add(std::vector<uint8_t>(static_cast<size_t>(grid.cells()), 16), 16);
  EXPECT_FALSE(finder.bars().any());
}

TEST(Ignored, BlackLevelIsThatOfTheStream) {
  FrameView frame;
  EXPECT_EQ(BarFinder::blackLevel(frame), 16);
  frame.color.fullRange = true;
  EXPECT_EQ(BarFinder::blackLevel(frame), 0);
  frame.color = {ColorMatrix::Rgb, false};
  EXPECT_EQ(BarFinder::blackLevel(frame), 0);
}

}  // namespace
}  // namespace cps
