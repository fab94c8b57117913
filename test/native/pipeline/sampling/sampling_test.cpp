#include "pipeline/sampling/sampling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "default_options.h"
#include "pipeline/sampling/places.h"
#include "pipeline/sampling/rule.h"

namespace cps {
namespace {

using Ids = std::vector<int64_t>;

// A frame every 40 ms; every tenth one is a key frame.
Timeline clip(int64_t frames) {
  return {frames, 25, static_cast<double>(frames) / 25,
          [](int64_t d) { return static_cast<double>(d) / 25; },
          [](int64_t d) { return d % 10 == 0; }};
}

CountRule count(int frames) {
  CountRule rule = std::get<CountRule>(default_options::defaultSampling().sample.value);
  rule.count = Count{frames};
  return rule;
}

ClipRule clipOf(int frames) {
  ClipRule rule{};
  rule.clip = frames;
  rule.stride = 1;
  rule.start.value = ClipPlace::Centre;
  rule.short_ = WhenShort::RepeatLast;
  return rule;
}

Ids pick(auto rule, const Timeline& timeline) {
  return sampledFrames(SampleRule{std::move(rule)}, timeline);
}

std::string errorOf(auto rule, const Timeline& timeline) {
  try {
    pick(std::move(rule), timeline);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
    return error.what();
  }
  return "none";
}

TEST(Sampling, EndsIsTheIntegerFloorOfTheText) {
  for (const int64_t n : {1, 2, 3, 7, 115, 120, 1001}) {
    for (const int64_t l : {1, 2, 3, 16, 64, 300}) {
      const auto ids = placeEnds(n, l);
      ASSERT_EQ(ids.size(), static_cast<size_t>(l));
      for (int64_t i = 0; i < l; ++i) {
        EXPECT_EQ(ids[static_cast<size_t>(i)], l == 1 ? 0 : i * (n - 1) / (l - 1));
      }
    }
  }
}

TEST(Sampling, HugeCountsDoNotOverflow) {
  const int64_t n = int64_t{1} << 62;
  for (const auto& ids : {placeEnds(n, 5), placeStarts(n, 5), placeMiddles(n, 5)}) {
    EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
    EXPECT_GE(ids.front(), 0);
    EXPECT_LT(ids.back(), n);
  }
  EXPECT_EQ(placeEnds(n, 5).back(), n - 1);
  EXPECT_EQ(placeEvery(n, 1e300, 1e-300, 8), Ids{0});
}

// What Hugging Face's processors give.
TEST(Sampling, GoldenValues) {
  EXPECT_EQ(placeStarts(97, 8), (Ids{0, 12, 24, 36, 48, 60, 72, 84}));
  EXPECT_EQ(placeMiddles(97, 8), (Ids{6, 18, 30, 42, 54, 66, 78, 90}));
  EXPECT_EQ(placeMiddles(31, 8), (Ids{1, 5, 9, 13, 17, 21, 25, 29}));
  EXPECT_EQ(placeEndsRound(31, 4), (Ids{0, 10, 20, 30}));
  EXPECT_EQ(placeEnds(64, 16), (Ids{0, 4, 8, 12, 16, 21, 25, 29, 33, 37, 42, 46, 50, 54, 58, 63}));
  // Of the two formulas that look alike.
  EXPECT_EQ(placeLinspace(154, 64)[21], 50);
  EXPECT_EQ(placeEnds(154, 64)[21], 51);

  FpsCount byRate{2, 4, 768, 2, CountRound::Floor};
  CountRule rule = count(1);
  rule.count.value = byRate;
  rule.place = SamplePlace::Starts;
  EXPECT_EQ(pick(rule, clip(97)), (Ids{0, 16, 32, 48, 64, 80}));
  Timeline thirty = clip(31);
  thirty.fps = 30;
  EXPECT_EQ(pick(rule, thirty), (Ids{0, 7, 15, 23}));
  byRate.multipleOf = 1;
  rule.count.value = byRate;
  rule.place = SamplePlace::EndsRound;
  EXPECT_EQ(pick(rule, clip(97)), (Ids{0, 16, 32, 48, 64, 80, 96}));

  CountRule smol = count(1);
  smol.count.value = FpsCount{1, std::nullopt, 64, 1, CountRound::Nearest};
  smol.place = SamplePlace::Linspace;
  smol.trim = 1;
  smol.unique = true;
  thirty.frames = 3000;
  const Ids ids = pick(smol, thirty);
  ASSERT_EQ(ids.size(), 64u);
  EXPECT_EQ(Ids(ids.begin(), ids.begin() + 4), (Ids{30, 76, 123, 170}));
  EXPECT_EQ(Ids(ids.end() - 3, ids.end()), (Ids{2876, 2923, 2970}));
}

TEST(Sampling, CandidatesAreWhatIsNotLeftOut) {
  CountRule rule = count(3);
  rule.range = SampleRange{1.0, 2.0, std::nullopt, std::nullopt};
  EXPECT_EQ(pick(rule, clip(100)), (Ids{25, 37, 49}));
  rule.only = SampleOnly::KeyFrames;
  EXPECT_EQ(pick(rule, clip(100)), (Ids{30, 30, 40}));
  rule.unique = true;
  EXPECT_EQ(pick(rule, clip(100)), (Ids{30, 40}));
  rule.range = SampleRange{std::nullopt, std::nullopt, -20, std::nullopt};
  EXPECT_EQ(pick(rule, clip(100)), (Ids{80, 90}));
  rule.range = SampleRange{std::nullopt, std::nullopt, 5, -85};
  EXPECT_EQ(pick(rule, clip(100)), Ids{10});
}

TEST(Sampling, TooFewFrames) {
  CountRule rule = count(5);
  EXPECT_EQ(pick(rule, clip(3)), (Ids{0, 0, 1, 1, 2}));
  rule.short_ = WhenShort::All;
  EXPECT_EQ(pick(rule, clip(3)), (Ids{0, 1, 2}));
  rule.short_ = WhenShort::RepeatLast;
  EXPECT_EQ(pick(rule, clip(3)), (Ids{0, 1, 2, 2, 2}));
  rule.short_ = WhenShort::Error;
  EXPECT_EQ(errorOf(rule, clip(3)),
            "Expected at most 3 frames, as many as there are to choose from for sample.count but "
            "received 5 (short is 'error')");
  ClipRule four = clipOf(4);
  four.stride = 4;
  EXPECT_EQ(pick(four, clip(10)), (Ids{0, 4, 8, 8}));
  four.short_ = WhenShort::All;
  EXPECT_EQ(pick(four, clip(10)), (Ids{0, 4, 8}));
  four.short_ = WhenShort::Error;
  EXPECT_NE(errorOf(four, clip(10)).find("sample.clip"), std::string::npos);
  EXPECT_EQ(pick(four, clip(13)), (Ids{0, 4, 8, 12}));
}

TEST(Sampling, ErrorsNameWhatWasAskedForAndWhatThereIs) {
  const auto has = [](const std::string& text, std::vector<std::string> parts) {
    for (const auto& part : parts) EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  has(errorOf(IndicesRule{{0, 97}}, clip(97)), {"sample.indices[1]", "97 frames", "-97", "96"});
  has(errorOf(IndicesRule{{-98}}, clip(97)), {"sample.indices[0]", "-98"});
  has(errorOf(TimesRule{{0, 4.01}}, clip(100)), {"sample.timesSec[1]", "between 0 and 4", "4.01"});
  CountRule rule = count(3);
  rule.range = SampleRange{5.0, 6.0, std::nullopt, std::nullopt};
  has(errorOf(rule, clip(100)), {"sample.range", "5 s to 6 s", "0 to 3.96 s"});
  rule.range = SampleRange{std::nullopt, std::nullopt, 200, std::nullopt};
  has(errorOf(rule, clip(100)), {"sample.range", "200 to the end", "100 frames"});
  rule.range.reset();
  rule.only = SampleOnly::KeyFrames;
  Timeline none = clip(5);
  none.isKeyFrame = [](int64_t) { return false; };
  has(errorOf(rule, none), {"sample.only", "5 frames"});
  ClipRule late = clipOf(2);
  late.start.value = int64_t{7};
  has(errorOf(late, clip(7)), {"sample.start", "7 frames"});
  Timeline noRate = clip(5);
  noRate.fps = 0;
  CountRule byRate = count(1);
  byRate.count.value = FpsCount{2, std::nullopt, std::nullopt, 1, CountRound::Floor};
  has(errorOf(byRate, noRate), {"sample.count.fps", "frame rate"});
  byRate.count.value = FpsCount{1e9, std::nullopt, std::nullopt, 1, CountRound::Floor};
  byRate.place = SamplePlace::Every;
  has(errorOf(byRate, clip(kMostSampled + 1)), {"sample.count", "1000000 frames"});
}

TEST(Sampling, APartIsAVideoOfItsOwn) {
  const Timeline part = partOf(clip(100), 25, 50);
  EXPECT_EQ(part.frames, 25);
  EXPECT_EQ(pick(IndicesRule{{-1}}, part), Ids{24});
  EXPECT_EQ(pick(TimesRule{{0.5}}, part), Ids{12});
  CountRule rule = count(2);
  rule.only = SampleOnly::KeyFrames;
  EXPECT_EQ(pick(rule, part), (Ids{5, 15}));
  EXPECT_DOUBLE_EQ(part.durationSec, 1);
  EXPECT_DOUBLE_EQ(partOf(clip(100), 90, 100).durationSec, 0.4);
}

// Every start that fits, and no other.
TEST(Sampling, RandomStartsAreUniform) {
  ClipRule rule = clipOf(4);
  rule.start.value = ClipPlace::Random;
  std::vector<int> seen(17, 0);
  constexpr int kDraws = 1700;
  for (int i = 0; i < kDraws; ++i) {
    rule.seed = static_cast<double>(i) / kDraws;
    ++seen[static_cast<size_t>(pick(rule, clip(20)).front())];
  }
  EXPECT_EQ(seen, std::vector<int>(17, kDraws / 17));
  rule.seed = std::nextafter(1.0, 0.0);
  EXPECT_EQ(pick(rule, clip(20)).front(), 16);
  EXPECT_EQ(pick(rule, clip(3)).front(), 0);
}

TEST(Sampling, DistinctFramesMapsEveryPosition) {
  const std::vector<int64_t> ids = {3, 0, 1, 3, 9, 3, 0};
  const DistinctFrames d = distinctFrames(ids);
  EXPECT_EQ(d.ids, (std::vector<int64_t>{0, 1, 3, 9}));
  for (size_t t = 0; t < ids.size(); ++t) {
    EXPECT_EQ(d.ids[static_cast<size_t>(d.ofPosition[t])], ids[t]);
  }
  const auto positions = [&](size_t frame) {
    const auto span = d.positions.frame(frame);
    return std::vector<int32_t>(span.begin(), span.end());
  };
  EXPECT_EQ(positions(0), (std::vector<int32_t>{1, 6}));
  EXPECT_EQ(positions(1), (std::vector<int32_t>{2}));
  EXPECT_EQ(positions(2), (std::vector<int32_t>{0, 3, 5}));
  EXPECT_EQ(positions(3), (std::vector<int32_t>{4}));
}

TEST(Sampling, FirstFrameIsIWhenNoneIs) {
  EXPECT_EQ(withFirstFrameRule(std::vector<uint8_t>{0, 0, 0}), (std::vector<uint8_t>{1, 0, 0}));
  EXPECT_EQ(withFirstFrameRule(std::vector<uint8_t>{0, 1, 0}), (std::vector<uint8_t>{0, 1, 0}));
}

}  // namespace
}  // namespace cps
