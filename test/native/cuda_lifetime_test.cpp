// Memory, streams and errors: nothing is used before it is there or after it is gone, nothing
// leaks, whatever fails. The fake driver runs enqueued work as late as it may.

#include <random>

#include "core/error.h"
#include "cuda_device.h"
#include "naive/test_frame.h"

namespace cps {
namespace {

void expectNothingLeft() {
  const fake::Stats& s = fake::stats();
  EXPECT_EQ(s.deviceAllocations, 0);
  EXPECT_EQ(s.pinnedAllocations, 0);
  EXPECT_EQ(s.streams, 0);
  EXPECT_EQ(s.events, 0);
  EXPECT_EQ(s.pools, 0);
  EXPECT_EQ(s.contexts, 0);
  EXPECT_EQ(s.contextDepth, 0);
  EXPECT_EQ(s.misuses, 0) << s.misuse;
}

// A small run of the pipeline's operations; owners of frames go as soon as work is enqueued.
std::vector<uint8_t> work(const GpuBackend& gpu) {
  const auto kernels = gpu.makeKernels(0, std::make_shared<CancelToken>());
  const auto memory = kernels->memory();
  naive::FrameSpec spec;
  spec.width = 130;
  spec.height = 140;
  const CellGrid cells = makeCellGrid(spec.height, spec.width);
  const PatchGrid grid = makePatchGrid(spec.height, spec.width, 56 * 56, 56 * 56, 14);
  const auto n = static_cast<size_t>(cells.cells());
  Buffer scores = Buffer::allocate(memory, 2 * static_cast<size_t>(grid.perFrame()) * 4);
  kernels->fillZero(scores.data(), scores.bytes());
  Buffer previous;
  std::vector<SourceFrame> frames;
  for (uint32_t t = 0; t < 2; t++) {
    spec.seed = t + 1;
    const naive::TestFrame host(spec);
    SourceFrame source;
    source.view = host.view;
    frames.push_back(gpu.transfer(source, kernels->device()));
    Buffer current = Buffer::allocate(memory, n);
    kernels->lumaCells(frames.back().view, cells, current.as<uint8_t>());
    if (t == 1) {
      const Buffer motion2 = Buffer::allocate(memory, static_cast<size_t>(cells.blocks()));
      const Buffer residual = Buffer::allocate(memory, n);
      kernels->blockMatch(current.as<uint8_t>(), previous.as<uint8_t>(), cells,
                          motion2.as<uint8_t>(), residual.as<uint8_t>());
      kernels->blockScores(motion2.as<uint8_t>(), residual.as<uint8_t>(), cells, grid, 95,
                           scores.as<float>() + grid.perFrame());
    }  // motion2 and residual go here, their kernels have not run
    previous = std::move(current);
  }
  const std::vector<uint8_t> isI = {1, 0};
  const std::vector<float> boost = {0, 0};
  std::vector<int32_t> indices(20);
  kernels->topK({scores.as<float>(), isI, boost, grid.perFrame(), 20}, indices.data());
  const std::vector<FrameView> views = {frames[0].view, frames[1].view};
  Buffer patches = Buffer::allocate(memory, indices.size() * 3 * 14 * 14 * 2);
  kernels->gatherPatches(views, indices, {grid, DType::BF16, Layout::Nchw, {1, {}, {1, 1, 1}}},
                         patches.data());
  frames.clear();  // before the gather has run
  kernels->synchronize();
  const Buffer host = gpu.downloadPinned(patches);
  return {host.as<uint8_t>(), host.as<uint8_t>() + host.bytes()};
}

TEST(CudaLifetime, LateWorkStillReadsLiveMemory) {
  for (const bool pools : {true, false}) {
    fake::reset();
    fake::control().pools = pools;
    std::vector<uint8_t> late, immediate;
    {
      const GpuBackend gpu = cuda_test::backend();
      late = work(gpu);
      fake::control().immediate = true;
      immediate = work(gpu);
    }
    EXPECT_EQ(late, immediate);
    expectNothingLeft();
  }
}

TEST(CudaLifetime, EveryFailingCallIsReportedAndLeavesNothing) {
  const char* calls[] = {"cuCtxPushCurrent", "cuStreamCreate",    "cuMemAllocFromPoolAsync",
                         "cuMemsetD8Async",  "cuMemcpyHtoDAsync", "cuMemcpyDtoHAsync",
                         "cuMemcpy2DAsync",  "cuMemHostAlloc",    "cuStreamSynchronize"};
  for (const char* call : calls) {
    int failures = 0;
    for (int at = 0; at < 40; at++) {
      fake::reset();
      {
        const GpuBackend gpu = cuda_test::backend();
        ASSERT_EQ(gpu.whyNotProcess(0), "");
        fake::control().failCall = call;
        fake::control().failAfter = at;
        fake::control().failResult = 999;
        try {
          work(gpu);
        } catch (const Error& error) {
          failures++;
          EXPECT_EQ(error.code(), ErrorCode::Device) << error.what();
          EXPECT_NE(std::string(error.what()).find(call), std::string::npos) << error.what();
        }
        fake::control().failCall.clear();
        EXPECT_NO_THROW(work(gpu)) << "after " << call << " failed at " << at;
      }
      // A push that fails while freeing leaves the memory to the context's end, as it must.
      if (std::string(call) != "cuCtxPushCurrent") expectNothingLeft();
      EXPECT_EQ(fake::stats().misuses, 0) << fake::stats().misuse;
      if (HasFailure()) return;
    }
    EXPECT_GT(failures, 0) << call << " was never called";
  }
}

TEST(CudaLifetime, OutOfMemoryIsSaidAndTheNextCallWorks) {
  fake::reset();
  {
    const GpuBackend gpu = cuda_test::backend();
    const auto kernels = gpu.makeKernels(0, nullptr);
    fake::control().memoryLimit = 1 << 20;
    try {
      const Buffer buffer = Buffer::allocate(kernels->memory(), size_t{2} << 20);
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::OutOfMemory);
      EXPECT_NE(std::string(error.what()).find("cuda:0"), std::string::npos) << error.what();
    }
    // Memory that only waits for its stream counts as free.
    for (int i = 0; i < 8; i++) {
      EXPECT_NO_THROW(Buffer::allocate(kernels->memory(), size_t{700} << 10));
    }
  }
  expectNothingLeft();
}

TEST(CudaLifetime, BuffersOutliveEverythingElse) {
  fake::reset();
  {
    Buffer buffer;
    {
      const GpuBackend gpu = cuda_test::backend();
      buffer = Buffer::allocate(gpu.makeKernels(0, nullptr)->memory(), 1000);
    }
    EXPECT_EQ(buffer.device().name(), "cuda:0");
    EXPECT_EQ(fake::stats().deviceAllocations, 1);
  }
  expectNothingLeft();
}

TEST(CudaLifetime, CancelledCallStopsBeforeTheNextOperation) {
  fake::reset();
  const GpuBackend gpu = cuda_test::backend();
  const auto cancel = std::make_shared<CancelToken>();
  const auto kernels = gpu.makeKernels(0, cancel);
  cancel->cancel();
  try {
    kernels->synchronize();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::Aborted);
  }
}

TEST(CudaLifetime, PinnedBlocksAreReused) {
  fake::reset();
  const GpuBackend gpu = cuda_test::backend();
  for (int i = 0; i < 20; i++) work(gpu);
  EXPECT_LE(fake::stats().pinnedMade, 3);
}

}  // namespace
}  // namespace cps
