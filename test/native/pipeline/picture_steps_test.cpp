#include "pipeline/picture_steps.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"

namespace {

using namespace cps;

SizeStepRule area(int32_t factor, double least, double most) {
  SizeStepRule rule;
  rule.kind = SizeKind::Area;
  rule.multipleOf = factor;
  rule.least = least;
  rule.most = most;
  return rule;
}
SizeStepRule areaOfVideo(int32_t factor, double least, double most) {
  SizeStepRule rule = area(factor, least, most);
  rule.ofVideo = true;
  return rule;
}
SizeStepRule shortSide(int32_t side, int32_t crop = 0) {
  SizeStepRule rule;
  rule.kind = SizeKind::Short;
  rule.side = side;
  rule.cropHeight = rule.cropWidth = crop;
  return rule;
}
SizeStepRule longSide(int32_t side, bool even, bool pad) {
  SizeStepRule rule;
  rule.kind = SizeKind::Long;
  rule.side = side;
  rule.even = even;
  rule.pad = pad;
  return rule;
}
SizeStepRule exact(int32_t height, int32_t width) {
  SizeStepRule rule;
  rule.height = height;
  rule.width = width;
  return rule;
}
SizeStepRule patches(int32_t patchSize, int32_t count) {
  SizeStepRule rule;
  rule.kind = SizeKind::Patches;
  rule.patchSize = patchSize;
  rule.patches = count;
  return rule;
}

// What Hugging Face's processors give.
TEST(PictureSteps, GoldenSizes) {
  const SizeStepRule rules[] = {area(28, 100352, 602112),  area(28, 3136, 12845056),
                                area(28, 200704, 1605632), area(32, 3136, 4000000),
                                area(28, 3136, 150000),    patches(16, 256)};
  struct Row {
    FrameSize source;
    FrameSize expected[6];
  };
  const Row rows[] = {
      {{1080, 1920},
       {{560, 1008}, {1092, 1932}, {924, 1680}, {1088, 1920}, {280, 504}, {192, 336}}},
      {{720, 1280}, {{560, 1008}, {728, 1288}, {728, 1288}, {704, 1280}, {280, 504}, {192, 336}}},
      {{480, 640}, {{476, 644}, {476, 644}, {476, 644}, {480, 640}, {308, 420}, {224, 288}}},
      {{360, 640}, {{364, 644}, {364, 644}, {364, 644}, {352, 640}, {280, 504}, {192, 336}}},
      {{240, 320}, {{280, 392}, {252, 308}, {392, 532}, {256, 320}, {252, 308}, {224, 288}}},
      {{144, 176}, {{308, 364}, {140, 168}, {420, 504}, {128, 192}, {140, 168}, {224, 288}}},
      {{42, 98}, {{224, 504}, {56, 112}, {308, 700}, {64, 96}, {56, 112}, {160, 384}}},
      {{70, 70}, {{336, 336}, {56, 56}, {448, 448}, {64, 64}, {56, 56}, {256, 256}}},
      {{14, 2000}, {{28, 3808}, {28, 672}, {56, 5376}, {32, 672}, {28, 672}, {16, 2288}}},
  };
  for (const Row& row : rows) {
    for (size_t i = 0; i < 6; i++) {
      EXPECT_EQ(row.expected[i], resizedBy(rules[i], row.source, 8))
          << row.source.height << "x" << row.source.width << " rule " << i;
    }
  }
}

TEST(PictureSteps, GoldenSizesOverTheVideo) {
  struct Row {
    FrameSize source;
    FrameSize expected[4];
  };
  const int64_t frames[] = {4, 5, 16, 64};
  const Row rows[] = {{{1080, 1920}, {{320, 576}, {288, 512}, {160, 288}, {64, 128}}},
                      {{480, 640}, {{384, 512}, {320, 448}, {192, 256}, {96, 128}}},
                      {{144, 176}, {{192, 224}, {160, 192}, {128, 192}, {96, 96}}},
                      {{42, 98}, {{128, 288}, {128, 256}, {64, 160}, {32, 96}}}};
  for (const Row& row : rows) {
    for (size_t i = 0; i < 4; i++) {
      EXPECT_EQ(row.expected[i], resizedBy(areaOfVideo(32, 131072, 786432), row.source, frames[i]))
          << row.source.height << " T " << frames[i];
    }
  }
  const FrameSize large[] = {{1088, 1920}, {1088, 1920}, {928, 1664}, {448, 832}};
  for (size_t i = 0; i < 4; i++) {
    EXPECT_EQ(large[i], resizedBy(areaOfVideo(32, 4096, 25165824), {1080, 1920}, frames[i]));
  }
  EXPECT_THROW(resizedBy(areaOfVideo(32, 4096, 25165824), {1080, 1920}, 1), Error);
}

TEST(PictureSteps, ShortAndLong) {
  EXPECT_EQ((FrameSize{224, 373}), resizedBy(shortSide(224), {90, 150}, 1));
  EXPECT_EQ((FrameSize{373, 224}), resizedBy(shortSide(224), {150, 90}, 1));
  EXPECT_EQ((FrameSize{874, 1456}), resizedBy(longSide(1456, true, false), {90, 150}, 1));
  EXPECT_EQ((FrameSize{873, 1456}), resizedBy(longSide(1456, false, false), {90, 150}, 1));
  EXPECT_EQ((FrameSize{1456, 874}), resizedBy(longSide(1456, true, false), {150, 90}, 1));
}

// What transformers' own functions gave for random sizes (test/parity/record_sizes.py).
TEST(PictureSteps, RecordedSizes) {
  std::ifstream in(CPS_PARITY_DIR "/sizes.txt");
  int count = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("#")) continue;
    std::istringstream fields(line);
    std::string name;
    double a = 0, b = 0, c = 0;
    int64_t frames = 0;
    FrameSize source, expected;
    fields >> name >> a >> b >> c >> frames >> source.height >> source.width >> expected.height >>
        expected.width;
    SizeStepRule rule;
    if (name == "area") rule = area(static_cast<int32_t>(a), b, c);
    if (name == "video") rule = areaOfVideo(static_cast<int32_t>(a), b, c);
    if (name == "patches") rule = patches(static_cast<int32_t>(a), static_cast<int32_t>(b));
    if (name == "short") rule = shortSide(static_cast<int32_t>(a));
    if (name == "even") rule = longSide(static_cast<int32_t>(a), true, false);
    EXPECT_EQ(expected, resizedBy(rule, source, frames)) << line;
    count++;
  }
  EXPECT_EQ(7993, count);
}

