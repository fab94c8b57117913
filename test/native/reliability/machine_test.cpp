// What the machine refuses: threads (every creation in turn, and all from one on), memory that
// FFmpeg asks for (every allocation in turn, and all larger ones for a while), open files. A call
// works with what it gets, or says what was missing; it never blames the file, and the next call
// works.
#include <dlfcn.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <map>

#include "core/error.h"
#include "default_options.h"
#include "ffmpeg/util.h"
#include "long_form.h"
#include "media/container/byte_source.h"
#include "media/container/demuxer.h"
#include "pipeline/context.h"
#include "reliability/hostile/fixture_input.h"
#include "reliability/hostile/hash_sink.h"

namespace {

// Requests of one kind that are counted while it is on, and which of them fail.
struct Requests {
  std::atomic<bool> on{false};
  std::atomic<int64_t> seen{0};
  std::atomic<int64_t> from{-1};  // the first that fails; negative: none
  std::atomic<int64_t> count{1};  // how many do

  bool mustFail() {
    if (!on.load(std::memory_order_relaxed)) return false;
    const int64_t number = seen.fetch_add(1, std::memory_order_relaxed);
    return from >= 0 && number >= from && number - from < count;
  }
  void start(int64_t first, int64_t many) {
    seen = 0;
    from = first;
    count = many;
    on = true;
  }
};

Requests g_threads, g_memory;
constexpr int64_t kAll = INT64_MAX;

template <typename Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

}  // namespace

// The program's own come before the C library's for FFmpeg, dav1d and std::thread, too.
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*start)(void*), void* argument) noexcept {
  static const auto real = next<decltype(&pthread_create)>("pthread_create");
  if (g_threads.mustFail()) return EAGAIN;
  return real(thread, attributes, start, argument);
}

extern "C" int posix_memalign(void** out, size_t alignment, size_t bytes) noexcept {
  static const auto real = next<decltype(&posix_memalign)>("posix_memalign");
  if (g_memory.mustFail()) {
    errno = ENOMEM;  // as the C library's does
    return ENOMEM;
  }
  return real(out, alignment, bytes);
}

extern "C" void* realloc(void* block, size_t bytes) noexcept {
  static const auto real = next<decltype(&realloc)>("realloc");
  if (g_memory.mustFail()) {
    errno = ENOMEM;
    return nullptr;
  }
  return real(block, bytes);
}

