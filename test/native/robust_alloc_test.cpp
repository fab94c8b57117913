// Allocations of a call fail one by one: operator new of the whole program and the blocks of
// MemoryResource, every one of them. The call ends in an Error (or does without), nothing leaks,
// the next call works.
#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "core/error.h"
#include "default_options.h"
#include "hostile/reference.h"
#include "pipeline/context.h"
#include "pipeline/pipeline.h"

namespace {

// Counts down to the allocation that fails; negative: none does.
std::atomic<int64_t> g_countdown{-1};
std::atomic<int64_t> g_seen{0};
std::atomic<int64_t> g_live{0};
std::atomic<bool> g_counting{false};

bool mustFail() {
  if (!g_counting.load(std::memory_order_relaxed)) return false;
  g_seen.fetch_add(1, std::memory_order_relaxed);
  return g_countdown.fetch_sub(1, std::memory_order_relaxed) == 0;
}

}  // namespace

// The linker sends the core's calls of aligned_alloc here (-Wl,--wrap).
extern "C" void* __real_aligned_alloc(size_t alignment, size_t bytes);
extern "C" void* __wrap_aligned_alloc(size_t alignment, size_t bytes) {
  return mustFail() ? nullptr : __real_aligned_alloc(alignment, bytes);
}

namespace {

void* allocate(size_t bytes, size_t alignment) {
  if (mustFail()) return nullptr;
  const size_t rounded = alignment > 0 ? (bytes + alignment - 1) / alignment * alignment : bytes;
  void* p = alignment > alignof(std::max_align_t) ? __real_aligned_alloc(alignment, rounded)
                                                  : std::malloc(bytes == 0 ? 1 : bytes);
  if (p != nullptr) g_live.fetch_add(1, std::memory_order_relaxed);
  return p;
}

void release(void* p) noexcept {
  if (p != nullptr) g_live.fetch_sub(1, std::memory_order_relaxed);
  std::free(p);
}

}  // namespace

void* operator new(size_t n) {
  if (void* p = allocate(n, 0)) return p;
  throw std::bad_alloc();
}
void* operator new(size_t n, std::align_val_t a) {
  if (void* p = allocate(n, static_cast<size_t>(a))) return p;
  throw std::bad_alloc();
}
void* operator new(size_t n, const std::nothrow_t&) noexcept { return allocate(n, 0); }
void operator delete(void* p) noexcept { release(p); }
void operator delete(void* p, size_t) noexcept { release(p); }
void operator delete(void* p, std::align_val_t) noexcept { release(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { release(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { release(p); }

namespace cps {
namespace {

DecodeOptions options() {
  DecodeOptions o = default_options::defaultOptions();
  o.sequenceLength = 4;
  o.uniformStrategy = UniformStrategy::Seek;
  return o;
}

PatchOptions patch() {
  PatchOptions p = default_options::defaultPatch();
  p.minPixels = p.maxPixels = 112 * 112;
  p.kKeep = 32;
  p.staticFallback = true;
  p.staticUniformFrames = 2;
  p.outputDtype = DType::F32;
  return p;
}

struct Outcome {
  bool worked = false;
  ErrorCode code = ErrorCode::Device;
  std::string message;
  std::vector<float> scores;
};

// Allocation `failing` of the call fails (negative: none does); counts them in g_seen.
Outcome runCall(const VideoInput& input, Context& context, bool patches, int64_t failing = -1) {
  Outcome out;
  Profile profile;
  const auto cancel = std::make_shared<CancelToken>();
  g_seen = 0;
  g_countdown = failing;
  try {
    g_counting = true;
    if (patches) {
      const PatchResult r = runPatchStream(input, options(), patch(), context, cancel, profile);
      g_counting = false;
      out.scores.assign(r.scores.as<float>(), r.scores.as<float>() + r.count);
    } else {
      runDecodeOnly(input, options(), {64, 48}, context, cancel, profile);
    }
    out.worked = true;
  } catch (const Error& error) {
    g_counting = false;
    out.code = error.code();
    out.message = error.what();
  } catch (const std::exception& error) {
    g_counting = false;
    out.message = std::string("foreign: ") + error.what();
  }
  g_counting = false;
  return out;
}

VideoInput fixture(const char* name) {
  const char* folder = std::getenv("CPS_FIXTURES");
  VideoInput input;
  if (folder != nullptr) {
    input.bytes = std::make_shared<const std::vector<uint8_t>>(
        hostile::readFile(std::string(folder) + "/" + name));
  }
  return input;
}

class AllocationFailure : public testing::TestWithParam<std::pair<const char*, bool>> {};

TEST_P(AllocationFailure, IsAnErrorAndTheNextCallWorks) {
  const auto [name, patches] = GetParam();
  const VideoInput input = fixture(name);
  ASSERT_TRUE(input.bytes) << "set CPS_FIXTURES";
  Context context(1);
  const Outcome good = runCall(input, context, patches);
  ASSERT_TRUE(good.worked) << good.message;
  ASSERT_TRUE(runCall(input, context, patches).worked);
  const int64_t allocations = g_seen;
  ASSERT_GT(allocations, 50);
  int64_t failed = 0;
  const int64_t before = g_live;
  for (int64_t at = 0; at < allocations; ++at) {
    const Outcome out = runCall(input, context, patches, at);
    if (!out.worked) {
      ++failed;
      ASSERT_EQ(out.code, ErrorCode::OutOfMemory) << "allocation " << at << ": " << out.message;
    }
    if (at % 16 == 0) {
      const Outcome after = runCall(input, context, patches);
      ASSERT_TRUE(after.worked) << "after allocation " << at << ": " << after.message;
      ASSERT_EQ(after.scores, good.scores) << "after allocation " << at;
    }
  }
  EXPECT_GT(failed, 50);
  const Outcome after = runCall(input, context, patches);
  EXPECT_TRUE(after.worked);
  // Pools and caches may hold a few objects more than before, not one per failure.
  EXPECT_LT(g_live - before, failed / 4 + 64);
  std::printf("%lld allocations, %lld of the trials refused\n", static_cast<long long>(allocations),
              static_cast<long long>(failed));
}

INSTANTIATE_TEST_SUITE_P(Calls, AllocationFailure,
                         testing::Values(std::pair("small.mp4", true),
                                         std::pair("small.mp4", false),
                                         std::pair("h264_cut.ts", true)));

// Host memory of results and kernels: the N-th block that Buffer asks for cannot be had.
TEST(MemoryFailure, BlocksBeyondTheAddressSpaceAreAnError) {
  for (const size_t bytes : {size_t{1} << 60, ~size_t{0}, ~size_t{0} - 63}) {
    try {
      Buffer::allocate(hostMemory(), bytes);
      FAIL() << bytes;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::OutOfMemory);
      EXPECT_NE(std::string(error.what()).find(std::to_string(bytes)), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace cps
