// Every rule against what test/parity/sampling.py recorded: numpy, and transformers where it has
// the rule. The cases are made here by the same generator.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "core/error.h"
#include "default_options.h"
#include "pipeline/sampling/rule.h"

namespace cps {
namespace {

struct Recorded {
  const char* name;
  std::vector<const char*> shown;
  std::vector<uint64_t> hashes;
};
const std::vector<Recorded> kRecorded = {
#include "../../../parity/sampling.inc"
};

constexpr int kCases = 1000, kBlock = 20;

class Draws {
 public:
  explicit Draws(const std::string& name) {
    for (const char c : name) state_ = (state_ ^ static_cast<uint8_t>(c)) * 0x100000001B3;
  }
  int64_t below(uint64_t n) {
    state_ += 0x9E3779B97F4A7C15;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return static_cast<int64_t>((z ^ (z >> 31)) % n);
  }
  template <typename T, size_t N>
  T oneOf(const T (&values)[N]) {
    return values[below(N)];
  }
  int64_t frames() { return 1 + below(oneOf<uint64_t>({8, 100, 1000, 5000})); }
  int64_t count() { return 1 + below(oneOf<uint64_t>({4, 40, 130})); }
  double rate() { return oneOf<double>({10, 12.5, 23.976, 24, 25, 29.97, 30, 60}); }
  double fps() { return oneOf<double>({0.5, 1, 2, 4, 7.3}); }