namespace cps {
namespace {

struct Outcome {
  std::map<int64_t, uint64_t> hashes;
  std::string error;  // empty: it worked
  ErrorCode code = ErrorCode::Device;
};

Outcome decode(const VideoInput& input, Context& context, int threads) {
  Outcome out;
  Profile profile;
  SourceOptions options = default_options::defaultSource();
  options.decodeThreads = threads;
  const CallContext call{options, std::make_shared<CancelToken>(), profile};
  hostile::HashSink sink;
  try {
    const auto source = openCpuSource(input, call, context.media());
    const int64_t n = source->info().totalFrames;
    std::vector<int64_t> ids;
    for (int64_t i = 0; i < 6; ++i) ids.push_back(i * (n - 1) / 5);
    source->decode(ids, sink);
    out.hashes = sink.hashes;
  } catch (const Error& error) {
    out.error = error.what();
    out.code = error.code();
  } catch (const std::bad_alloc&) {  // runDecodeOnly makes it one of ours
    out.error = "out of memory";
    out.code = ErrorCode::OutOfMemory;
  }
  return out;
}

void expectNoBlame(const Outcome& out, const std::string& what) {
  EXPECT_EQ(out.error.find("damaged"), std::string::npos) << what << ": " << out.error;
  EXPECT_EQ(out.error.find("incomplete"), std::string::npos) << what << ": " << out.error;
}

class Machine : public testing::TestWithParam<const char*> {};

// A context of its own each time, whose workers have to be started, too.
TEST_P(Machine, WorksWithTheThreadsItGets) {
  const VideoInput input = hostile::fixtureInput(GetParam());
  ASSERT_TRUE(input.bytes) << "set CPS_FIXTURES";
  const auto run = [&](int64_t first, int64_t many) {
    Context context(4);
    g_threads.start(first, many);
    Outcome out = decode(input, context, 4);
    g_threads.on = false;
    return out;
  };
  const Outcome good = run(-1, 0);
  ASSERT_EQ(good.error, "");
  const int64_t created = g_threads.seen;
  ASSERT_GE(created, 4);
  for (int64_t at = 0; at < created; ++at) {
    for (const int64_t many : {int64_t{1}, kAll}) {
      const Outcome out = run(at, many);
      EXPECT_EQ(out.error, "") << "from creation " << at;
      EXPECT_EQ(out.hashes, good.hashes) << "from creation " << at;
    }
  }
}

TEST_P(Machine, LackOfMemoryIsNoDamage) {
  const VideoInput input = hostile::fixtureInput(GetParam());
  ASSERT_TRUE(input.bytes) << "set CPS_FIXTURES";
  for (const int threads : {1, 3}) {
    Context context(threads);
    const auto run = [&](int64_t first, int64_t many) {
      g_memory.start(first, many);
      Outcome out = decode(input, context, threads);
      g_memory.on = false;
      return out;
    };
    const Outcome good = run(-1, 0);
    ASSERT_EQ(good.error, "");
    const int64_t requests = g_memory.seen;
    ASSERT_GT(requests, 20);
    int64_t refused = 0, trials = 0;
    // Both ends of what a call does and an even choice of what lies between.
    const int64_t some = longForm() > 0 ? 40 : 10;
    const int64_t step = std::max<int64_t>(1, requests / some);
    for (int64_t at = 0; at < requests; at += at < some ? 1 : step) {
      for (const int64_t many : {int64_t{1}, int64_t{25}}) {
        const Outcome out = run(at, many);
        const std::string what = std::to_string(threads) + " threads, " + std::to_string(many) +
                                 " from request " + std::to_string(at);
        ++trials;
        if (out.error.empty()) {
          EXPECT_EQ(out.hashes, good.hashes) << what;
          continue;
        }
        ++refused;
        EXPECT_EQ(out.code, ErrorCode::OutOfMemory) << what << ": " << out.error;
        expectNoBlame(out, what);
      }
    }
    EXPECT_EQ(decode(input, context, threads).hashes, good.hashes);
    std::printf("%d threads: %lld requests, %lld of %lld trials refused\n", threads,
                static_cast<long long>(requests), static_cast<long long>(refused),
                static_cast<long long>(trials));
  }
}

INSTANTIATE_TEST_SUITE_P(Clips, Machine,
                         testing::Values("small.mp4", "h264_cut.ts", "hevc.mp4", "vp9.webm",
                                         "av1.mp4", "raw.m2v", "gray_ffv1.mkv"));

// A container that could not go somewhere for want of memory must not count as one that never can:
// Note [Swallowed ENOMEM] in ffmpeg/util.h.
TEST(Seeking, LackOfMemoryDoesNotLookLikeTheContainersFault) {
  silenceFfmpegLog();
  int failed = 0;
  for (const char* name : {"vp9.webm", "h264.mkv", "mpeg4.avi", "small.mp4", "hevc.ts"}) {
    SCOPED_TRACE(name);
    const VideoInput input = hostile::fixtureInput(name);
    ASSERT_TRUE(input.bytes) << "set CPS_FIXTURES";
    const auto bytes = openByteSource(input);
    // Far enough that the container's own table of places is needed.
    const auto seek = [&](Demuxer& demuxer, int64_t first, int64_t many) {
      const SeekKind kind = demuxer.seekKind();
      const AVRational base = demuxer.stream().time_base;
      const int64_t target =
          kind == SeekKind::Byte ? bytes->size() / 2 : av_rescale_q(3, AVRational{1, 1}, base);
      g_memory.start(first, many);
      const bool there = demuxer.seek(kind, target);
      g_memory.on = false;
      return there;
    };
    int64_t requests = 0;
    {
      Demuxer demuxer(bytes, nullptr);
      if (!seek(demuxer, -1, 0)) continue;
      EXPECT_FALSE(demuxer.ranShort());
      requests = g_memory.seen;
    }
    for (int64_t at = 0; at < requests; ++at) {
      for (const int64_t many : {int64_t{1}, kAll}) {
        Demuxer demuxer(bytes, nullptr);
        if (seek(demuxer, at, many)) continue;
        ++failed;
        EXPECT_TRUE(demuxer.ranShort()) << many << " from request " << at;
      }
    }
  }
  EXPECT_GT(failed, 0);
}

TEST(Threads, NoneAtAllIsAnErrorAndTheNextCallWorks) {
  TaskPool pool(3);
  std::atomic<int> ran{0};
  g_threads.start(0, kAll);
  try {
    pool.submit([&] { ++ran; });
    ADD_FAILURE() << "submitted without a thread";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::Limit);
    EXPECT_NE(std::string(error.what()).find("thread"), std::string::npos) << error.what();
  }
  // The caller works.
  pool.parallelFor(8, 3, [&](size_t) { ++ran; });
  EXPECT_EQ(ran, 8);
  EXPECT_EQ(pool.jobs(), 0);
  g_threads.on = false;
  std::promise<void> done;
  pool.submit([&] { done.set_value(); });
  done.get_future().wait();
}

TEST(Files, TooManyOpenOnesAreALimit) {
  const char* folder = std::getenv("CPS_FIXTURES");
  ASSERT_NE(folder, nullptr) << "set CPS_FIXTURES";
  VideoInput input;
  input.path = std::string(folder) + "/small.mp4";
  Context context(1);
  const int free = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(free, 0);
  ::close(free);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none = {static_cast<rlim_t>(free), before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const Outcome out = decode(input, context, 1);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(out.code, ErrorCode::Limit) << out.error;
  EXPECT_NE(out.error.find(input.path), std::string::npos) << out.error;
  expectNoBlame(out, "open files");
  EXPECT_EQ(decode(input, context, 1).error, "");
}

}  // namespace
}  // namespace cps
