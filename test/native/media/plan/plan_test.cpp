// The decode plan against brute force over made-up streams.

#include <algorithm>
#include <ctime>
#include <future>
#include <random>
#include <set>

#include "media/media_common.h"
#include "media/plan/decode_plan.h"

namespace media_test {
namespace {

struct Stream {
  cps::FrameIndex index;
};

// Random groups of pictures with B-frames; some groups are open (pictures shown before the key
// picture follow it).
std::unique_ptr<cps::FrameIndex> randomStream(std::mt19937& random, int packets) {
  auto index = std::make_unique<cps::FrameIndex>();
  index->parameters.reset(avcodec_parameters_alloc());
  index->parameters->codec_id = AV_CODEC_ID_MPEG2VIDEO;
  index->bitstream.rules = &cps::rulesOf(AV_CODEC_ID_MPEG2VIDEO);
  std::vector<int> pts(static_cast<size_t>(packets));
  std::vector<bool> key(static_cast<size_t>(packets), false);
  int at = 0, shown = 0;
  while (at < packets) {
    const int run = std::min(packets - at, 1 + static_cast<int>(random() % 5));
    const bool isKey = at == 0 || random() % 6 == 0;
    // An anchor that is shown after the run - 1 pictures following it; the first one is not.
    const bool leading = at > 0 && random() % 2 == 0;
    for (int i = 0; i < run; ++i) pts[static_cast<size_t>(at + i)] = shown + i;
    if (leading) {
      std::rotate(pts.begin() + at, pts.begin() + at + run - 1, pts.begin() + at + run);
    }
    key[static_cast<size_t>(at)] = isKey;
    at += run;
    shown += run;
  }
  index->display.resize(static_cast<size_t>(packets));
  for (int i = 0; i < packets; ++i) {
    cps::PacketEntry entry;
    entry.pts = entry.order = pts[static_cast<size_t>(i)] * 40;
    entry.displayIndex = pts[static_cast<size_t>(i)];
    entry.key = key[static_cast<size_t>(i)];
    entry.size = 1;
    index->display[static_cast<size_t>(pts[static_cast<size_t>(i)])] = i;
    if (entry.key) index->keys.push_back(i);
    index->packets.push_back(entry);
  }
  index->seal();
  return index;
}

// All packets that a picture needs: from the last key that is neither sent nor shown after it.
std::set<int32_t> neededBy(const cps::FrameIndex& index, int32_t ordinal) {
  int32_t start = ordinal;
  while (start > 0) {
    const cps::PacketEntry& entry = index.packets[static_cast<size_t>(start)];
    if (entry.key && entry.pts <= index.packets[static_cast<size_t>(ordinal)].pts) break;
    --start;
  }
  std::set<int32_t> needed;
  for (int32_t i = start; i <= ordinal; ++i) needed.insert(i);
  return needed;
}

std::vector<int64_t> randomTargets(std::mt19937& random, int total) {
  std::set<int64_t> targets;
  const int count = 1 + static_cast<int>(random() % 20);
  for (int i = 0; i < count; ++i)
    targets.insert(static_cast<int64_t>(random() % static_cast<unsigned>(total)));
  return {targets.begin(), targets.end()};
}

TEST(DecodePlan, SeekDecodesExactlyWhatTheTargetsNeed) {
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    const int total = 1 + static_cast<int>(random() % 120);
    const auto index = randomStream(random, total);
    const std::vector<int64_t> targets = randomTargets(random, total);
    std::set<int32_t> needed;
    for (const int64_t d : targets) {
      needed.merge(neededBy(*index, index->display[static_cast<size_t>(d)]));
    }
    cps::PlanOptions options;
    options.strategy = cps::UniformStrategy::Seek;
    const cps::DecodePlan plan = cps::planDecode(*index, targets, options);
    std::set<int32_t> decoded;
    std::multiset<int32_t> given;
    int32_t previousLast = -1;
    for (const cps::DecodeSegment& segment : plan.segments) {
      ASSERT_GT(segment.first, previousLast) << "segments overlap";
      previousLast = segment.last;
      for (int32_t i = segment.first; i <= segment.last; ++i) decoded.insert(i);
      for (const int32_t target : segment.targets) {
        given.insert(target);
        const std::set<int32_t> own = neededBy(*index, target);
        ASSERT_GE(*own.begin(), segment.first);
        ASSERT_LE(target, segment.last);
      }
      ASSERT_TRUE(std::is_sorted(segment.targets.begin(), segment.targets.end()));
    }
    ASSERT_EQ(decoded, needed) << "round " << round;
    ASSERT_EQ(given.size(), targets.size());
    ASSERT_EQ(plan.packets(), static_cast<int64_t>(needed.size()));
  }
}

TEST(DecodePlan, StreamReadsFromTheStartToTheLastTarget) {
  std::mt19937 random(2);
  for (int round = 0; round < 500; ++round) {
    const int total = 1 + static_cast<int>(random() % 120);
    const auto index = randomStream(random, total);
    const std::vector<int64_t> targets = randomTargets(random, total);
    cps::PlanOptions options;
    options.strategy = cps::UniformStrategy::Stream;
    const cps::DecodePlan plan = cps::planDecode(*index, targets, options);
    int32_t last = 0;
    for (const int64_t d : targets) last = std::max(last, index->display[static_cast<size_t>(d)]);
    ASSERT_EQ(plan.segments.size(), 1u);
    ASSERT_EQ(plan.segments[0].first, 0);
    ASSERT_EQ(plan.segments[0].last, last);
    ASSERT_EQ(plan.segments[0].targets.size(), targets.size());
  }
}

TEST(DecodePlan, AutoTakesTheCheaper) {
  std::mt19937 random(3);
  for (int round = 0; round < 500; ++round) {
    const int total = 1 + static_cast<int>(random() % 120);
    const auto index = randomStream(random, total);
    const std::vector<int64_t> targets = randomTargets(random, total);
    const auto packets = [&](cps::UniformStrategy strategy) {
      cps::PlanOptions options;
      options.strategy = strategy;
      return cps::planDecode(*index, targets, options).packets();
    };
    ASSERT_EQ(packets(cps::UniformStrategy::Auto),
              std::min(packets(cps::UniformStrategy::Seek), packets(cps::UniformStrategy::Stream)));
  }
}

TEST(DecodePlan, AutoRatioStreamsUpToTargetsTimesRatio) {
  std::mt19937 random(4);
  const auto index = randomStream(random, 120);
  const std::vector<int64_t> targets = {0, 119};
  cps::PlanOptions options;
  options.autoRatio = 60.0;  // 120 <= 2 * 60
  EXPECT_FALSE(cps::planDecode(*index, targets, options).jumps);
  options.autoRatio = 59.9;
  EXPECT_TRUE(cps::planDecode(*index, targets, options).jumps);
}

TEST(DecodePlan, BadEntryPointsAndBrokenSeekingAreRespected) {
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    const auto index = randomStream(random, 100);
    const std::vector<int64_t> targets = randomTargets(random, 100);
    for (const int32_t key : index->keys) {
      if (random() % 2 == 0) index->seeks().setStart(key, false);
    }
    cps::PlanOptions options;
    options.strategy = cps::UniformStrategy::Seek;
    for (const cps::DecodeSegment& segment : cps::planDecode(*index, targets, options).segments) {
      EXPECT_TRUE(segment.first == 0 || index->seeks().startIsGood(segment.first));
    }
    index->seeks().setSeekBroken();
    const cps::DecodePlan plan = cps::planDecode(*index, targets, options);
    ASSERT_EQ(plan.segments.size(), 1u);
    EXPECT_EQ(plan.segments[0].first, 0);
  }
}