TEST(PictureSteps, Bounds) {
  SizeStepRule shared = area(28, 100352, 602112);
  shared.maxOverFrames = true;
  EXPECT_EQ(resizedBy(area(28, 100352, 602112 / 5), {90, 150}, 5), resizedBy(shared, {90, 150}, 5));
  // Qwen2-VL: hi = max(min(hi, int(128000 F^2 0.9) 2 // T), int(1.05 lo)).
  SizeStepRule capped = area(28, 100352, 602112);
  capped.capTokens = 128000;
  capped.capShare = 0.9;
  EXPECT_EQ(resizedBy(area(28, 100352, 90316800 * 2 / 768), {1080, 1920}, 768),
            resizedBy(capped, {1080, 1920}, 768));
  EXPECT_EQ(resizedBy(area(28, 100352, 602112), {1080, 1920}, 4),
            resizedBy(capped, {1080, 1920}, 4));
  // Qwen3-VL: hi = max(min(768 F^2, hi // T), int(1.05 lo)) T.
  SizeStepRule video = areaOfVideo(32, 4096, 25165824);
  video.capTokens = 768;
  EXPECT_EQ(resizedBy(areaOfVideo(32, 4096, 768.0 * 1024 * 8), {1080, 1920}, 8),
            resizedBy(video, {1080, 1920}, 8));
  // The variants differ where a side is tiny.
  SizeStepRule first = area(28, 3136, 150000);
  EXPECT_EQ((FrameSize{28, 672}), resizedBy(first, {14, 2000}, 1));
  first.branch = AreaBranch::FactorFirst;
  EXPECT_EQ((FrameSize{28, 1988}), resizedBy(first, {14, 2000}, 1));
  EXPECT_THROW(resizedBy(area(28, 3136, 150000), {4, 2000}, 1), Error);  // more than 200:1
}

