// Errors that break the CUDA context (Note [Poisoned devices]), at every driver call in turn: the
// call says which CUDA call failed, nothing of the old context is touched or leaks, and the next
// call works on a new context or says why it cannot.

#include "cuda_device.h"
#include "media_common.h"
#include "pipeline/context.h"
#include "pipeline/pipeline.h"

namespace cps {
namespace {

constexpr int kIllegalAddress = 700;

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void breakAt(int call, int result = kIllegalAddress) {
  fake::control().failCall = "*";
  fake::control().failAfter = call;
  fake::control().failResult = result;
  fake::control().sticky = true;
}

void expectNothingLeft() {
  const fake::Stats& s = fake::stats();
  EXPECT_EQ(s.deviceAllocations, 0);
  EXPECT_EQ(s.pinnedAllocations, 0);
  EXPECT_EQ(s.decoders, 0);
  EXPECT_EQ(s.parsers, 0);
  EXPECT_EQ(s.mapped, 0);
  EXPECT_EQ(s.streams, 0);
  EXPECT_EQ(s.events, 0);
  EXPECT_EQ(s.pools, 0);
  EXPECT_EQ(s.contexts, 0);
  EXPECT_EQ(s.contextDepth, 0);
  EXPECT_EQ(s.misuses, 0) << s.misuse;
}

std::vector<uint8_t> bytesOf(const Context& context, const Buffer& buffer) {
  if (buffer.device().isCpu()) return {buffer.as<uint8_t>(), buffer.as<uint8_t>() + buffer.bytes()};
  return bytesOf(context, context.gpu()->downloadPinned(buffer));
}

struct Outcome {
  std::string error;
  std::vector<uint8_t> bytes;
};

// One call of the whole pipeline and the download of its result.
struct Pipeline {
  explicit Pipeline(Backend decode, Backend process) {
    context.setGpu(cuda_test::backend());
    options.sequenceLength = 3;
    options.nvdecReuseOpenDecoder = true;
    options.decodeBackend = decode;
    options.processBackend = process;
    patch.energy = Energy::Block;
    patch.minPixels = patch.maxPixels = 56 * 56;
    patch.patchSize = 14;
    patch.kKeep = 24;
    patch.selectionUnit = SelectionUnit::Patch;
    patch.staticUniformFrames = 4;
    patch.energyPct = 95;
    patch.outputDtype = DType::BF16;
    patch.layout = Layout::Nchw;
    patch.normalize = {1, {0, 0, 0}, {1, 1, 1}};
    input.path = media_test::fixturePath("h264_bpyramid.mp4");
  }

  PatchResult call() {
    Profile profile;
    return runPatchStream(input, options, patch, context, std::make_shared<CancelToken>(), profile);
  }
  Outcome run() {
    Outcome outcome;
    try {
      const PatchResult result = call();
      outcome.bytes = bytesOf(context, result.patches);
    } catch (const Error& error) {
      outcome.error = std::string(errorCodeName(error.code())) + ": " + error.what();
    }
    return outcome;
  }

  Context context{1};
  DecodeOptions options = media_test::defaultOptions();
  PatchOptions patch{};
  VideoInput input;
};

void breakEveryCall(Backend decode, Backend process) {
  fake::reset();
  const Outcome good = Pipeline(decode, process).run();
  ASSERT_EQ(good.error, "");
  int failures = 0, resets = 0;
  // The first calls one by one, then with growing steps, to the first run that nothing hits.
  for (int at = 0;; at += 1 + at / 16) {
    SCOPED_TRACE("CUDA call " + std::to_string(at));
    fake::reset();
    {
      Pipeline pipeline(decode, process);
      ASSERT_EQ(pipeline.run().bytes, good.bytes);  // an idle decoder and pinned memory are there
      breakAt(at);
      const Outcome broken = pipeline.run();
      const bool hit = fake::control().failCall.empty();
      fake::control().failCall.clear();
      if (broken.error.empty()) {
        EXPECT_EQ(broken.bytes, good.bytes);
      } else {
        failures++;
        // Where the call itself could still be refused, the reason is the same.
        EXPECT_TRUE(has(broken.error, "ERR_CPS_DEVICE") ||
                    has(broken.error, "ERR_CPS_BACKEND_UNAVAILABLE"))
            << broken.error;
        EXPECT_TRUE(has(broken.error, "CUDA_ERROR_ILLEGAL_ADDRESS")) << broken.error;
        EXPECT_TRUE(has(broken.error, "failed on cuda:0") || has(broken.error, "GPU kernel"))
            << broken.error;
      }
      const Outcome next = pipeline.run();
      EXPECT_EQ(next.error, "");
      EXPECT_EQ(next.bytes, good.bytes);
      resets += static_cast<int>(fake::stats().resets);
      if (!hit) {
        EXPECT_GT(at, 40);
        break;
      }
    }
    expectNothingLeft();
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(failures, 20);
  EXPECT_GE(resets, failures);
  std::cout << "  " << failures << " broken calls, " << resets << " contexts opened anew\n";
}

TEST(CudaRecovery, EveryCallOfDecodeAndProcess) { breakEveryCall(Backend::Gpu, Backend::Gpu); }
TEST(CudaRecovery, EveryCallOfDecode) { breakEveryCall(Backend::Gpu, Backend::Cpu); }
TEST(CudaRecovery, EveryCallOfProcess) { breakEveryCall(Backend::Cpu, Backend::Gpu); }

TEST(CudaRecovery, KernelThatCannotBeLaunched) {
  fake::reset();
  {
    Pipeline pipeline(Backend::Cpu, Backend::Gpu);
    fake::control().failCall = "kernel";
    fake::control().failResult = 719;
    fake::control().sticky = true;
    const Outcome broken = pipeline.run();
    EXPECT_TRUE(has(broken.error, "ERR_CPS_DEVICE: Launching GPU kernel")) << broken.error;
    EXPECT_EQ(pipeline.run().error, "");
    EXPECT_EQ(fake::stats().resets, 1);
  }
  expectNothingLeft();
}

TEST(CudaRecovery, CallsThatStillUseTheOldContextAreWaitedFor) {
  fake::reset();
  {
    const GpuBackend gpu = cuda_test::backend();
    auto kernels = gpu.makeKernels(0, nullptr);
    breakAt(0);
    const std::string error = media_test::errorOf([&] { kernels->synchronize(); });
    EXPECT_TRUE(has(error, "ERR_CPS_DEVICE")) << error;
    EXPECT_TRUE(has(error, "cuStreamSynchronize failed on cuda:0")) << error;
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
    EXPECT_TRUE(has(lost, "was lost with all memory of cuda:0 when cuStreamSynchronize")) << lost;
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
    breakAt(30, 999);
    fake::control().sticky = false;
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
      pipeline.options.decodeBackend = pipeline.options.processBackend = Backend::Auto;
      const PatchResult result = pipeline.call();
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
