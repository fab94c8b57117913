#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <set>
#include <thread>

#include "core/buffer.h"
#include "core/cancel.h"
#include "core/error.h"
#include "core/notes.h"
#include "core/task_pool.h"

namespace cps {
namespace {

TEST(TaskPool, ParallelForVisitsEveryIndexOnce) {
  TaskPool pool(3);
  for (const size_t n : {0u, 1u, 2u, 7u, 1000u}) {
    std::vector<std::atomic<int>> seen(n);
    pool.parallelFor(n, 8, [&](size_t i) { ++seen[i]; });
    for (auto& s : seen) EXPECT_EQ(s.load(), 1);
  }
}

TEST(TaskPool, ParallelForUsesNoMoreThreadsThanAsked) {
  TaskPool pool(4);
  std::mutex mutex;
  std::set<std::thread::id> ids;
  pool.parallelFor(64, 2, [&](size_t) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::lock_guard lock(mutex);
    ids.insert(std::this_thread::get_id());
  });
  EXPECT_LE(ids.size(), 2u);
}

TEST(TaskPool, ParallelForRethrowsAfterTheOthersStopped) {
  TaskPool pool(2);
  std::atomic<int> running{0};
  EXPECT_THROW(pool.parallelFor(100, 3,
                                [&](size_t i) {
                                  ++running;
                                  std::this_thread::sleep_for(std::chrono::milliseconds(1));
                                  --running;
                                  if (i == 5) throw Error(ErrorCode::Corrupt, Stage::Decode, "x");
                                }),
               Error);
  EXPECT_EQ(running.load(), 0);
}

TEST(TaskPool, NestedLoopsInsideEveryJobFinish) {
  TaskPool pool(2);
  std::vector<std::promise<int>> done(16);
  std::vector<std::future<int>> results;
  for (auto& p : done) results.push_back(p.get_future());
  for (auto& p : done) {
    pool.submit([&pool, &p] {
      std::atomic<int> sum{0};
      pool.parallelFor(10, 4, [&](size_t i) {
        pool.parallelFor(3, 4, [&](size_t j) { sum += static_cast<int>(i * j); });
      });
      p.set_value(sum.load());
    });
  }
  for (auto& r : results) EXPECT_EQ(r.get(), 45 * 3);
}

TEST(TaskPool, OneAtATimeJobsDoNotOverlapAndLetOthersBy) {
  std::atomic<int> ones{0}, most{0}, finished{0};
  std::promise<void> freeRan;
  {
    TaskPool pool(3);
    std::promise<void> started, go;
    pool.submit(
        [&] {
          ++ones;
          started.set_value();
          go.get_future().wait();
          --ones;
        },
        TaskPool::Start::OneAtATime);
    started.get_future().wait();
    for (int i = 0; i < 20; ++i) {
      pool.submit(
          [&] {
            most = std::max(most.load(), ++ones);
            // Idle workers help: none of them sits on a job that waits.
            std::atomic<int> inside{0};
            const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
            pool.parallelFor(3, 3, [&](size_t) {
              ++inside;
              while (inside < 3 && std::chrono::steady_clock::now() < limit) {
                std::this_thread::yield();
              }
            });
            EXPECT_EQ(inside.load(), 3);
            --ones;
            ++finished;
          },
          TaskPool::Start::OneAtATime);
    }
    // Behind twenty that wait, and done before any of them.
    pool.submit([&] { freeRan.set_value(); });
    freeRan.get_future().wait();
    EXPECT_EQ(finished.load(), 0);
    go.set_value();
  }  // the rest runs while the pool ends
  EXPECT_EQ(finished.load(), 20);
  EXPECT_EQ(most.load(), 1);
}

TEST(TaskPool, DestructionRunsWhatIsQueued) {
  std::atomic<int> ran{0};
  {
    TaskPool pool(2);
    for (int i = 0; i < 50; ++i) pool.submit([&] { ++ran; });
  }
  EXPECT_EQ(ran.load(), 50);
}

TEST(ThreadBudget, GrantsAtLeastOneAndGivesBack) {
  ThreadBudget budget(4);
  auto a = budget.acquire(3);
  EXPECT_EQ(a.count(), 3);
  auto b = budget.acquire(3);
  EXPECT_EQ(b.count(), 1);
  auto c = budget.acquire(3);
  EXPECT_EQ(c.count(), 1);
  a.reset();
  b = ThreadBudget::Lease();
  auto d = budget.acquire(8);
  EXPECT_EQ(d.count(), 3);
}

TEST(Buffer, IsAlignedMovableAndReleasesOnce) {
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{64}, size_t{1000003}}) {
    Buffer a = Buffer::allocate(hostMemory(), bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(a.data()) % kBufferAlignment, 0u);
    EXPECT_EQ(a.bytes(), bytes);
    Buffer b = std::move(a);
    EXPECT_FALSE(a);
    EXPECT_TRUE(b);
    b.release();
    b.release();
    EXPECT_FALSE(b);
  }
}

TEST(Buffer, TooMuchMemoryIsAnErrorNotACrash) {
  try {
    Buffer::allocate(hostMemory(), SIZE_MAX - 3);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::OutOfMemory);
  }
}

TEST(CancelToken, ChecksCancelAndDeadline) {
  CancelToken token;
  EXPECT_NO_THROW(token.check(Stage::Decode));
  token.setDeadline(std::chrono::steady_clock::now() - std::chrono::milliseconds(1));
  try {
    token.check(Stage::Decode);
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("timeoutMs"), std::string::npos);
  }
  token.cancel();
  try {
    token.check(Stage::Decode);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::Aborted);
  }
}

TEST(Notes, AreTheSameInWhateverOrderTheyCome) {
  const auto describe = [](const Notes& notes) {
    std::string text;
    for (const Note& note : notes.list()) {
      text += std::string(note.code.text()) + ":" + note.message;
      for (const int64_t frame : note.frames) text += " " + std::to_string(frame);
      text += "; ";
    }
    return text;
  };
  const std::vector<Note> all = {{"skipped-frames", "the third", {3}},
                                 {"skipped-frames", "the second", {2, 8}},
                                 {"skipped-frames", "another second", {2}},
                                 {"skipped-frames", "a whole", {}},
                                 {"assumed-matrix", "of all", {}}};
  std::vector<size_t> order = {0, 1, 2, 3, 4};
  do {
    Notes notes;
    for (const size_t i : order) notes.add(all[i]);
    ASSERT_EQ(describe(notes), "assumed-matrix:of all; skipped-frames:another second 2 3 8; ");
    Notes copy;
    copy.add(notes);
    ASSERT_EQ(describe(copy), describe(notes));
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(Notes, CodesAreTheListedOnes) {
  for (const std::string_view code : kNoteCodes) {
    ASSERT_TRUE(NoteCode::named(code));
    EXPECT_EQ(NoteCode::named(code)->text(), code);
  }
  EXPECT_FALSE(NoteCode::named("of-another-version"));
}

}  // namespace
}  // namespace cps