TEST(PictureSteps, CropsInTheMiddleAndPads) {
  const SizeStepRule rule[] = {shortSide(224, 224)};
  const PictureSteps s = makePictureSteps(rule, {}, {90, 150}, 1);
  ASSERT_EQ(1U, s.steps.size());
  const PictureStep& step = s.steps[0];
  EXPECT_EQ((FrameSize{224, 224}), step.result);
  EXPECT_EQ(373, step.x.size);
  EXPECT_EQ((373 - 224) / 2, step.x.begin);
  EXPECT_EQ(224, step.x.count);
  EXPECT_EQ(0, step.y.begin);
  EXPECT_TRUE(step.fillsResult());
  // A crop that is larger than the picture stands in black.
  const SizeStepRule larger[] = {shortSide(100, 161)};
  const PictureStep padded = makePictureSteps(larger, {}, {90, 90}, 1).steps[0];
  EXPECT_EQ(30, padded.top);
  EXPECT_EQ(100, padded.y.count);
  EXPECT_FALSE(padded.fillsResult());
  const SizeStepRule square[] = {longSide(576, false, true)};
  const PictureStep wide = makePictureSteps(square, {}, {1080, 1920}, 1).steps[0];
  EXPECT_EQ((FrameSize{576, 576}), wide.result);
  EXPECT_EQ(324, wide.y.size);
  EXPECT_EQ(126, wide.top);
}

TEST(PictureSteps, OneRuleAfterTheOther) {
  const SizeStepRule rules[] = {longSide(1456, true, false), exact(364, 364)};
  const PictureSteps s = makePictureSteps(rules, {}, {90, 150}, 1);
  ASSERT_EQ(2U, s.steps.size());
  EXPECT_EQ(874, s.steps[1].y.length);
  EXPECT_EQ(1456, s.steps[1].x.length);
  EXPECT_EQ((FrameSize{364, 364}), s.result());
}

TEST(PictureSteps, DrawnPartsLieInThePicture) {
  Augment a;
  a.resizedCrop = true;
  a.scale[0] = 0.08;
  a.ratio[0] = 3.0 / 4;
  a.ratio[1] = 4.0 / 3;
  const SizeStepRule rule[] = {exact(64, 64)};
  for (int i = 0; i < 200; i++) {
    a.draws.clear();
    uint32_t state = static_cast<uint32_t>(i) * 2654435761u + 1;
    for (size_t k = 0; k < kAugmentDraws; k++) {
      state = state * 1664525u + 1013904223u;
      a.draws.push_back(state / 4294967296.0);
    }
    const PictureSteps s = makePictureSteps(rule, a, {37, 211}, 1);
    const ChosenPart& p = s.part;
    ASSERT_GE(p.top, 0);
    ASSERT_GE(p.left, 0);
    ASSERT_GT(p.height, 0);
    ASSERT_GT(p.width, 0);
    ASSERT_LE(p.top + p.height, 37);
    ASSERT_LE(p.left + p.width, 211);
    ASSERT_EQ(p.left, s.steps[0].x.sourceBegin);
    ASSERT_EQ(p.width, s.steps[0].x.sourceCount);
    ASSERT_EQ(211, s.steps[0].x.length);
  }
}

std::vector<double> numbers(uint32_t state) {
  std::vector<double> out;
  for (size_t k = 0; k < kAugmentDraws; k++) {
    state = state * 1664525u + 1013904223u;
    out.push_back(state / 4294967296.0);
  }
  return out;
}

