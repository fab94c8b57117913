#include "pipeline/selection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <optional>
#include <random>
#include <string>

#include "default_options.h"
#include "naive/select.h"
#include "pipeline/sampling/sampling.h"

namespace cps {
namespace {

using default_options::defaultPatch;

std::vector<uint8_t> bytes(const std::vector<bool>& flags) { return {flags.begin(), flags.end()}; }
std::vector<uint8_t> inverted(std::vector<bool> flags) {
  flags.flip();
  return bytes(flags);
}

const std::function<double()> kNoSeconds = [] {
  ADD_FAILURE() << "asked for seconds";
  return 0.0;
};

PatchOptions optionsOf(const naive::Asked& asked) {
  PatchOptions options = defaultPatch();
  options.selectionUnit = asked.blocks ? SelectionUnit::Block2x2 : SelectionUnit::Patch;
  options.energy = asked.reference ? Energy::Reference : Energy::Block;
  options.wholeFrames = asked.whole ? WholeFrames::First : WholeFrames::None;
  for (const auto& [name, value] : Spelled<KeyFramePatches>::all) {
    if (asked.keys == name) options.keyFramePatches = value;
  }
  options.kKeep = {static_cast<int64_t>(asked.k)};
  options.minPerFrame = asked.min;
  options.maxPerFrame = asked.max;
  options.staticFallback = asked.staticFallback;
  options.staticAbsThresh = asked.staticAbs;
  options.staticRelThresh = asked.staticRel;
  options.staticUniformFrames = asked.staticFrames;
  return options;
}

PatchGrid gridOf(const naive::Field& field) {
  PatchGrid grid;
  grid.rows = field.rows;
  grid.cols = field.cols;
  grid.patchSize = field.patchSize;
  return grid;
}

// What the pipeline does of a selection; nothing where it is an error.
std::optional<std::vector<int32_t>> selected(const naive::Field& field, const naive::Asked& asked) {
  const PatchOptions options = optionsOf(asked);
  const PatchGrid grid = gridOf(field);
  Notes notes;
  try {
    const SelectionRule rule = selectionRule(options, grid, field.frames(), kNoSeconds, notes);
    return selectPatches({field.scores, bytes(field.isI), inverted(field.ignored), grid}, rule,
                         options, nullptr)
        .patches;
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(std::string(e.what()).rfind("Expected ", 0), 0u) << e.what();
    return std::nullopt;
  }
}

naive::Field randomField(std::mt19937& rng, int kind) {
  naive::Field field;
  field.rows = 2 * (1 + static_cast<int>(rng() % 3));
  field.cols = 2 * (1 + static_cast<int>(rng() % 3));
  const auto frames = 1 + rng() % 6;
  const auto keys = rng() % 4;  // 0: none but the first, 3: most
  for (size_t t = 0; t < frames; t++) field.isI.push_back(rng() % 4 < keys);
  if (std::none_of(field.isI.begin(), field.isI.end(), [](bool f) { return f; })) {
    field.isI[0] = true;
  }
  for (size_t i = 0; i < frames * static_cast<size_t>(field.perFrame()); i++) {
    field.scores.push_back(kind == 0   ? 0.0f
                           : kind == 1 ? float(rng() % 3) * 0.5f
                           : kind == 2 ? (rng() % 8 == 0 ? float(rng() % 4) : -0.0f)
                                       : float(rng()) * 1e-7f);
  }
  const bool ignores = rng() % 3 == 0;
  for (int i = 0; i < field.perFrame(); i++) field.ignored.push_back(ignores && rng() % 4 == 0);
  return field;
}

naive::Asked randomAsked(std::mt19937& rng, const naive::Field& field) {
  naive::Asked asked;
  asked.blocks = rng() % 3 == 0;
  asked.reference = rng() % 8 == 0;
  asked.whole = rng() % 4 == 0;
  asked.keys = std::array{"auto", "before-others", "compete", "none"}[rng() % 4];
  const int all = field.perFrame() * field.frames();
  asked.k = 4 * (1 + static_cast<int>(rng() % static_cast<unsigned>(all / 4 + 2)));
  const auto bound = [&] {
    if (rng() % 2 == 0) return double(rng() % 10) / 10;
    return 4.0 * (1 + static_cast<int>(rng() % static_cast<unsigned>(field.perFrame() / 4)));
  };
  if (rng() % 3 == 0) asked.min = bound();
  if (rng() % 3 == 0) asked.max = std::max(0.05, bound());
  asked.staticFallback = rng() % 3 == 0;
  asked.staticAbs = std::array{2.0, 0.0, 0.01, 1.0}[rng() % 4];
  asked.staticRel = std::array{0.15, 10.0}[rng() % 2];
  asked.staticFrames = static_cast<int>(rng() % 4);
  return asked;
}

TEST(Selection, EveryCombinationAgainstOneUnitAfterTheOther) {
  std::mt19937 rng(7);
  int errors = 0;
  for (int round = 0; round < 10000; ++round) {
    const naive::Field field = randomField(rng, round % 4);
    const naive::Asked asked = randomAsked(rng, field);
    const auto expected = naive::select(field, asked);
    ASSERT_EQ(selected(field, asked), expected) << "round " << round;
    errors += expected ? 0 : 1;
  }
  // Neither side says no to everything, or to nothing.
  EXPECT_GT(errors, 500);
  EXPECT_LT(errors, 5000);
}

SelectionRule plainRule(KeyFramePatches keys, int64_t k) {
  SelectionRule rule;
  rule.keyFrames = keys;
  rule.k = k;
  rule.maxPerFrame = std::numeric_limits<int32_t>::max();
  return rule;
}

TEST(Selection, ScoresAreOrderedWhateverTheyAre) {
  const float inf = std::numeric_limits<float>::infinity();
  // Worst to best; -0 is no worse than 0, so those two are kept apart by their index.
  const std::vector<float> scores = {std::nanf(""), -inf,   -1e30f, -2.0f, -1e-45f, 0.0f, -0.0f,
                                     1e-45f,        1e-30f, 0.5f,   1.0f,  3e38f,   inf};
  const auto n = static_cast<int32_t>(scores.size());
  const std::vector<uint8_t> isI = {0}, all(scores.size(), 1);
  const std::vector<float> boosts = {0};
  for (int32_t k = 1; k <= n; k++) {
    std::vector<int32_t> expected;
    for (int32_t i = n - k; i < n; i++) expected.push_back(i);
    if (k == 7) expected[0] = 5;  // of 0 and -0 the lower index
    const SelectionRule rule = plainRule(KeyFramePatches::Compete, k);
    EXPECT_EQ(expected, chooseUnits({scores, all}, isI, boosts, rule, nullptr)) << k;
  }
}

TEST(Selection, AnyUnitOfAnIFrameComesBeforeAllOthers) {
  const std::vector<float> scores = {std::numeric_limits<float>::infinity(), 3, 0, -1};
  const std::vector<uint8_t> all = {1, 1}, isI = {0, 1};
  const std::vector<float> boosts = {0, 0};
  const auto chosen = [&](KeyFramePatches keys, int64_t k) {
    return chooseUnits({scores, all}, isI, boosts, plainRule(keys, k), nullptr);
  };
  EXPECT_EQ((std::vector<int32_t>{0, 2, 3}), chosen(KeyFramePatches::BeforeOthers, 3));
  EXPECT_EQ((std::vector<int32_t>{0, 1}), chosen(KeyFramePatches::Compete, 2));
  EXPECT_EQ((std::vector<int32_t>{0, 1}), chosen(KeyFramePatches::None, 3));
}

TEST(Selection, HearsCancellation) {
  const auto cancel = std::make_shared<CancelToken>();
  cancel->cancel();
  const std::vector<float> scores(4);
  PatchGrid grid;
  grid.rows = grid.cols = 2;
  Notes notes;
  const SelectionRule rule = selectionRule(defaultPatch(), grid, 1, kNoSeconds, notes);
  const std::vector<uint8_t> isI = {1}, all(4, 1);
  EXPECT_THROW(selectPatches({scores, isI, all, grid}, rule, defaultPatch(), cancel), Error);
}

TEST(StaticFallback, SpreadsOverOtherFramesOnlyWhenTheClipIsStatic) {
  PatchOptions options = defaultPatch();
  options.staticFallback = true;
  const std::vector<uint8_t> isI = {1, 0, 0, 0, 0, 0, 0, 0, 0};
  const std::vector<uint8_t> all(10, 1);
  std::vector<float> units(isI.size() * 10, 0.001f);
  units[25] = 0.5f;
  auto boosts = staticFallbackBoosts({units, all}, isI, 196, options);
  // n = 8 others, f = 4: positions 0, 2, 4, 6 of the others are frames 1, 3, 5, 7.
  const float boost = 0.5f - 0.001f + 1.0f;
  EXPECT_EQ(boosts, (std::vector<float>{0, boost, 0, boost, 0, boost, 0, boost, 0}));
  for (float& u : units) u = 196.0f;  // mean 1: anything but static
  boosts = staticFallbackBoosts({units, all}, isI, 196, options);
  EXPECT_EQ(boosts, std::vector<float>(isI.size(), 0.0f));
  options.staticUniformFrames = 0;
  std::fill(units.begin(), units.end(), 0.0f);
  boosts = staticFallbackBoosts({units, all}, isI, 196, options);
  EXPECT_EQ(boosts, std::vector<float>(isI.size(), 0.0f));
}

TEST(StaticFallback, RelativeRuleNeedsASmallSpread) {
  PatchOptions options = defaultPatch();
  options.staticAbsThresh = 0.5;  // p95 between a and 2a: only the spread decides
  options.staticUniformFrames = 1;
  const std::vector<uint8_t> isI = {1, 0};
  const std::vector<uint8_t> all(20, 1);
  std::vector<float> units(40, 0.8f);
  EXPECT_GT(staticFallbackBoosts({units, all}, isI, 1, options)[1], 0.0f);
  for (size_t i = 0; i < 30; ++i) units[i] = 0.1f;
  EXPECT_EQ(staticFallbackBoosts({units, all}, isI, 1, options)[1], 0.0f);
}

// What a selection says of itself, and how a budget is counted.
class Rules : public testing::Test {
 protected:
  SelectionRule rule(int64_t frames = 16) {
    Notes notes;
    const SelectionRule made = selectionRule(options, grid, frames, seconds, notes);
    codes.clear();
    for (const Note& note : notes.list()) codes.emplace_back(note.code.text());
    return made;
  }
  std::string refusal(int64_t frames = 16, int64_t candidates = 264) {
    try {
      checkWholeFirst(rule(frames), candidates, frames);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::InvalidArgument);
      return e.what();
    }
    return "";
  }
  static PatchGrid hd() {
    PatchGrid g;
    g.rows = 12;
    g.cols = 22;
    g.patchSize = 14;
    return g;
  }
  PatchOptions options = defaultPatch();
  PatchGrid grid = hd();
  std::function<double()> seconds = kNoSeconds;
  std::vector<std::string> codes;  // of the last rule
};

TEST_F(Rules, AutoCompetesBelowTwoFrames) {
  options.kKeep = {527};
  EXPECT_EQ(rule().keyFrames, KeyFramePatches::Compete);
  EXPECT_EQ(codes, (std::vector<std::string>{"key-frames-compete"}));
  options.energy = Energy::Reference;
  EXPECT_EQ(rule().keyFrames, KeyFramePatches::BeforeOthers);
  options.energy = Energy::Block;
  options.kKeep = {528};
  EXPECT_EQ(rule().keyFrames, KeyFramePatches::BeforeOthers);
  options.kKeep = {4};
  options.keyFramePatches = KeyFramePatches::Compete;  // asked for: nothing to say
  EXPECT_EQ(rule().keyFrames, KeyFramePatches::Compete);
  EXPECT_EQ(codes, std::vector<std::string>{});
}

TEST_F(Rules, Budgets) {
  options.kKeep = {FramesBudget{8}};
  EXPECT_EQ(rule().k, 8 * 264);
  options.kKeep = {FramesBudget{0.5}};
  EXPECT_EQ(rule().k, 132);
  options.kKeep = {FramesBudget{1e-9}};
  EXPECT_EQ(rule().k, 1);
  options.kKeep = {FramesBudget{1e300}};
  EXPECT_EQ(rule().k, std::numeric_limits<int32_t>::max());
  seconds = [] { return 10.4; };
  options.kKeep = {RateBudget{12.5, {}, {}}};
  EXPECT_EQ(rule().k, 130);
  options.kKeep = {RateBudget{12.5, 200, {}}};
  EXPECT_EQ(rule().k, 200);
  options.kKeep = {RateBudget{12.5, {}, 90}};
  EXPECT_EQ(rule().k, 90);
  options.selectionUnit = SelectionUnit::Block2x2;  // 130 is 32 blocks and a half
  options.kKeep = {RateBudget{12.5, {}, {}}};
  EXPECT_EQ(rule().k, 32);
  options.kKeep = {RateBudget{0.01, {}, {}}};
  EXPECT_EQ(rule().k, 1);
}

TEST_F(Rules, ContradictionsNameBothOptions) {
  const auto expect = [&](const char* message) { EXPECT_EQ(refusal(), message); };
  options.kKeep = {64};
  options.minPerFrame = 5;
  expect(
      "Expected at most kKeep divided by the sampled frames (64 patches by 16) for minPerFrame "
      "but received 5");
  options.minPerFrame = 0.02;
  expect(
      "Expected at most kKeep divided by the sampled frames (64 patches by 16) for minPerFrame "
      "but received 0.02, which is 5 patches");
  options.minPerFrame = 4;
  options.maxPerFrame = 3;
  expect("Expected at most maxPerFrame (3) for minPerFrame but received 4");
  options.minPerFrame = 0;
  options.maxPerFrame = 0.001;
  expect(
      "Expected a share that is a patch or more of 264 patches per frame for maxPerFrame but "
      "received 0.001, which is 0 patches");
  options.maxPerFrame = {};
  options.wholeFrames = WholeFrames::First;
  expect(
      "Expected at least 264 patches (wholeFrames is 'first') for kKeep but received 64 patches");
  options.kKeep = {1024};
  options.maxPerFrame = 100;
  expect(
      "Expected at least 264 patches (wholeFrames is 'first') for maxPerFrame but received 100 "
      "patches");
  options.maxPerFrame = {};
  options.minPerFrame = 51;
  expect(
      "Expected at least 264 patches (wholeFrames is 'first') and minPerFrame (51 patches) of "
      "each of the 15 other frames for kKeep but received 1024 patches");
  options.minPerFrame = 50;
  expect("");
}

TEST_F(Rules, SaysWhenKeyFramesAloneFilledK) {
  grid.rows = grid.cols = 2;
  const std::vector<float> scores = {0, 0, 0, 0, 1, 1, 1, 1};
  const auto filled = [&](std::vector<uint8_t> isI, int64_t k) {
    options.kKeep = {k};
    const std::vector<uint8_t> all(4, 1);
    return selectPatches({scores, isI, all, grid}, rule(2), options, nullptr).keyFramesFilledK;
  };
  options.keyFramePatches = KeyFramePatches::BeforeOthers;
  EXPECT_TRUE(filled({1, 0}, 4));
  EXPECT_FALSE(filled({1, 0}, 5));
  EXPECT_FALSE(filled({1, 1}, 4));  // no others
  options.maxPerFrame = 3;
  EXPECT_FALSE(filled({1, 0}, 4));
  options.maxPerFrame = {};
  options.keyFramePatches = KeyFramePatches::Compete;
  EXPECT_FALSE(filled({0, 1}, 4));
}

}  // namespace
}  // namespace cps
