// Every call to the driver, to NVDEC and every kernel launch fails once, in every way to run: the
// call ends in an error that names what failed, or in the right result where doing without is by
// design; nothing is left on the device, and the next call gives the right result.

#include <cstring>
#include <iostream>
#include <map>
#include <set>

#include "cuda/cuda_pipeline.h"

namespace cps {
namespace {

using cuda_test::has;
using cuda_test::Live;
using cuda_test::Outcome;
using cuda_test::Pipeline;

constexpr int kUnknown = 999, kOutOfMemory = 2, kIllegalAddress = 700;
constexpr int kOneByOne = 400;  // further calls of a run fail in growing steps

struct Way {
  Backend decode, process;
  bool decodeOnly;
  bool pools = true;  // of memory and of decoders
  Energy energy = Energy::Block;
  SelectionUnit unit = SelectionUnit::Patch;
  int frames = 2;
};

std::string describe(const Way& w) {
  const auto name = [](Backend b) { return b == Backend::Gpu ? "gpu" : "cpu"; };
  return std::string(name(w.decode)) + " to " + name(w.process) +
         (w.decodeOnly                    ? ", decodeOnly"
          : w.energy == Energy::Reference ? ", patchStream (reference)"
                                          : ", patchStream") +
         (w.pools ? "" : ", no pools");
}

const Way kWays[] = {
    {Backend::Gpu, Backend::Gpu, false},
    // More frames than surfaces may be mapped at a time.
    {Backend::Gpu, Backend::Gpu, true, false, Energy::Block, SelectionUnit::Patch, 5},
    {Backend::Gpu, Backend::Cpu, false},
    {Backend::Gpu, Backend::Cpu, true},
    {Backend::Cpu, Backend::Gpu, false, true, Energy::Reference},
    {Backend::Cpu, Backend::Gpu, true},
    {Backend::Cpu, Backend::Gpu, false, false, Energy::Block, SelectionUnit::Block2x2},
};

std::unique_ptr<Pipeline> makePipeline(const Way& way) {
  fake::control().pools = way.pools;
  auto pipeline = std::make_unique<Pipeline>(way.decode, way.process, "small.mp4");
  pipeline->options.sampling.sample = sampleOf(way.frames);
  pipeline->options.devices.nvdecReuseOpenDecoder = way.pools;
  pipeline->options.patch.minPixels = pipeline->options.patch.maxPixels = 28 * 28;
  pipeline->options.patch.kKeep = {8};
  pipeline->options.patch.energy = way.energy;
  pipeline->options.patch.selectionUnit = way.unit;
  return pipeline;
}

// Calls whose error changes nothing, by design, at some of their places: what frees (an error there
// is one of earlier work, and is met again), what frees in order (then it waits instead), status
// that is not known, memory that can be had after
// all.
const std::set<std::string> kTolerated = {
    "cuCtxPopCurrent",
    "cuStreamDestroy",
    "cuEventDestroy",
    "cuMemFree",
    "cuMemFreeAsync",
    "cuMemFreeHost",
    "cuEventRecord",
    "cuStreamWaitEvent",
    "cuvidGetDecodeStatus",
    "cuvidDestroyDecoder",
    "cuvidDestroyVideoParser",
    "cuCtxPushCurrent",
    "cuDeviceGetAttribute",
    "cuMemAllocFromPoolAsync",
    "cuMemAlloc",
};
// The same of lacking memory alone: what lies idle makes room, and a decoder is made after all.
const std::set<std::string> kToleratedShortage = {"cuvidCreateDecoder", "cuStreamCreate",
                                                  "cuEventCreate"};

class Sweep {
 public:
  // Every `stride`th call fails.
  Sweep(const Way& way, int result, bool sticky, int stride)
      : way_(way), result_(result), sticky_(sticky), stride_(stride) {
    fake::reset();
    good_ = makePipeline(way)->run(way.decodeOnly);
    EXPECT_EQ(good_.error, "");
    EXPECT_GT(good_.bytes.size(), 1000u);
    cuda_test::expectNothingLeft();
  }