// Where a position of the result's axis lies in the source, by the steps in real numbers; which
// positions of the source can be seen at all.
struct Traced {
  double at = 0, least = 0, most = 0;
};
Traced traced(const PictureSteps& steps, bool vertical, double position) {
  Traced t{position, 0, 0};
  const FrameSize result = steps.result();
  t.most = vertical ? result.height : result.width;
  if (!vertical && steps.flipped) t.at = t.most - t.at;
  for (size_t i = steps.steps.size(); i-- > 0;) {
    const PictureStep& step = steps.steps[i];
    const ResampleAxis& axis = vertical ? step.y : step.x;
    double begin = vertical ? step.top : step.left;
    if (axis.reversed) begin = step.result.width - begin - axis.count;
    const auto back = [&](double p) {
      return (p - begin + axis.begin) * axis.sourceCount / axis.size + axis.sourceBegin;
    };
    t = {back(t.at), back(std::max(t.least, begin)), back(std::min(t.most, begin + axis.count))};
  }
  return t;
}

TEST(PictureSteps, PatchesShowWhatTheStepsTrace) {
  uint32_t state = 5;
  const auto next = [&](uint32_t below) {
    state = state * 1664525u + 1013904223u;
    return static_cast<int32_t>((state >> 8) % below);
  };
  int padded = 0, mirrored = 0;
  for (int round = 0; round < 300; round++) {
    const FrameSize source{20 + next(200), 20 + next(200)};
    std::vector<SizeStepRule> rules;
    if (next(3) == 0) rules.push_back(longSide(30 + next(60), true, next(2) == 0));
    if (next(2) == 0) {
      rules.push_back(shortSide(20 + next(60), 14 * (1 + next(6))));
    } else {
      rules.push_back(exact(14 * (1 + next(6)), 14 * (1 + next(6))));
    }
    Augment a;
    a.draws = numbers(state);
    a.resizedCrop = next(3) == 0;
    a.randomCrop = !a.resizedCrop && next(2) == 0;
    a.scale[0] = 0.1;
    a.flip = next(2) == 0;
    const PictureSteps steps = makePictureSteps(rules, a, source, 1);
    const PatchGrid grid = makePatchGrid(steps, 14, false);
    ASSERT_EQ(steps.result().height, grid.rows * 14);
    ASSERT_EQ(steps.result().width, grid.cols * 14);
    for (const bool vertical : {true, false}) {
      const PatchAxis& axis = vertical ? grid.y : grid.x;
      const auto unit = static_cast<double>(axis.unit);
      for (int i = 0; i < axis.patches; i++) {
        const Traced one = traced(steps, vertical, 14.0 * i);
        const Traced two = traced(steps, vertical, 14.0 * (i + 1));
        const int64_t k = axis.reversed ? axis.patches - 1 - i : i;
        const auto start = static_cast<double>(k * axis.span + axis.offset);
        ASSERT_NEAR(std::min(one.at, two.at), start / unit, 1e-9) << round << " patch " << i;
        ASSERT_NEAR(std::max(one.at, two.at), (start + static_cast<double>(axis.span)) / unit,
                    1e-9);
        ASSERT_NEAR(one.least, static_cast<double>(axis.begin) / unit, 1e-9) << round;
        ASSERT_NEAR(one.most, static_cast<double>(axis.end) / unit, 1e-9) << round;
      }
    }
    padded += steps.steps.back().fillsResult() ? 0 : 1;
    mirrored += steps.flipped ? 1 : 0;
  }
  EXPECT_GT(padded, 20);
  EXPECT_GT(mirrored, 100);
}

TEST(PictureSteps, PatchGridsNeedWholePatches) {
  const SizeStepRule rule[] = {exact(42, 70)};
  const PictureSteps steps = makePictureSteps(rule, {}, {90, 150}, 1);
  EXPECT_EQ(15, makePatchGrid(steps, 14, false).perFrame());
  for (const auto& [patch, blocks] : {std::pair{14, true}, std::pair{16, false}}) {
    try {
      makePatchGrid(steps, patch, blocks);
      ADD_FAILURE() << "no error";
    } catch (const Error& e) {
      EXPECT_NE(std::string::npos, std::string(e.what()).find("size")) << e.what();
      EXPECT_NE(std::string::npos, std::string(e.what()).find("70x42")) << e.what();
      EXPECT_NE(std::string::npos, std::string(e.what()).find("patchSize")) << e.what();
    }
  }
}

}  // namespace