 private:
  uint64_t state_ = 0xCBF29CE484222325;
};

Timeline steady(int64_t frames, double rate = 25) {
  return {frames, rate, static_cast<double>(frames) / rate,
          [rate](int64_t d) { return static_cast<double>(d) / rate; },
          [](int64_t d) { return d == 0; }};
}

// Uneven: steps of 10 to 50 ms, some of them none. A key frame every `gop`.
Timeline uneven(Draws& draws, int64_t frames) {
  std::vector<double> times;
  double t = 0;
  for (int64_t i = 0; i < frames; ++i) {
    times.push_back(t);
    t += static_cast<double>(draws.below(6)) * 0.01;
  }
  return {frames, 25, t + 0.04, [times](int64_t d) { return times[static_cast<size_t>(d)]; },
          [](int64_t d) { return d == 0; }};
}

// A rule of `count` frames with what a caller leaves out.
CountRule countRule(Count count, SamplePlace place) {
  CountRule rule = std::get<CountRule>(default_options::defaultSampling().sample.value);
  rule.count = std::move(count);
  rule.place = place;
  return rule;
}
CountRule countRule(int64_t frames, SamplePlace place) {
  return countRule(Count{static_cast<int>(frames)}, place);
}
FpsCount fpsCount(double fps) { return {fps, std::nullopt, std::nullopt, 1, CountRound::Floor}; }
ClipRule clipRule(int64_t frames, int64_t stride, ClipPlace place, double draw, WhenShort when) {
  ClipRule rule{};
  rule.clip = static_cast<int>(frames);
  rule.stride = static_cast<int>(stride);
  rule.start.value = place;
  rule.seed = draw;
  rule.short_ = when;
  return rule;
}

using Ids = std::vector<int64_t>;
Ids sampled(auto rule, const Timeline& timeline) {
  return sampledFrames(SampleRule{std::move(rule)}, timeline);
}

double thousandths(Draws& draws, double end) {
  return static_cast<double>(draws.below(static_cast<uint64_t>(end * 1000) + 1)) / 1000;
}

std::function<Ids(Draws&)> placed(SamplePlace place) {
  return [place](Draws& d) {
    const int64_t n = d.frames();
    const int64_t k = d.count();
    return sampled(countRule(k, place), steady(n));
  };
}

std::function<Ids(Draws&)> byFps(SamplePlace place, int multiple) {
  return [place, multiple](Draws& d) {
    const int64_t n = d.frames();
    const double rate = d.rate();
    FpsCount count = fpsCount(d.fps());
    count.min = 4;
    count.max = d.oneOf<int>({16, 64, 768});
    count.multipleOf = multiple;
    return sampled(countRule(Count{count}, place), steady(n, rate));
  };
}

const std::map<std::string, std::function<Ids(Draws&)>> kRules = {
    {"ends", placed(SamplePlace::Ends)},
    {"linspace", placed(SamplePlace::Linspace)},
    {"ends-round", placed(SamplePlace::EndsRound)},
    {"starts", placed(SamplePlace::Starts)},
    {"middles", placed(SamplePlace::Middles)},
    {"starts-by-fps", byFps(SamplePlace::Starts, 2)},
    {"ends-round-by-fps", byFps(SamplePlace::EndsRound, 1)},
    {"trimmed",
     [](Draws& d) {
       const int64_t n = d.frames();
       const double rate = d.rate();
       FpsCount count = fpsCount(d.fps());
       count.max = d.oneOf<int>({8, 16, 64});
       count.round = CountRound::Nearest;
       CountRule rule = countRule(Count{count}, SamplePlace::Linspace);
       rule.trim = d.oneOf<double>({0, 0.5, 1});
       rule.unique = true;
       return sampled(rule, steady(n, rate));
     }},
    {"every",
     [](Draws& d) {
       const int64_t n = d.frames();
       const double rate = d.rate();
       FpsCount count = fpsCount(d.fps());
       count.max = static_cast<int>(1 + d.below(64));
       return sampled(countRule(Count{count}, SamplePlace::Every), steady(n, rate));
     }},
    {"table",
     [](Draws& d) {
       const int64_t n = d.frames();
       const double rate = d.rate();
       const std::vector<CountRow> rows = {{10, 8}, {30, 16}, {60, 32}};
       CountRule rule = countRule(Count{rows}, SamplePlace::EndsRound);
       rule.short_ = WhenShort::All;
       return sampled(rule, steady(n, rate));
     }},
    {"short",
     [](Draws& d) {
       const int64_t n = 1 + d.below(50);
       CountRule rule = countRule(d.count(), SamplePlace::Linspace);
       rule.short_ = WhenShort::RepeatLast;
       return sampled(rule, steady(n));
     }},
    {"clip-centre",
     [](Draws& d) {
       const int64_t n = d.frames();
       const int64_t k = d.count();
       const int64_t stride = 1 + d.below(8);
       return sampled(clipRule(k, stride, ClipPlace::Centre, 0, WhenShort::RepeatLast), steady(n));
     }},
    {"clip-random",
     [](Draws& d) {
       const int64_t n = d.frames();
       const int64_t k = d.count();
       const int64_t stride = 1 + d.below(8);
       const double draw = std::ldexp(static_cast<double>(d.below(uint64_t{1} << 32)), -32);
       return sampled(clipRule(k, stride, ClipPlace::Random, draw, WhenShort::All), steady(n));
     }},
    {"times",
     [](Draws& d) {
       const int64_t n = 1 + d.below(400);
       const int64_t k = d.count();
       return sampled(countRule(k, SamplePlace::Times), uneven(d, n));
     }},
    {"times-sec",
     [](Draws& d) {
       const int64_t n = 1 + d.below(400);
       const int64_t k = d.count();
       const Timeline timeline = uneven(d, n);
       TimesRule rule;
       for (int64_t i = 0; i < k; ++i) {
         rule.timesSec.push_back(thousandths(d, timeline.durationSec));
       }
       return sampled(rule, timeline);
     }},
    {"key-frames",
     [](Draws& d) {
       const int64_t n = 1 + d.below(400);
       const int64_t k = d.count();
       Timeline timeline = uneven(d, n);
       const int64_t gop = 1 + d.below(30);
       timeline.isKeyFrame = [gop](int64_t frame) { return frame % gop == 0; };
       const double a = thousandths(d, timeline.durationSec);
       const double b = thousandths(d, timeline.durationSec);
       CountRule rule = countRule(k, SamplePlace::Ends);
       rule.only = SampleOnly::KeyFrames;
       rule.range.emplace();
       rule.range->fromSec = std::min(a, b);
       rule.range->toSec = std::max(a, b);
       try {
         return sampled(rule, timeline);
       } catch (const Error&) {
         return Ids();  // no key frame there
       }
     }},
};

uint64_t hashOf(const Ids& ids, uint64_t hash) {
  for (const int64_t id : ids) hash = (hash ^ static_cast<uint64_t>(id)) * 0x100000001B3;
  return (hash ^ ~uint64_t{0}) * 0x100000001B3;
}

std::string text(const Ids& ids) {
  std::ostringstream out;
  for (const int64_t id : ids) out << (out.tellp() > 0 ? " " : "") << id;
  return out.str();
}

TEST(SamplingParity, EveryRuleIsRecorded) {
  EXPECT_EQ(kRecorded.size(), kRules.size());
  for (const Recorded& recorded : kRecorded) {
    EXPECT_TRUE(kRules.contains(recorded.name)) << recorded.name;
    EXPECT_EQ(recorded.hashes.size(), size_t{kCases / kBlock});
  }
}

TEST(SamplingParity, EveryRuleGivesWhatWasRecorded) {
  for (const Recorded& recorded : kRecorded) {
    Draws draws(recorded.name);
    const auto& rule = kRules.at(recorded.name);
    for (size_t block = 0; block < recorded.hashes.size(); ++block) {
      uint64_t hash = 0xCBF29CE484222325;
      for (size_t i = 0; i < kBlock; ++i) {
        const Ids ids = rule(draws);
        hash = hashOf(ids, hash);
        const size_t at = block * kBlock + i;
        if (at < recorded.shown.size()) {
          EXPECT_EQ(text(ids), recorded.shown[at]) << recorded.name << " case " << at;
        }
      }
      EXPECT_EQ(hash, recorded.hashes[block]) << recorded.name << " cases " << block * kBlock;
    }
  }
}

}  // namespace
}  // namespace cps