  // All on one pipeline whose decoder and pinned memory are there: what a failure loses adds up.
  void warm() {
    fake::reset();
    {
      const auto pipeline = makePipeline(way_);
      pipeline->run(way_.decodeOnly);
      EXPECT_EQ(pipeline->run(way_.decodeOnly).bytes, good_.bytes);
      const Live idle = cuda_test::live();
      for (int at = 0;; at += at < kOneByOne ? stride_ : at / 20) {
        SCOPED_TRACE("call " + std::to_string(at));
        if (!fails(*pipeline, at)) break;
        EXPECT_EQ(cuda_test::live(), idle) << fake::stats().failedCall;
        if (::testing::Test::HasFailure()) return;
      }
    }
    cuda_test::expectNothingLeft();
  }

  // The first call of a process: opening the driver, the device and a decoder as well.
  void cold() {
    for (int at = 0;; at += at < kOneByOne ? stride_ : at / 20) {
      SCOPED_TRACE("first call, " + std::to_string(at));
      fake::reset();
      bool hit;
      {
        const auto pipeline = makePipeline(way_);
        hit = fails(*pipeline, at);
      }
      cuda_test::expectNothingLeft();
      if (!hit || ::testing::Test::HasFailure()) return;
    }
  }

  ~Sweep() {
    std::cout << "  " << describe(way_) << ": " << failures_ << " errors";
    for (const auto& [call, count] : tolerated_) std::cout << ", " << count << " x " << call;
    std::cout << "\n";
  }

 private:
  // False where the run has fewer calls.
  bool fails(Pipeline& pipeline, int at) {
    cuda_test::failAt(at, result_, sticky_);
    const Outcome broken = pipeline.run(way_.decodeOnly);
    cuda_test::failNoMore();
    const std::string call = fake::stats().failedCall;
    SCOPED_TRACE(call);
    if (broken.error.empty()) {
      EXPECT_EQ(broken.bytes, good_.bytes);
      if (!call.empty()) {
        tolerated_[call]++;
        const bool shortage = result_ == kOutOfMemory && kToleratedShortage.count(call) != 0;
        EXPECT_TRUE(shortage || kTolerated.count(call) != 0)
            << "an error of " << call << " was not noticed";
      }
    } else {
      failures_++;
      expectNamed(broken.error, call);
    }
    fake::control().sticky = false;
    const Outcome next = pipeline.run(way_.decodeOnly);
    EXPECT_EQ(next.error, "") << "after " << broken.error;
    EXPECT_EQ(next.bytes, good_.bytes) << "after " << broken.error;
    EXPECT_EQ(fake::stats().misuses, 0) << fake::stats().misuse << " after " << broken.error;
    return !call.empty();
  }

  void expectNamed(const std::string& error, const std::string& call) const {
    // Where the device could not be opened the call is refused, with the same reason.
    // So is what was lost because nothing could be freed any more.
    const bool lost = call == "cuCtxPushCurrent" && has(error, "This memory was lost");
    const char* code = has(error, "ERR_CPS_BACKEND_UNAVAILABLE: ") ? "ERR_CPS_BACKEND_UNAVAILABLE: "
                       : result_ == kOutOfMemory && !lost          ? "ERR_CPS_OUT_OF_MEMORY: "
                                                                   : "ERR_CPS_DEVICE: ";
    EXPECT_EQ(error.rfind(code, 0), 0u) << error;
    EXPECT_TRUE(has(error, fake::errorName(result_))) << error;
    // A broken context may show first where the error changes nothing; then the next call says so.
    const std::string name = call == "kernel" ? "GPU kernel" : call + " failed";
    const bool later = sticky_ && kTolerated.count(call) != 0 &&
                       (has(error, " failed on cuda:0") || has(error, "GPU kernel"));
    EXPECT_TRUE(has(error, name) || later) << error;
  }

