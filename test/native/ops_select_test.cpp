#include <cmath>
#include <limits>
#include <random>

#include "ops/select_math.h"
#include "ops_common.h"

namespace {

using namespace ops_test;

TEST(OpsSelect, TopKAgainstStableSort) {
  const auto kernels = std::move(allKernels()[0].kernels);
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
      std::vector<int32_t> got(k);
      cps::TopKInput input;
      input.unitScores = scores.data();
      input.frameIsI = isI;
      input.frameBoost = boost;
      input.unitsPerFrame = units;
      input.k = k;
      kernels->topK(input, got.data());
      ASSERT_EQ(naive::topK(boosted, unitIsI, k), got) << "round " << round << " k " << k;
    }
  }
}

TEST(OpsSelect, OrderedBitsAreATotalOrder) {
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> ascending = {-inf,   -1e30f, -2.0f, -1e-45f, 0.0f, 1e-45f,
                                        1e-30f, 0.5f,   1.0f,  3e38f,   inf};
  for (size_t i = 1; i < ascending.size(); i++) {
    EXPECT_LT(cps::orderedBits(ascending[i - 1]), cps::orderedBits(ascending[i]));
  }
  EXPECT_EQ(cps::orderedBits(0.0f), cps::orderedBits(-0.0f));
  EXPECT_LT(cps::orderedBits(std::nanf("")), cps::orderedBits(-inf));
  for (const int32_t i : {0, 1, 12345, INT32_MAX}) {
    EXPECT_EQ(i, cps::unitIndex(cps::unitKey(true, 3.5f, i)));
    EXPECT_EQ(i, cps::unitIndex(cps::unitKey(false, inf, i)));
  }
  EXPECT_GT(cps::unitKey(true, 0.0f, 9), cps::unitKey(false, inf, 0));
  EXPECT_GT(cps::unitKey(false, 1.0f, 3), cps::unitKey(false, 1.0f, 4));
}

TEST(OpsSelect, Block2x2AgainstNaive) {
  const auto kernels = std::move(allKernels()[0].kernels);
  std::mt19937 rng(6);
  for (const auto& [rows, cols] : {std::pair{2, 2}, std::pair{4, 6}, std::pair{12, 22}}) {
    cps::PatchGrid grid;
    grid.rows = rows;
    grid.cols = cols;
    const int frames = 3;
    std::vector<float> scores(size_t(frames) * rows * cols), got(scores.size() / 4), expected;
    for (float& s : scores) s = float(rng()) * 1e-8f;
    kernels->block2x2Scores(scores.data(), grid, frames, got.data());
    for (int t = 0; t < frames; t++) {
      const auto begin = scores.begin() + size_t(t) * rows * cols;
      const auto part = naive::blocks(std::vector<float>(begin, begin + rows * cols), rows, cols);
      expected.insert(expected.end(), part.begin(), part.end());
    }
    EXPECT_EQ(expected, got);
  }
}

}  // namespace
