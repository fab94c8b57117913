// Every clip, every strategy, every thread count: each frame is the one that a plain sequential
// decode gives for that display index, with the time that FFmpeg's frame has (best effort).

#include "media/media_common.h"

namespace media_test {
namespace {

struct Way {
  cps::UniformStrategy strategy;
  int threads;
  cps::DecodeMode mode;
  const char* name;
};

constexpr Way kWays[] = {
    {cps::UniformStrategy::Stream, 1, cps::DecodeMode::Throughput, "stream, 1 thread"},
    {cps::UniformStrategy::Seek, 1, cps::DecodeMode::Throughput, "seek, 1 thread"},
    {cps::UniformStrategy::Stream, 3, cps::DecodeMode::Latency, "stream, 3 threads"},
    {cps::UniformStrategy::Seek, 3, cps::DecodeMode::Throughput, "seek, 3 threads"},
    {cps::UniformStrategy::Auto, 2, cps::DecodeMode::Throughput, "auto, 2 threads"},
};

constexpr int64_t kCounts[] = {1, 2, 3, 16, 64};

// How many samples: all frames and, in the short form, one of the other numbers, in turns, so that
// each meets every way.
std::vector<int64_t> countsFor(int64_t total, size_t turn) {
  std::vector<int64_t> counts{total};
  for (size_t i = 0; i < std::size(kCounts); ++i) {
    if (longForm() > 0 || i == turn % std::size(kCounts)) counts.push_back(kCounts[i]);
  }
  return counts;
}

// In the short form two of the ways, others for each clip.
std::vector<Way> waysFor(size_t turn) {
  std::vector<Way> ways;
  for (size_t i = 0; i < std::size(kWays); ++i) {
    const size_t place = (i + 2 * turn) % std::size(kWays);
    if (longForm() > 0 || place < 2) ways.push_back(kWays[i]);
  }
  return ways;
}

void checkClip(const Fixture& fixture, size_t turn) {
  SCOPED_TRACE(fixture.name);
  const std::vector<ReferenceFrame> expected = decodeSequentially(fixture.path());
  ASSERT_FALSE(expected.empty());
  const auto total = static_cast<int64_t>(expected.size());
  for (const Way& way : waysFor(turn)) {
    SCOPED_TRACE(way.name);
    Services services(way.threads);
    for (const int64_t count : countsFor(total, turn++)) {
      SCOPED_TRACE("sampling " + std::to_string(count));
      cps::SourceOptions options = defaultSource();
      options.uniformStrategy = way.strategy;
      options.decodeMode = way.mode;
      const std::vector<int64_t> ids = sampled(total, count);
      Decoded got;
      const std::string error =
          errorOf([&] { decodeWith(fixture.path(), options, services, ids, got); });
      ASSERT_EQ(error, "");
      ASSERT_EQ(got.info.totalFrames, total);
      ASSERT_EQ(got.sink.repeats, 0);
      ASSERT_EQ(got.sink.frames.size(), ids.size());
      for (const int64_t id : ids) {
        ASSERT_TRUE(got.sink.frames.contains(id)) << "frame " << id;
        const Collector::Got& frame = got.sink.frames.at(id);
        const ReferenceFrame& want = expected[static_cast<size_t>(id)];
        if (frame.hash != want.hash) {
          int64_t is = -1;
          for (int64_t i = 0; i < total; ++i) {
            if (expected[static_cast<size_t>(i)].hash == frame.hash) is = i;
          }
          FAIL() << "frame " << id << " differs; it equals frame " << is;
        }
        if (want.hasTime) {
          ASSERT_NEAR(frame.seconds, want.seconds, 1e-3) << "frame " << id;
        }
      }
    }
  }
}

class FramesOfClips : public ::testing::TestWithParam<int> {};

constexpr int kShards = 6;

TEST_P(FramesOfClips, EqualASequentialDecode) {
  const std::vector<Fixture> all = fixtures();
  ASSERT_GT(all.size(), 20u);
  for (size_t i = static_cast<size_t>(GetParam()); i < all.size(); i += kShards) {
    checkClip(all[i], i / kShards);
  }
}

INSTANTIATE_TEST_SUITE_P(Shard, FramesOfClips, ::testing::Range(0, kShards));

}  // namespace
}  // namespace media_test
