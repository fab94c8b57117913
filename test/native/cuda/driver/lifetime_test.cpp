// Memory, streams and errors: nothing is used before it is there or after it is gone, nothing
// leaks, whatever fails. The fake driver runs enqueued work as late as it may.

#include <array>
#include <random>

#include "core/error.h"
#include "cuda/cuda_device.h"
#include "cuda/cuda_pipeline.h"
#include "naive/test_frame.h"
#include "pipeline/selection.h"

namespace cps {
namespace {

using cuda_test::expectNothingLeft;

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
  // Which patches depends on scores that came over the stream, so late ones would show.
  std::vector<float> scoresOnHost(scores.bytes() / sizeof(float));
  kernels->download(scoresOnHost.data(), scores.data(), scores.bytes());
  SelectionRule rule;
  rule.k = 20;
  rule.maxPerFrame = grid.perFrame();
  const std::vector<uint8_t> all(static_cast<size_t>(grid.perFrame()), 1), isI = {1, 0};
  const std::vector<float> boosts = {0, 0};
  const std::vector<int32_t> indices = chooseUnits({scoresOnHost, all}, isI, boosts, rule, nullptr);
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

// nvdec/failures_test.cpp lets every call of whole runs fail; here frames go while kernels that
// read them have not run, so that an order that cannot be enqueued must be waited for.
TEST(CudaLifetime, EveryFailingCallIsReportedAndLeavesNothing) {
  const std::vector<uint8_t> good = [] {
    fake::reset();
    return work(cuda_test::backend());
  }();
  int reported = 0, tolerated = 0;
  for (int at = 0;; at++) {
    fake::reset();
    std::string call;
    {
      const GpuBackend gpu = cuda_test::backend();
      ASSERT_EQ(gpu.whyNotProcess(0), "");
      cuda_test::failAt(at, 999, false);
      try {
        EXPECT_EQ(work(gpu), good);
        tolerated++;
      } catch (const Error& error) {
        reported++;
        // What cannot be freed any more loses the device, which is said by whoever wants it next.
        const bool lost = fake::stats().failedCall == "cuCtxPushCurrent" &&
                          error.code() == ErrorCode::BackendUnavailable;
        EXPECT_TRUE(lost || error.code() == ErrorCode::Device) << error.what();
        EXPECT_NE(std::string(error.what())
                      .find(fake::stats().failedCall == "kernel" ? "GPU kernel"
                                                                 : fake::stats().failedCall),
                  std::string::npos)
            << error.what();
      }
      cuda_test::failNoMore();
      call = fake::stats().failedCall;
      EXPECT_EQ(work(gpu), good) << "after " << call << " failed at " << at;
    }
    expectNothingLeft();
    if (HasFailure()) FAIL() << "after " << call << " failed at " << at;
    if (call.empty()) break;
  }
  EXPECT_GT(reported, 50);
  EXPECT_GT(tolerated, 20);
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

// Note [Shared frames]: what other calls have still to do is no reason to wait.
TEST(CudaLifetime, FramesAreFreedWithoutAskingOtherCalls) {
  fake::reset();
  {
    const GpuBackend gpu = cuda_test::backend();
    const auto other = gpu.makeKernels(0, nullptr), mine = gpu.makeKernels(0, nullptr);
    const Buffer late = Buffer::allocate(other->memory(), 1000);
    other->fillZero(late.data(), late.bytes());
    naive::FrameSpec spec;
    spec.width = spec.height = 64;
    const naive::TestFrame host(spec);
    const CellGrid cells = makeCellGrid(64, 64);
    const Buffer out = Buffer::allocate(mine->memory(), static_cast<size_t>(cells.cells()));
    const auto frame = [&] {
      SourceFrame source;
      source.view = host.view;
      return gpu.transfer(source, mine->device());
    };
    SourceFrame read = frame();
    mine->lumaCells(read.view, cells, out.as<uint8_t>());
    const long before = fake::stats().deviceAllocations, waits = fake::stats().streamWaits;
    read = {};
    EXPECT_EQ(fake::stats().deviceAllocations, before) << "a kernel has still to read it";
    mine->synchronize();
    EXPECT_EQ(fake::stats().deviceAllocations, before - 1);
    read = frame();
    mine->lumaCells(read.view, cells, out.as<uint8_t>());
    mine->synchronize();
    const long settled = fake::stats().streamWaits;
    read = {};
    EXPECT_EQ(fake::stats().deviceAllocations, before - 1) << "freed at once";
    EXPECT_EQ(fake::stats().streamWaits, settled) << "and nobody was asked";
    EXPECT_LE(settled - waits, 1) << "one for the end of the transfer's own stream";
    const auto* bytes = static_cast<const uint8_t*>(late.data());
    EXPECT_EQ(bytes[0], 0xcd) << "the other call's work is still to come";
  }
  expectNothingLeft();
}

TEST(CudaLifetime, ResultsKeepNoStreamAlive) {
  fake::reset();
  {
    cuda_test::Pipeline pipeline(Backend::Gpu, Backend::Gpu);
    std::vector<PatchResult> results;
    results.push_back(pipeline.patches());
    const long streams = fake::stats().streams, events = fake::stats().events;
    for (int i = 0; i < 5; i++) results.push_back(pipeline.patches());
    EXPECT_EQ(fake::stats().streams, streams);
    EXPECT_EQ(fake::stats().events, events);
    EXPECT_FALSE(results.front().patches.device().isCpu());
    EXPECT_EQ(cuda_test::bytesOf(pipeline.context, results.front().patches),
              cuda_test::bytesOf(pipeline.context, results.back().patches));
  }
  expectNothingLeft();
}

// Energies and ways to make pixels, in turn; all of them in kTurns.
constexpr int kTurns = 60;
void setTurn(PatchOptions& o, int turn) {
  o.energy = std::array{Energy::Block, Energy::Adjacent, Energy::Accumulated}[turn % 3];
  o.energyScope = turn / 3 % 2 ? EnergyScope::Video : EnergyScope::Frame;
  o.intraEnergy = turn / 6 % 2 ? IntraEnergy::Texture : IntraEnergy::Zero;
  o.maps = turn % 5 == 0;
  o.size = std::nullopt;
  if (turn % 4) o.size = {{SizeRule{ExactSize{{28, 56}}}}};
  o.resample = std::array{Resample::BilinearPlain, Resample::Bicubic, Resample::Area}[turn / 2 % 3];
}

TEST(CudaLifetime, NothingGrowsWithTheNumberOfCalls) {
  fake::reset();
  {
    cuda_test::Pipeline pipeline(Backend::Gpu, Backend::Gpu, "small.mp4");
    cuda_test::Pipeline upload(Backend::Cpu, Backend::Gpu, "small.mp4");
    for (auto* p : {&pipeline, &upload})
      p->options.patch.minPixels = p->options.patch.maxPixels = 28 * 28;
    EXPECT_EQ(pipeline.run().bytes, upload.run().bytes);
    cuda_test::Live idle;
    for (int i = 0; i < kTurns + 250; i++) {
      // Pinned memory is kept for the next call: as much as any of these needs.
      if (i == kTurns) idle = cuda_test::live();
      for (auto* p : {&pipeline, &upload}) setTurn(p->options.patch, i);
      ASSERT_EQ(pipeline.run(i % 2 == 0).error, "");
      ASSERT_EQ(upload.run(i % 2 == 1).error, "");
    }
    EXPECT_EQ(cuda_test::live(), idle);
  }
  expectNothingLeft();
}

TEST(CudaLifetime, PoolKeepsAPartOfTheDevice) {
  for (const size_t total : {size_t{4} << 30, size_t{80} << 30}) {
    fake::reset();
    fake::control().memoryLimit = total;
    const GpuBackend gpu = cuda_test::backend();
    EXPECT_EQ(gpu.whyNotProcess(0), "");
    EXPECT_EQ(fake::stats().poolKeeps, total / 32);
    EXPECT_EQ(fake::stats().poolDependencies, 0) << "calls would wait for each other";
  }
}

TEST(CudaLifetime, WaitingKeepsNoProcessorBusy) {
  fake::reset();
  cuda_test::Pipeline pipeline(Backend::Gpu, Backend::Gpu), other(Backend::Cpu, Backend::Gpu);
  for (auto* p : {&pipeline, &other}) {
    EXPECT_EQ(p->run().error, "");
    EXPECT_EQ(p->run(true).error, "");
  }
  // One each to see whether the context is any good.
  EXPECT_LE(fake::stats().spins, 2);
}

TEST(CudaLifetime, WarmDevicesHaveWhatAFirstCallNeeds) {
  fake::reset();
  {
    const GpuBackend gpu = cuda_test::backend();
    gpu.warmUp(0);
    const cuda_test::Live warm = cuda_test::live();
    EXPECT_EQ(warm.contexts, 1);
    EXPECT_EQ(warm.pools, 1);
    const long pinned = fake::stats().pinnedMade;
    EXPECT_GT(pinned, 0);
    EXPECT_GT(work(gpu).size(), 0u);
    EXPECT_EQ(cuda_test::live().contexts, 1);
    EXPECT_EQ(cuda_test::live().pools, 1);
    EXPECT_EQ(cuda_test::live().streams, warm.streams);
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
