// What the GPU path says on machines that cannot run it. Each text must name what is missing.

#include <chrono>
#include <thread>

#include "core/error.h"
#include "cuda/check/nvml.h"
#include "cuda/cuda_device.h"

namespace cps {
namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(CudaDriver, MissingDriverIsNamed) {
  const GpuBackend gpu = makeGpuBackend({"libcps-no-such-cuda.so.1", "libcps-no-such-cuvid.so.1"});
  for (const std::string& why : {gpu.whyNotProcess(0), gpu.whyNotDecode(0)}) {
    EXPECT_TRUE(has(why, "no NVIDIA driver")) << why;
    EXPECT_TRUE(has(why, "libcps-no-such-cuda.so.1")) << why;
  }
  EXPECT_THROW(gpu.makeKernels(0, nullptr), Error);
}

TEST(CudaDriver, ThisMachineAnswersWithoutCrashing) {
  // The default libraries: a text where there is no GPU, empty where there is one.
  const GpuBackend gpu = *makeGpuBackend();
  const std::string why = gpu.whyNotProcess(0);
  if (!why.empty()) {
    EXPECT_GT(why.size(), 20u) << why;
  }
}

TEST(CudaDriver, LibraryThatIsNoDriver) {
  const GpuBackend gpu = makeGpuBackend({"libm.so.6", "libm.so.6"});
  EXPECT_TRUE(has(gpu.whyNotProcess(0), "libm.so.6 lacks cuInit")) << gpu.whyNotProcess(0);
}

TEST(CudaDriver, MissingNvcuvidStopsOnlyDecode) {
  fake::reset();
  const GpuBackend gpu = makeGpuBackend({CPS_FAKE_DRIVER, "libcps-no-such-cuvid.so.1"});
  EXPECT_EQ(gpu.whyNotProcess(0), "");
  const std::string why = gpu.whyNotDecode(0);
  EXPECT_TRUE(has(why, "no NVDEC library")) << why;
  EXPECT_TRUE(has(why, "NVIDIA_DRIVER_CAPABILITIES")) << why;
}

TEST(CudaDriver, NoDeviceAndWrongDevice) {
  fake::reset();
  fake::control().initResult = 100;
  EXPECT_TRUE(has(cuda_test::whyNoDevice(), "finds no GPU")) << cuda_test::whyNoDevice();
  fake::reset();
  const GpuBackend gpu = cuda_test::backend();
  EXPECT_EQ(gpu.whyNotProcess(0), "");
  EXPECT_TRUE(has(gpu.whyNotProcess(3), "no CUDA device 3")) << gpu.whyNotProcess(3);
  EXPECT_TRUE(has(gpu.whyNotProcess(-1), "no CUDA device -1")) << gpu.whyNotProcess(-1);
}

TEST(CudaDriver, OldDriverAndOldDevice) {
  fake::reset();
  fake::control().driverVersion = 12040;
  EXPECT_TRUE(has(cuda_test::whyNoDevice(), "supports CUDA 12.4")) << cuda_test::whyNoDevice();
  fake::reset();
  fake::control().computeMajor = 6;
  fake::control().computeMinor = 1;
  EXPECT_TRUE(has(cuda_test::whyNoDevice(), "compute capability 6.1")) << cuda_test::whyNoDevice();
  // Between two architectures of the build: no code for its major version, older than the PTX.
  fake::control().computeMajor = 11;
  fake::control().computeMinor = 0;
  EXPECT_TRUE(has(cuda_test::whyNoDevice(), "compute capability 11.0")) << cuda_test::whyNoDevice();
  for (const auto& [major, minor] :
       {std::pair{7, 5}, std::pair{8, 7}, std::pair{10, 3}, std::pair{12, 1}, std::pair{13, 0}}) {
    fake::control().computeMajor = major;
    fake::control().computeMinor = minor;
    EXPECT_EQ(cuda_test::whyNoDevice(), "") << major << "." << minor;
  }
}

TEST(CudaDriver, ContextThatCannotBeMadeSaysWhichCallFailed) {
  for (const char* call : {"cuDevicePrimaryCtxRetain", "cuStreamCreate", "cuMemPoolCreate"}) {
    fake::reset();
    fake::control().failCall = call;
    fake::control().failResult = 999;
    const GpuBackend gpu = cuda_test::backend();
    const std::string why = gpu.whyNotProcess(0);
    EXPECT_TRUE(has(why, call)) << why;
    EXPECT_EQ(gpu.whyNotProcess(0), "") << "the next try works";
  }
}

// What scripts/gpu-check.sh reports of NVDEC and the bus while it measures.
TEST(CudaDriver, UtilisationComesFromTheManagementLibrary) {
  DecoderUse::Result seen;
  for (int i = 0; i < 100 && seen.samples == 0; i++) {
    DecoderUse use(CPS_FAKE_DRIVER, std::chrono::milliseconds(1));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    seen = use.stop();
  }
  EXPECT_GT(seen.samples, 0);
  EXPECT_EQ(seen.meanPercent, 73);
  EXPECT_EQ(seen.maxPercent, 73);
  EXPECT_EQ(seen.toDeviceMBps, 5);
  EXPECT_EQ(seen.fromDeviceMBps, 2);
  EXPECT_EQ(DecoderUse("libcps-no-such-ml.so.1").stop().samples, 0);
}

}  // namespace
}  // namespace cps
