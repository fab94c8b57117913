// Sources whose every read is a round trip, by threads that answer late, wrongly or never.
#include "media/container/far_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <random>
#include <thread>

#include "core/error.h"
#include "media/container/far_pieces.h"

namespace cps {
namespace {

using Bytes = BytesReply::Bytes;

// Answers on threads of its own, as an event loop does.
class Fake final : public CallerBytes {
 public:
  using Answer = std::function<void(int64_t offset, size_t n, BytesReply& reply)>;
  Fake(int64_t size, Answer answer) : size_(size), answer_(std::move(answer)) {}
  ~Fake() override {
    for (std::thread& thread : threads_) thread.join();
  }
  int64_t size() const override { return size_; }
  std::string name() const override { return "fake"; }
  void ask(int64_t offset, size_t n, std::shared_ptr<BytesReply> reply) override {
    const std::lock_guard lock(mutex_);
    asked.push_back({offset, offset + static_cast<int64_t>(n)});
    threads_.emplace_back([this, offset, n, reply] { answer_(offset, n, *reply); });
  }

  std::deque<ByteRange> asked;

 private:
  const int64_t size_;
  const Answer answer_;
  std::mutex mutex_;
  std::deque<std::thread> threads_;
};

uint8_t byteAt(int64_t offset) { return static_cast<uint8_t>(offset * 31 ^ offset >> 11); }

Bytes bytesOf(int64_t offset, size_t n) {
  Bytes bytes(n);
  for (size_t i = 0; i < n; ++i) bytes[i] = byteAt(offset + static_cast<int64_t>(i));
  return bytes;
}

const Fake::Answer kGood = [](int64_t offset, size_t n, BytesReply& reply) {
  reply.give(bytesOf(offset, n));
};

bool isRight(const Bytes& bytes, int64_t offset) { return bytes == bytesOf(offset, bytes.size()); }

TEST(FarPieces, GiveWhatWasAddedWhateverOverlaps) {
  std::mt19937 random(7);
  FarPieces pieces;
  std::vector<bool> there(4000, false);
  for (int i = 0; i < 3000; ++i) {
    const int64_t at = std::uniform_int_distribution<int64_t>(0, 3999)(random);
    const auto n = static_cast<size_t>(
        std::min<int64_t>(std::uniform_int_distribution<int64_t>(1, 300)(random), 4000 - at));
    if (i % 30 == 0) {
      // What was there stays; what is added up to the next piece is there from now on.
      pieces.add(at, bytesOf(at, n), static_cast<PieceUse>(i % 3));
      size_t k = 0;
      while (k < n && there[static_cast<size_t>(at) + k]) ++k;
      for (; k < n && !there[static_cast<size_t>(at) + k]; ++k) {
        there[static_cast<size_t>(at) + k] = true;
      }
    }
    Bytes out(n);
    const size_t got = pieces.copy(at, out.data(), n, i % 2 == 0);
    ASSERT_EQ(got > 0, there[static_cast<size_t>(at)]) << at;
    ASSERT_EQ(got > 0, pieces.has(at));
    out.resize(got);
    ASSERT_TRUE(isRight(out, at));
  }
  EXPECT_EQ(pieces.bytes(), static_cast<size_t>(std::count(there.begin(), there.end(), true)));
}

TEST(FarPieces, TheOldestOfAKindGoFirst) {
  constexpr size_t kMiB = 1 << 20;
  FarPieces pieces;
  for (int64_t i = 0; i < 200; ++i) {
    const auto at = i * static_cast<int64_t>(kMiB);
    pieces.add(at, Bytes(kMiB), i < 2 ? PieceUse::Tables : PieceUse::Packets);
  }
  EXPECT_LT(pieces.bytes(), 64 * kMiB);
  EXPECT_TRUE(pieces.has(0));
  EXPECT_FALSE(pieces.has(int64_t{10} << 20));
  EXPECT_TRUE(pieces.has(int64_t{199} << 20));
  pieces.settle();
  EXPECT_LE(pieces.bytes(), 6 * kMiB);
  EXPECT_TRUE(pieces.has(0));
  EXPECT_TRUE(pieces.has(int64_t{199} << 20));
}

ErrorCode codeOf(const std::function<void()>& body, std::string& message) {
  try {
    body();
  } catch (const Error& error) {
    message = error.what();
    return error.code();
  }
  ADD_FAILURE() << "nothing was thrown";
  return ErrorCode::Device;
}

TEST(FarPieces, OfAllTablesGoLastAndTheLastUsedStays) {
  constexpr size_t kMiB = 1 << 20;
  FarPieces pieces;
  for (int64_t i = 0; i < 9; ++i) {
    pieces.add(i * int64_t{1 << 20}, Bytes(kMiB), static_cast<PieceUse>(i % 3));
  }
  uint8_t one = 0;
  pieces.copy(int64_t{2} << 20, &one, 1, true);  // the oldest packets are the last used
  pieces.keepAll(7 * kMiB);
  EXPECT_TRUE(pieces.has(int64_t{2} << 20));
  EXPECT_FALSE(pieces.has(int64_t{5} << 20));
  EXPECT_FALSE(pieces.has(int64_t{8} << 20));
  pieces.keepAll(4 * kMiB);
  for (const int64_t table : {0, 3, 6}) EXPECT_TRUE(pieces.has(table << 20)) << table;
  pieces.keepAll(0);
  EXPECT_EQ(pieces.bytes(), kMiB);
  EXPECT_TRUE(pieces.has(int64_t{2} << 20));
}

TEST(FarSource, WhatIsKeptCountsAgainstTheCallsMemory) {
  constexpr int64_t kMiB = 1 << 20;
  const auto source = openFarSource(std::make_shared<Fake>(100 * kMiB, kGood));
  const auto memory = std::make_shared<MemoryBudget>(5 * kMiB);
  Profile profile;
  {
    const auto reading = source->forCall({nullptr, &profile, nullptr, memory});
    for (int64_t at = 0; at < 60; at += 3) {
      uint8_t one = 0;
      ASSERT_EQ(reading->readAt(at * kMiB, &one, 1), 1u);
      ASSERT_EQ(one, byteAt(at * kMiB));
      ASSERT_LT(memory->left(), 5 * kMiB);
      ASSERT_GE(memory->left(), 0);
    }
    ASSERT_TRUE(memory->take(static_cast<double>(memory->left())));
    std::string message;
    uint8_t one = 0;
    const auto other =
        source->forCall({nullptr, &profile, nullptr, std::make_shared<MemoryBudget>(kMiB / 2)});
    EXPECT_EQ(codeOf([&] { other->readAt(99 * kMiB, &one, 1); }, message), ErrorCode::OutOfMemory);
    EXPECT_NE(message.find("maxMemoryBytes"), std::string::npos) << message;
  }
  EXPECT_GE(memory->left(), kMiB);  // given back with the call
}

TEST(FarSource, ReadsThatNobodyWaitsForHearIt) {
  std::atomic<int> stopped{0};
  const auto reply = std::make_shared<BytesReply>();
  reply->onGivenUp([&] { ++stopped; });
  reply->giveUp();
  reply->giveUp();
  EXPECT_EQ(stopped, 1);
  reply->give(Bytes(3));  // too late
  std::string failure;
  EXPECT_FALSE(reply->take(failure));
  const auto answered = std::make_shared<BytesReply>();
  answered->onGivenUp([&] { ++stopped; });
  answered->give(Bytes(3));
  answered->giveUp();
  EXPECT_EQ(stopped, 1);
}

TEST(FarSource, GivesTheBytesToManyThreadsOneReadAtATime) {
  constexpr int64_t kSize = 9'000'001;
  std::atomic<int> outstanding{0}, most{0};
  const auto fake = std::make_shared<Fake>(kSize, [&](int64_t offset, size_t n, BytesReply& reply) {
    most = std::max(most.load(), ++outstanding);
    Bytes bytes = bytesOf(offset, n);
    --outstanding;
    reply.give(std::move(bytes));
  });
  const auto pool = std::make_shared<TaskPool>(2);
  Profile profile;
  const auto reading = openFarSource(fake)->forCall({nullptr, &profile, pool});
  reading->expect({{2'000'000, 5'000'000}, {5'100'000, 5'100'010}, {8'000'000, 8'300'000}});
  std::vector<std::thread> threads;
  std::atomic<bool> right{true};
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      for (int i = 0; i < 60; ++i) {
        const int64_t at = std::uniform_int_distribution<int64_t>(0, kSize - 1)(random);
        Bytes out(std::uniform_int_distribution<size_t>(1, 400'000)(random));
        const size_t got = reading->readAt(at, out.data(), out.size());
        if (got != static_cast<size_t>(std::min<int64_t>(std::ssize(out), kSize - at)))
          right = false;
        out.resize(got);
        if (!isRight(out, at)) right = false;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(right);
  EXPECT_EQ(most, 1);
  uint8_t one = 0;
  EXPECT_EQ(reading->readAt(kSize, &one, 1), 0u);
  EXPECT_EQ(reading->readAt(-1, &one, 1), 0u);
  EXPECT_EQ(profile.values().at("sourceReads"), static_cast<double>(fake->asked.size()));
}

TEST(FarSource, AsksForThePlannedRangesAndNoMore) {
  constexpr int64_t kMiB = 1 << 20;
  const auto fake = std::make_shared<Fake>(100 * kMiB, kGood);
  const auto reading = openFarSource(fake)->forCall({});
  const std::vector<ByteRange> ranges = {{10 * kMiB, 15 * kMiB + 7}, {40 * kMiB, 41 * kMiB}};
  reading->expect(ranges);
  for (const ByteRange& range : ranges) {
    Bytes out(static_cast<size_t>(range.end - range.begin));
    ASSERT_EQ(reading->readAt(range.begin, out.data(), out.size()), out.size());
    EXPECT_TRUE(isRight(out, range.begin));
  }
  ASSERT_EQ(fake->asked.size(), 4u);  // 1, 2 and 2 MiB with the rest; 1
  for (const ByteRange& read : fake->asked) {
    EXPECT_TRUE(std::any_of(ranges.begin(), ranges.end(), [&](const ByteRange& range) {
      return range.begin <= read.begin && read.end <= range.end;
    }));
  }
}

TEST(FarSource, SaysWhatIsWrongWithAnAnswer) {
  std::string message;
  uint8_t one = 0;
  const auto failing = [&](Fake::Answer answer) {
    const auto source = openFarSource(std::make_shared<Fake>(5'000'000, std::move(answer)));
    return codeOf([&] { source->readAt(0, &one, 1); }, message);
  };
  EXPECT_EQ(failing([](int64_t, size_t, BytesReply& reply) { reply.fail("no route"); }),
            ErrorCode::Source);
  EXPECT_EQ(message, "Reading bytes 0 to 1048576 of 'fake' failed: no route");
  EXPECT_EQ(failing([](int64_t, size_t n, BytesReply& reply) { reply.give(Bytes(n - 1)); }),
            ErrorCode::Source);
  EXPECT_EQ(failing([](int64_t, size_t, BytesReply& reply) { reply.give(Bytes(5'000'000)); }),
            ErrorCode::Source);
  EXPECT_NE(message.find("ignores Range"), std::string::npos);
}

TEST(FarSource, SilentSourcesKeepNobodyFromWork) {
  const auto silent = openFarSource(
      std::make_shared<Fake>(5'000'000, [](int64_t, size_t, BytesReply&) { /* never */ }));
  const auto pool = std::make_shared<TaskPool>(2);
  const auto cancel = std::make_shared<CancelToken>();
  std::atomic<int> aborted{0}, worked{0};
  for (int i = 0; i < 6; ++i) {
    pool->submit([&] {
      std::string message;
      uint8_t one = 0;
      const auto reading = silent->forCall({cancel, nullptr, pool});
      aborted += codeOf([&] { reading->readAt(0, &one, 1); }, message) == ErrorCode::Aborted;
    });
  }
  for (int i = 0; i < 4; ++i) pool->submit([&] { ++worked; });
  while (worked < 4) std::this_thread::yield();
  EXPECT_EQ(aborted, 0);
  cancel->cancel();
  while (pool->jobs() > 0) std::this_thread::yield();
  EXPECT_EQ(aborted, 6);
  // Those that took a place are gone by and by, and the pool works on.
  pool->submit([&] { ++worked; });
  while (worked < 5) std::this_thread::yield();
}

TEST(FarSource, TimeLimitsNameWhatWasWaitedFor) {
  const auto silent = openFarSource(
      std::make_shared<Fake>(5'000'000, [](int64_t, size_t, BytesReply&) { /* never */ }));
  const auto cancel = std::make_shared<CancelToken>();
  cancel->setDeadline(std::chrono::steady_clock::now() + std::chrono::milliseconds(30));
  std::string message;
  uint8_t one = 0;
  const auto reading = silent->forCall({cancel, nullptr, nullptr});
  EXPECT_EQ(codeOf([&] { reading->readAt(0, &one, 1); }, message), ErrorCode::TimedOut);
  EXPECT_NE(message.find("waiting for bytes 0 to 1048576 of 'fake'"), std::string::npos);
}

}  // namespace
}  // namespace cps