double cpuSeconds() {
  timespec now = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// MP4 without a table of key frames: every packet has the flag, and only the first is an entry
// point. Walking back from each target took 10^10 steps here.
TEST(DecodePlan, FlagsThatAllLieCostNoMoreThanPacketsAndTargets) {
  constexpr int kPackets = 200'000, kTargets = 50'000;
  cps::FrameIndex index;
  index.parameters.reset(avcodec_parameters_alloc());
  index.parameters->codec_id = AV_CODEC_ID_H264;
  index.bitstream.rules = &cps::rulesOf(AV_CODEC_ID_H264);
  for (int i = 0; i < kPackets; ++i) {
    cps::PacketEntry entry;
    entry.pts = entry.order = i;
    entry.displayIndex = i;
    entry.key = true;
    index.packets.push_back(entry);
    index.display.push_back(i);
    index.keys.push_back(i);
  }
  index.seal();
  const std::vector<int64_t> targets = sampled(kPackets, kTargets);
  const double start = cpuSeconds();
  for (int i = 1; i < kPackets; ++i) index.seeks().setStart(i, false);
  cps::PlanOptions options;
  options.strategy = cps::UniformStrategy::Seek;
  const cps::DecodePlan plan = cps::planDecode(index, targets, options);
  EXPECT_LT(cpuSeconds() - start, 5);
  ASSERT_EQ(plan.segments.size(), 1u);
  EXPECT_EQ(plan.segments[0].first, 0);
  EXPECT_EQ(plan.segments[0].targets.size(), targets.size());
}

// Segments of one packet each, and a last target that needs all of them: joining them one by one
// moved every target as often as there were segments.
TEST(DecodePlan, JoiningManySegmentsCostsNoMoreThanTheirTargets) {
  constexpr int kPackets = 400'000;
  cps::FrameIndex index;
  index.parameters.reset(avcodec_parameters_alloc());
  index.parameters->codec_id = AV_CODEC_ID_MPEG2VIDEO;
  index.bitstream.rules = &cps::rulesOf(AV_CODEC_ID_MPEG2VIDEO);
  for (int i = 0; i < kPackets; ++i) {
    cps::PacketEntry entry;
    entry.key = i + 1 < kPackets;
    // The last picture is shown right after the first.
    entry.order = entry.key ? 2 * i : 1;
    entry.displayIndex = entry.key ? i + (i > 0) : 1;
    index.packets.push_back(entry);
    if (entry.key) index.keys.push_back(i);
  }
  index.display.resize(kPackets);
  for (int i = 0; i < kPackets; ++i) {
    index.display[static_cast<size_t>(index.packets[static_cast<size_t>(i)].displayIndex)] = i;
  }
  index.seal();
  std::vector<int64_t> targets;
  for (int i = 0; i < kPackets; ++i) targets.push_back(i);
  cps::PlanOptions options;
  options.strategy = cps::UniformStrategy::Seek;
  const double start = cpuSeconds();
  const cps::DecodePlan plan = cps::planDecode(index, targets, options);
  EXPECT_LT(cpuSeconds() - start, 5);
  ASSERT_EQ(plan.segments.size(), 1u);
  ASSERT_EQ(plan.segments[0].targets.size(), targets.size());
  EXPECT_TRUE(std::is_sorted(plan.segments[0].targets.begin(), plan.segments[0].targets.end()));
}

TEST(DecodePlan, HearsCancellation) {
  std::mt19937 random(8);
  const auto index = randomStream(random, 5000);
  std::vector<int64_t> targets;
  for (int i = 0; i < 5000; ++i) targets.push_back(i);
  cps::PlanOptions options;
  options.strategy = cps::UniformStrategy::Seek;
  options.cancel = std::make_shared<cps::CancelToken>();
  options.cancel->cancel();
  EXPECT_EQ(errorOf([&] { cps::planDecode(*index, targets, options); }).substr(0, 9), "ABORT_ERR");
}

// Against the definition, while entry points are learnt to be none.
TEST(FrameIndex, StartsAreTheLatestThatCanBe) {
  std::mt19937 random(9);
  for (int round = 0; round < 40; ++round) {
    const int total = 1 + static_cast<int>(random() % 900);
    const auto index = randomStream(random, total);
    std::set<int32_t> bad;
    for (int step = 0; step < 4; ++step) {
      for (int32_t target = 0; target < total; ++target) {
        int32_t expected = 0;
        for (const int32_t key : index->keys) {
          const bool before = index->packets[static_cast<size_t>(key)].order <=
                              index->packets[static_cast<size_t>(target)].order;
          if (key <= target && before && !bad.contains(key)) expected = std::max(expected, key);
        }
        ASSERT_EQ(index->seeks().startFor(target), expected) << "target " << target;
      }
      for (const int32_t key : index->keys) {
        if (key == 0 || random() % 3 != 0) continue;
        index->seeks().setStart(key, false);
        bad.insert(key);
      }
    }
  }
}

TEST(ThreadPlan, NeverExceedsTheBudget) {
  std::mt19937 random(6);
  for (int round = 0; round < 500; ++round) {
    cps::DecodePlan plan;
    const int segments = 1 + static_cast<int>(random() % 20);
    for (int i = 0; i < segments; ++i) {
      const int packets = 1 + static_cast<int>(random() % 300);
      const double cost = 1e4 * packets + static_cast<double>(random() % 1000000);
      plan.segments.push_back({i * 1000, i * 1000 + packets - 1, {i * 1000}, cost});
    }
    const int budget = 1 + static_cast<int>(random() % 16);
    const cps::ThreadPlan threads = cps::planThreads(plan, budget);
    ASSERT_GE(threads.decoders, 1);
    ASSERT_GE(threads.threads, 1);
    ASSERT_LE(threads.decoders * threads.threads, budget);
    ASSERT_LE(threads.decoders, segments);
  }
}

TEST(ThreadPlan, OneLongSegmentGetsFrameThreadsManyGetOneThreadEach) {
  cps::DecodePlan one;
  one.segments.push_back({0, 599, {599}, 6e6});
  EXPECT_EQ(cps::planThreads(one, 4).decoders, 1);
  EXPECT_EQ(cps::planThreads(one, 4).threads, 4);
  cps::DecodePlan many;
  for (int i = 0; i < 16; ++i) many.segments.push_back({i * 30, i * 30 + 20, {i * 30 + 20}, 2e5});
  EXPECT_EQ(cps::planThreads(many, 4).decoders, 4);
  EXPECT_EQ(cps::planThreads(many, 4).threads, 1);
  // As many packets in both, but one costs three times as much: alone on a core it would be last.
  cps::DecodePlan uneven;
  uneven.segments = {{0, 99, {99}, 3e6}, {200, 299, {299}, 1e6}};
  EXPECT_EQ(cps::planThreads(uneven, 2).decoders, 1);
  cps::DecodePlan even;
  even.segments = {{0, 99, {99}, 2e6}, {200, 299, {299}, 2e6}};
  EXPECT_EQ(cps::planThreads(even, 2).decoders, 2);
}

// Note [Modes] in cpu_source.h.
TEST(DecoderThreads, AreSharedInThroughputAndAllForOneInLatency) {
  Services services(4);
  cps::SourceOptions options = defaultSource();
  const auto lease = [&](cps::DecodeMode mode) {
    options.decodeMode = mode;
    return cps::leaseDecoderThreads(options, services.media).count();
  };
  std::promise<void> done;
  const std::shared_future<void> finished = done.get_future().share();
  for (const int share : {4, 2, 2, 1, 1}) {  // with 1, 2, 3, 4 and 5 calls, running or waiting
    services.media.pool->submit([finished] { finished.wait(); });
    EXPECT_EQ(lease(cps::DecodeMode::Throughput), share);
    EXPECT_EQ(lease(cps::DecodeMode::Latency), 4);
  }
  options.decodeThreads = 3;
  EXPECT_EQ(lease(cps::DecodeMode::Throughput), 3);
  done.set_value();
}

}  // namespace
}  // namespace media_test
