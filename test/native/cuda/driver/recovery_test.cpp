// Errors that break the CUDA context (Note [Poisoned devices]): what is said, what the next call
// does, what becomes of memory of the old context. nvdec/failures_test.cpp breaks every call in
// turn.

#include "cuda/cuda_pipeline.h"

namespace cps {
namespace {

using cuda_test::bytesOf;
using cuda_test::expectNothingLeft;
using cuda_test::has;
using cuda_test::Outcome;
using cuda_test::Pipeline;

constexpr int kIllegalAddress = 700;

void breakAt(int call, int result = kIllegalAddress) { cuda_test::failAt(call, result, true); }

TEST(CudaRecovery, KernelThatCannotBeLaunched) {
  fake::reset();
  {
    Pipeline pipeline(Backend::Cpu, Backend::Gpu);
    cuda_test::failAt(0, 719, true, "kernel");
    const Outcome broken = pipeline.run();
    EXPECT_TRUE(has(broken.error, "ERR_CPS_DEVICE: Launching GPU kernel")) << broken.error;
    EXPECT_EQ(pipeline.run().error, "");
    EXPECT_EQ(fake::stats().resets, 1);
  }
  expectNothingLeft();
}

// What NVDEC gives up at the CPU may have, under 'auto', and the result says so.
TEST(CudaRecovery, DamageAndOtherSizesAreLeftToTheCpu) {
  for (const char* clip : {"hole.mp4", "sizes_h264_one_clock.ts"}) {
    fake::reset();
    {
      const bool damage = std::string(clip) == "hole.mp4";
      Pipeline cpu(Backend::Cpu, Backend::Cpu, clip), own(Backend::Auto, Backend::Gpu, clip);
      Pipeline gpu(Backend::Gpu, Backend::Gpu, clip);
      for (Pipeline* p : {&cpu, &own, &gpu}) {
        p->options.sampling.sample = sampleOf(20);
        if (damage) p->options.source.damaged = Damaged::Nearest;
      }
      const PatchResult expected = cpu.patches(), got = own.patches();
      EXPECT_EQ(got.sample.decodeBackend, "cpu") << clip;
      EXPECT_TRUE(has(got.sample.fallbackReason, "decode on the CPU")) << got.sample.fallbackReason;
      EXPECT_EQ(got.sample.frameIds, expected.sample.frameIds) << clip;
      EXPECT_EQ(got.sample.replaced.empty(), !damage) << clip;
      EXPECT_EQ(bytesOf(own.context, got.fields), bytesOf(cpu.context, expected.fields)) << clip;
      EXPECT_EQ(bytesOf(own.context, got.patches), bytesOf(cpu.context, expected.patches)) << clip;
      const std::string refused = gpu.run().error;
      EXPECT_TRUE(has(refused, damage ? "ERR_CPS_CORRUPT" : "ERR_CPS_UNSUPPORTED")) << refused;
    }
    expectNothingLeft();
  }
}

TEST(CudaRecovery, CallsThatStillUseTheOldContextAreWaitedFor) {
  fake::reset();
  {
    const GpuBackend gpu = cuda_test::backend();
    auto kernels = gpu.makeKernels(0, nullptr);
    breakAt(0);
    const std::string error = media_test::errorOf([&] { kernels->synchronize(); });
    EXPECT_TRUE(has(error, "ERR_CPS_DEVICE")) << error;
    EXPECT_TRUE(has(error, "cuEventRecord failed on cuda:0")) << error;
    EXPECT_TRUE(has(error, "starts anew")) << error;
    const std::string why = gpu.whyNotProcess(0);
    EXPECT_TRUE(has(why, "have not ended yet")) << why;
    EXPECT_TRUE(has(why, "CUDA_ERROR_ILLEGAL_ADDRESS")) << why;
    EXPECT_EQ(fake::stats().resets, 0);
    kernels.reset();
    EXPECT_EQ(gpu.whyNotProcess(0), "");
    EXPECT_EQ(fake::stats().resets, 1);
    EXPECT_NO_THROW(gpu.makeKernels(0, nullptr)->synchronize());
  }
  expectNothingLeft();
}

TEST(CudaRecovery, MemoryOfTheOldContextSaysThatItIsLost) {
  fake::reset();
  {
    const GpuBackend gpu = cuda_test::backend();
    Buffer old = Buffer::allocate(gpu.makeKernels(0, nullptr)->memory(), 1000);
    auto kernels = gpu.makeKernels(0, nullptr);
    breakAt(0);
    EXPECT_NE(media_test::errorOf([&] { kernels->synchronize(); }), "");
    EXPECT_TRUE(has(media_test::errorOf([&] { gpu.downloadPinned(old); }), "have not ended yet"));
    kernels.reset();
    const std::string lost = media_test::errorOf([&] { gpu.downloadPinned(old); });
    EXPECT_TRUE(has(lost, "ERR_CPS_DEVICE")) << lost;
    EXPECT_TRUE(has(lost, "was lost with all memory of cuda:0 when cuEventRecord")) << lost;
    const Buffer fresh = Buffer::allocate(gpu.makeKernels(0, nullptr)->memory(), 1000);
    EXPECT_EQ(gpu.downloadPinned(fresh).bytes(), 1000u);
    old.release();  // frees nothing of the new context
    EXPECT_EQ(fake::stats().deviceAllocations, 1);
  }
  expectNothingLeft();
}

TEST(CudaRecovery, UnknownErrorThatBrokeTheContextIsFoundOut) {
  fake::reset();
  {
    Pipeline pipeline(Backend::Gpu, Backend::Gpu);
    breakAt(30, 999);
    EXPECT_TRUE(has(pipeline.run().error, "ERR_CPS_DEVICE"));
    EXPECT_EQ(pipeline.run().error, "");
    EXPECT_EQ(fake::stats().resets, 1);
  }
  expectNothingLeft();
}

TEST(CudaRecovery, ErrorThatLeftTheContextWholeKeepsIt) {
  fake::reset();
  {
    Pipeline pipeline(Backend::Gpu, Backend::Gpu);
    cuda_test::failAt(0, 999, false, "cuMemcpyDtoHAsync");
    EXPECT_TRUE(has(pipeline.run().error, "ERR_CPS_DEVICE"));
    EXPECT_EQ(pipeline.run().error, "");
    EXPECT_EQ(fake::stats().resets, 0);
  }
  expectNothingLeft();
}

// Where a new context does not help, or is not ours to make, the device is given up with a reason.
TEST(CudaRecovery, DeviceThatStaysBrokenIsGivenUp) {
  for (const bool foreign : {true, false}) {
    fake::reset();
    fake::control().foreign = foreign;
    fake::control().resetHelps = false;
    {
      Pipeline pipeline(Backend::Gpu, Backend::Gpu);
      ASSERT_EQ(pipeline.run().error, "");
      breakAt(20);
      EXPECT_NE(pipeline.run().error, "");
      EXPECT_EQ(fake::stats().resets, 0);
      for (int i = 0; i < 3; i++) {
        const std::string why = pipeline.run().error;
        EXPECT_TRUE(has(why, "ERR_CPS_BACKEND_UNAVAILABLE")) << why;
        EXPECT_TRUE(has(why, "unusable for this process")) << why;
        EXPECT_TRUE(has(why, "restart the process")) << why;
      }
      EXPECT_EQ(fake::stats().resets, foreign ? 0 : 1) << "once, and never somebody else's";
      pipeline.options.devices.decodeBackend = pipeline.options.devices.processBackend =
          Backend::Auto;
      const PatchResult result = pipeline.patches();
      EXPECT_EQ(result.sample.decodeBackend, "cpu");
      EXPECT_EQ(result.sample.processBackend, "cpu");
      EXPECT_TRUE(has(result.sample.fallbackReason, "restart the process"))
          << result.sample.fallbackReason;
    }
    EXPECT_EQ(fake::stats().contexts, 0);
    EXPECT_EQ(fake::stats().misuses, 0) << fake::stats().misuse;
  }
}

}  // namespace
}  // namespace cps
