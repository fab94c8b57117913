#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>
#include <set>
#include <thread>

#include "core/buffer.h"
#include "core/cancel.h"
#include "core/cpu_budget.h"
#include "core/error.h"
#include "core/kept_memory.h"
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
  std::promise<void> freeRan, allRan;
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
              EXPECT_EQ(inside.load(), 3);
            });
            --ones;
            if (++finished == 20) allRan.set_value();
          },
          TaskPool::Start::OneAtATime);
    }
    // Behind twenty that wait, and done before any of them.
    pool.submit([&] { freeRan.set_value(); });
    freeRan.get_future().wait();
    EXPECT_EQ(finished.load(), 0);
    go.set_value();
    allRan.get_future().wait();
  }
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

TEST(TaskPool, SetThreadsHoldsForJobsFromThenOn) {
  TaskPool pool(1);
  const auto mostAtOnce = [&](int jobs, int expected) {
    std::mutex mutex;
    std::condition_variable changed;
    int inside = 0, most = 0, left = jobs;
    for (int i = 0; i < jobs; ++i) {
      pool.submit([&] {
        std::unique_lock lock(mutex);
        most = std::max(most, ++inside);
        changed.notify_all();
        // Jobs that may run at the same time wait for each other; a job too many shows in `most`.
        changed.wait_for(lock, std::chrono::seconds(10), [&] { return most >= expected; });
        --inside;
        --left;
        changed.notify_all();
      });
    }
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return left == 0; });
    return most;
  };
  EXPECT_EQ(mostAtOnce(3, 1), 1);
  pool.setThreads(4);
  EXPECT_EQ(pool.threads(), 4);
  EXPECT_EQ(mostAtOnce(8, 4), 4);
  pool.setThreads(2);
  EXPECT_EQ(mostAtOnce(6, 2), 2);
  pool.setThreads(0);
  EXPECT_EQ(pool.threads(), 1);
  EXPECT_EQ(mostAtOnce(3, 1), 1);
}

TEST(TaskPool, ResubmittedJobsComeFirst) {
  TaskPool pool(1);
  std::vector<int> order;
  std::promise<void> go, done;
  pool.submit([&] { go.get_future().wait(); });
  pool.submit([&] { order.push_back(2); });
  pool.submit([&] { done.set_value(); });
  pool.resubmit([&] { order.push_back(1); }, TaskPool::Start::Freely);
  go.set_value();
  done.get_future().wait();
  EXPECT_EQ(order, (std::vector{1, 2}));
}

// A tree with the files that a kernel would show.
class CpuTree {
 public:
  CpuTree(const std::string& group, const std::string& mounts) {
    char pattern[] = "/tmp/cps-cpus-XXXXXX";
    root_ = ::mkdtemp(pattern);
    write("proc/self/cgroup", group);
    write("proc/self/mountinfo", mounts);
  }
  ~CpuTree() { std::filesystem::remove_all(root_); }
  CpuTree& write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = std::filesystem::path(root_) / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text << "\n";
    return *this;
  }
  int cpus() const { return availableCpus(root_); }

 private:
  std::string root_;
};

TEST(CpuBudget, TakesTheLeastQuotaOfTheGroupAndThoseAboveIt) {
  // Of this machine's own mask; quotas below are of one processor, so that any machine shows them.
  const int all = CpuTree("", "").cpus();
  EXPECT_GE(all, 1);
  const std::string v2 = "30 1 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate";
  CpuTree tree("0::/a/b", v2);
  EXPECT_EQ(tree.cpus(), all);
  tree.write("sys/fs/cgroup/a/b/cpu.max", "max 100000");
  EXPECT_EQ(tree.cpus(), all);
  tree.write("sys/fs/cgroup/a/cpu.max", "60000 100000");
  EXPECT_EQ(tree.cpus(), 1);
  tree.write("sys/fs/cgroup/a/cpu.max", "110000 100000");  // rounded up
  EXPECT_EQ(tree.cpus(), std::min(all, 2));
  tree.write("sys/fs/cgroup/a/b/cpu.max", "5000 100000");
  EXPECT_EQ(tree.cpus(), 1);
  // In a container the root is its own.
  EXPECT_EQ(CpuTree("0::/", v2).write("sys/fs/cgroup/cpu.max", "50000 100000").cpus(), 1);

  const std::string v1 =
      "33 31 0:30 /docker/7 /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct";
  CpuTree old("4:memory:/docker/7\n3:cpu,cpuacct:/docker/7/x", v1);
  old.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1");
  old.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000");
  EXPECT_EQ(old.cpus(), all);
  old.write("sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", "90000");
  old.write("sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us", "100000");
  EXPECT_EQ(old.cpus(), 1);
  // What cannot be read limits nothing.
  EXPECT_EQ(CpuTree("3:cpu:../..", v1).write("sys/fs/cgroup/cpu.max", "x").cpus(), all);
}

TEST(CpuBudget, HearsTheAffinityMask) {
  cpu_set_t before, one;
  ASSERT_EQ(::sched_getaffinity(0, sizeof(before), &before), 0);
  int first = 0;
  while (!CPU_ISSET(first, &before)) ++first;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  ASSERT_EQ(::sched_setaffinity(0, sizeof(one), &one), 0);
  EXPECT_EQ(availableCpus(), 1);
  ASSERT_EQ(::sched_setaffinity(0, sizeof(before), &before), 0);
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

#if defined(__linux__)
TEST(Buffer, LargeBlocksAreUsedAgainWithinABound) {
  constexpr size_t kMiB = size_t{1} << 20;
  shrinkKeptMemory(0);
  Buffer small = Buffer::allocate(hostMemory(), kMiB);
  small.release();
  EXPECT_EQ(keptMemoryBytes(), 0u);

  Buffer first = Buffer::allocate(hostMemory(), 16 * kMiB - 5);
  void* const block = first.data();
  first.release();
  EXPECT_EQ(keptMemoryBytes(), 16 * kMiB);
  Buffer other = Buffer::allocate(hostMemory(), 24 * kMiB);
  EXPECT_NE(other.data(), block);
  Buffer again = Buffer::allocate(hostMemory(), 16 * kMiB);
  EXPECT_EQ(again.data(), block);
  EXPECT_EQ(keptMemoryBytes(), 0u);

  std::vector<Buffer> many;
  for (int i = 0; i < 20; i++) many.push_back(Buffer::allocate(hostMemory(), 20 * kMiB));
  many.clear();
  EXPECT_LE(keptMemoryBytes(), kMostKept);
  EXPECT_GE(keptMemoryBytes(), kMostKept - 20 * kMiB);
  other.release();  // the most recently used stays longest
  shrinkKeptMemory(30 * kMiB);
  EXPECT_EQ(keptMemoryBytes(), 24 * kMiB);
  Buffer larger = Buffer::allocate(hostMemory(), kMostKept + kMiB);
  larger.release();
  EXPECT_EQ(keptMemoryBytes(), 24 * kMiB);
  shrinkKeptMemory(0);
  EXPECT_EQ(keptMemoryBytes(), 0u);
}
#endif

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
  const std::vector<Note> all = {{"restarted-clock", "the third", {3}},
                                 {"restarted-clock", "the second", {2, 8}},
                                 {"restarted-clock", "another second", {2}},
                                 {"restarted-clock", "a whole", {}},
                                 {"assumed-matrix", "of all", {}}};
  std::vector<size_t> order = {0, 1, 2, 3, 4};
  do {
    Notes notes;
    for (const size_t i : order) notes.add(all[i]);
    ASSERT_EQ(describe(notes), "assumed-matrix:of all; restarted-clock:another second 2 3 8; ");
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