  Way way_;
  int result_;
  bool sticky_;
  int stride_;
  Outcome good_;
  int failures_ = 0;
  std::map<std::string, int> tolerated_;
};

enum class Runs { Warm, First };

// What fails in the first call but not in later ones, and what CUDA can be out of memory for, is
// nearly the same in all ways: every call for the first two, every third for the others; in the
// short form of every result.
void sweepAll(int result, bool sticky, Runs runs, int stride) {
  if (longForm() == 0) stride = 3;
  int count = 0;
  for (const Way& way : kWays) {
    SCOPED_TRACE(describe(way));
    Sweep sweep(way, result, sticky, count++ < 2 ? 1 : stride);
    runs == Runs::First ? sweep.cold() : sweep.warm();
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(CudaFailures, PlainErrors) { sweepAll(kUnknown, false, Runs::Warm, 1); }
TEST(CudaFailures, PlainErrorsOfTheFirstCall) { sweepAll(kUnknown, false, Runs::First, 3); }
TEST(CudaFailures, ErrorsThatBreakTheContext) { sweepAll(kIllegalAddress, true, Runs::Warm, 1); }
TEST(CudaFailures, ErrorsThatBreakTheFirstContext) {
  sweepAll(kIllegalAddress, true, Runs::First, 3);
}
TEST(CudaFailures, OutOfMemory) { sweepAll(kOutOfMemory, false, Runs::Warm, 3); }

// The end of the backend gives everything back, whatever the driver says to it.
TEST(CudaFailures, EveryCallOfTheEnd) {
  for (const Way& way : {kWays[0], kWays[2], kWays[6]}) {
    for (const bool sticky : {false, true}) {
      SCOPED_TRACE(describe(way) + (sticky ? ", broken" : ""));
      for (int at = 0;; at++) {
        fake::reset();
        auto pipeline = makePipeline(way);
        ASSERT_EQ(pipeline->run(way.decodeOnly).error, "");
        cuda_test::failAt(at, sticky ? kIllegalAddress : kUnknown, sticky);
        pipeline.reset();
        cuda_test::failNoMore();
        SCOPED_TRACE(fake::stats().failedCall);
        if (fake::stats().failedCall == "cuCtxPushCurrent") {
          // What could not be freed goes with the context.
          EXPECT_EQ(fake::stats().contexts, 0);
          EXPECT_EQ(fake::stats().misuses, 0) << fake::stats().misuse;
        } else {
          cuda_test::expectNothingLeft();
        }
        if (::testing::Test::HasFailure()) return;
        if (fake::stats().failedCall.empty()) {
          EXPECT_GE(at, 4);
          break;
        }
      }
    }
  }
}

// Calls that are only made when memory has run out.
TEST(CudaFailures, ErrorsWhileMemoryIsSought) {
  for (const char* call : {"", "cuCtxSynchronize", "cuMemPoolTrimTo", "cuMemGetInfo"}) {
    SCOPED_TRACE(call);
    fake::reset();
    {
      Pipeline pipeline(Backend::Cpu, Backend::Gpu);
      const Outcome good = pipeline.run();
      fake::control().memoryLimit = size_t{64} << 10;
      if (*call != 0) cuda_test::failAt(0, kUnknown, false, call);
      const std::string error = pipeline.run().error;
      EXPECT_EQ(fake::stats().failedCall, call) << error;
      if (std::string(call) == "cuCtxSynchronize") {
        EXPECT_TRUE(has(error, "ERR_CPS_DEVICE: cuCtxSynchronize failed on cuda:0")) << error;
      } else {
        EXPECT_TRUE(has(error, "ERR_CPS_OUT_OF_MEMORY: ")) << error;
        EXPECT_EQ(has(error, "bytes free"), std::string(call) != "cuMemGetInfo") << error;
      }
      fake::control().memoryLimit = size_t{4} << 30;
      EXPECT_EQ(pipeline.run().bytes, good.bytes);
    }
    cuda_test::expectNothingLeft();
  }
}

// Where 'auto' goes on with the CPU it says which call kept it from the GPU.
TEST(CudaFailures, AutoSaysWhichCallFailed) {
  fake::reset();
  const std::vector<uint8_t> good = Pipeline(Backend::Cpu, Backend::Cpu).run().bytes;
  for (const char* call :
       {"cuInit", "cuDeviceGetCount", "cuDriverGetVersion", "cuDeviceGet", "cuDeviceGetName",
        "cuDeviceGetAttribute", "cuDevicePrimaryCtxGetState", "cuDevicePrimaryCtxRetain",
        "cuStreamCreate", "cuEventCreate", "cuMemPoolCreate", "cuMemPoolSetAttribute"}) {
    SCOPED_TRACE(call);
    fake::reset();
    {
      Pipeline pipeline(Backend::Auto, Backend::Auto);
      cuda_test::failAt(0, kUnknown, false, call);
      const PatchResult result = pipeline.patches();
      EXPECT_TRUE(has(result.sample.fallbackReason, std::string(call) + " failed"))
          << result.sample.fallbackReason;
      EXPECT_EQ(result.sample.processBackend, "cpu");
      EXPECT_EQ(cuda_test::bytesOf(pipeline.context, result.patches), good);
      EXPECT_EQ(pipeline.patches().sample.processBackend, "cuda:0");
    }
    cuda_test::expectNothingLeft();
  }
}

}  // namespace
}  // namespace cps
