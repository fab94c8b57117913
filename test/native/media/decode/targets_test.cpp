// Which pictures are still wanted, and that those are planned anew where a container gets lost.

#include "media/decode/targets.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "media/index/index_cache.h"
#include "media/media_common.h"

namespace cps {
namespace {

struct Recorder final : FrameSink {
  void onFrame(SourceFrame frame) override {
    const std::lock_guard<std::mutex> lock(mutex);
    ++frames[frame.displayIndex];
  }
  bool takesLosses() const override { return true; }
  void onLost(int64_t displayIndex, const Error&) override {
    const std::lock_guard<std::mutex> lock(mutex);
    ++losses[displayIndex];
  }
  std::mutex mutex;
  std::map<int64_t, int> frames, losses;
};

// Packet i holds picture `packets - 1 - i`.
std::unique_ptr<FrameIndex> backwards(int32_t packets) {
  auto index = std::make_unique<FrameIndex>();
  index->packets.resize(static_cast<size_t>(packets));
  for (int32_t i = 0; i < packets; ++i) {
    index->packets[static_cast<size_t>(i)].displayIndex = packets - 1 - i;
  }
  return index;
}

SourceFrame picture(int64_t displayIndex) {
  SourceFrame frame;
  frame.displayIndex = displayIndex;
  return frame;
}

const Error kDamaged(ErrorCode::Corrupt, Stage::Decode, "damaged");

TEST(TargetsOfADecode, EachIsDeliveredOrLostOnce) {
  const auto index = backwards(10);
  const std::vector<int64_t> wanted = {1, 4, 8};
  Recorder sink;
  Targets targets(*index, wanted, sink);
  targets.deliver(picture(4));
  targets.deliver(picture(4));
  targets.lose(4, kDamaged);
  targets.lose(8, kDamaged);
  targets.lose(8, kDamaged);
  targets.deliver(picture(8));
  EXPECT_EQ(sink.frames, (std::map<int64_t, int>{{4, 1}}));
  EXPECT_EQ(sink.losses, (std::map<int64_t, int>{{8, 1}}));
  EXPECT_EQ(targets.remaining(), std::vector<int64_t>{1});
}

TEST(TargetsOfADecode, WhatNobodyWantsGoesNowhere) {
  const auto index = backwards(10);
  const std::vector<int64_t> wanted = {1, 4, 8};
  Recorder sink;
  Targets targets(*index, wanted, sink);
  for (const int64_t d : {int64_t{-1}, int64_t{0}, int64_t{5}, int64_t{9}}) {
    targets.deliver(picture(d));
    targets.lose(d, kDamaged);
  }
  EXPECT_TRUE(sink.frames.empty());
  EXPECT_TRUE(sink.losses.empty());
  EXPECT_EQ(targets.remaining(), wanted);
}

TEST(TargetsOfADecode, RemainOfPacketsInTheirOrder) {
  const auto index = backwards(10);
  const std::vector<int64_t> wanted = {1, 4, 8};
  Recorder sink;
  Targets targets(*index, wanted, sink);
  const std::vector<int32_t> packets = {1, 3, 5, 8};  // of pictures 8, 6, 4, 1
  EXPECT_EQ(targets.remaining(packets), (std::vector<int32_t>{1, 5, 8}));
  targets.deliver(picture(4));
  EXPECT_EQ(targets.remaining(packets), (std::vector<int32_t>{1, 8}));
}

TEST(TargetsOfADecode, ThreadsThatDecodeTheSameDeliverItOnce) {
  constexpr int kPictures = 20000;
  const auto index = backwards(1);
  std::vector<int64_t> wanted(kPictures);
  for (int d = 0; d < kPictures; ++d) wanted[static_cast<size_t>(d)] = d;
  Recorder sink;
  Targets targets(*index, wanted, sink);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (const int64_t d : wanted) targets.deliver(picture(d));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(targets.remaining().empty());
  ASSERT_EQ(sink.frames.size(), wanted.size());
  for (const auto& [d, times] : sink.frames) ASSERT_EQ(times, 1) << "picture " << d;
}

// With the first picture, as another call would in between, learns that seeking leads nowhere.
struct Unseekable final : FrameSink {
  explicit Unseekable(FrameIndexPtr shared) : index(std::move(shared)) {}
  void onFrame(SourceFrame frame) override {
    index->seeks().setSeekBroken();
    collector.onFrame(std::move(frame));
  }
  FrameIndexPtr index;
  media_test::Collector collector;
};

TEST(TargetsOfADecode, RemainWhereAnotherCallLearnsThatSeekingIsBroken) {
  const std::string path = media_test::fixturePath("h264_intra_only.mp4");
  const auto all = media_test::decodeSequentially(path);
  std::vector<int64_t> wanted;
  for (int64_t d = 0; d < std::ssize(all); d += 5) wanted.push_back(d);
  SourceOptions options = media_test::defaultSource();
  options.uniformStrategy = UniformStrategy::Seek;
  media_test::Services services(2);  // segments out of order, the costly ones first
  Profile profile;
  const CallContext call = {options, std::make_shared<CancelToken>(), profile};
  const auto bytes = openFileSource(path);
  const auto source = openCpuSource(bytes, call, services.media);
  Unseekable sink(services.media.indexes->get(
      *bytes->identity(), 4, IndexCache::Busy::BuildToo,
      []() -> FrameIndexPtr { throw Error(ErrorCode::Corrupt, Stage::Index, "not cached"); }));
  source->decode(wanted, sink);
  EXPECT_EQ(sink.collector.repeats, 0);
  ASSERT_EQ(sink.collector.frames.size(), wanted.size());
  for (const int64_t d : wanted) {
    EXPECT_EQ(sink.collector.frames.at(d).hash, all[static_cast<size_t>(d)].hash) << d;
  }
}

}  // namespace
}  // namespace cps
