// Decoding and the whole pipeline on the GPU against the CPU, on every fixture: the same pictures
// and the same patches. Runs over the fake driver everywhere and for real where there is a GPU.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <iostream>

#include "cuda/cuda_device.h"
#include "media/media_common.h"
#include "pipeline/context.h"
#include "pipeline/pipeline.h"
#include "pipeline/sample_of.h"

namespace cps {
namespace {

using media_test::Fixture;

#ifdef CPS_TEST_REAL_GPU
constexpr bool kRealGpu = true;
constexpr size_t kFewestClips = 8;  // what every NVDEC since Turing decodes of the fixtures
#else
constexpr bool kRealGpu = false;
constexpr size_t kFewestClips = 55;
#endif

// In the short form every second clip where the GPU is emulated.
size_t every() { return kRealGpu || longForm() > 0 ? 1 : 2; }
std::vector<Fixture> someFixtures() {
  std::vector<Fixture> some;
  size_t turn = 0;
  for (const Fixture& fixture : media_test::fixtures()) {
    if (turn++ % every() == 0) some.push_back(fixture);
  }
  return some;
}

// Keeps pictures in host memory, by display index.
class HostFrames final : public FrameSink {
 public:
  explicit HostFrames(const GpuBackend& gpu) : gpu_(gpu) {}
  void onFrame(SourceFrame frame) override {
    const SourceFrame host = gpu_.transfer(frame, Device::cpu());
    std::lock_guard lock(mutex_);
    EXPECT_TRUE(frames.emplace(frame.displayIndex, host).second);
  }
  std::map<int64_t, SourceFrame> frames;

 private:
  const GpuBackend& gpu_;
  std::mutex mutex_;
};

struct Call {
  explicit Call(const SourceOptions& o) : options(o) {}
  SourceOptions options;
  Profile profile;
  CallContext context{options, std::make_shared<CancelToken>(), profile};
};

// MPEG-1, -2, -4 and JPEG leave the inverse transform a tolerance (IEEE 1180), so other decoders
// have other last bits, and so has what refers to them. The other codecs' pictures are exact.
bool hasExactPictures(const Fixture& fixture) {
  return !(fixture.has("mpeg2") || fixture.has("mpeg4") || fixture.has("mjpeg"));
}
constexpr double kInexactMean = 1.0, kInexactMost = 24;

void expectNearlyEqual(const FrameView& a, const FrameView& b) {
  const auto x = media_test::samplesOf(a), y = media_test::samplesOf(b);
  ASSERT_EQ(x.size(), y.size());
  double sum = 0, most = 0;
  for (size_t i = 0; i < x.size(); i++) {
    const double difference = std::abs(static_cast<double>(x[i]) - y[i]);
    sum += difference;
    most = std::max(most, difference);
  }
  EXPECT_LT(sum / static_cast<double>(x.size()), kInexactMean);
  EXPECT_LT(most, kInexactMost);
}

// Empty when the clip was compared, else why the GPU does not decode it.
std::string compareClip(const GpuBackend& gpu, const MediaServices& services,
                        const Fixture& fixture, const SourceOptions& options, int64_t frames = 16) {
  VideoInput input;
  input.path = fixture.path();
  Call call(options);
  DevicesOptions devices = default_options::defaultDevices();
  devices.nvdecReuseOpenDecoder = true;
  std::unique_ptr<FrameSource> onGpu;
  try {
    onGpu = gpu.openSource(input, call.context, services, devices);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::BackendUnavailable) << error.what();
    return error.what();
  }
  const auto onCpu = openCpuSource(input, call.context, services);
  EXPECT_EQ(onGpu->device().name(), "cuda:0");
  const auto ids = media_test::sampled(onCpu->info().totalFrames, frames);
  HostFrames expected(gpu), got(gpu);
  onCpu->decode(ids, expected);
  try {
    onGpu->decode(ids, got);
  } catch (const Error& error) {
    // Not an end of the test: a GPU machine is to tell about all the others as well.
    if (error.code() == ErrorCode::BackendUnavailable) return error.what();
    ADD_FAILURE() << error.what();
    return "";
  }
  EXPECT_EQ(got.frames.size(), ids.size());
  for (const int64_t id : ids) {
    if (!got.frames.contains(id)) {
      ADD_FAILURE() << "frame " << id << " did not come";
      continue;
    }
    const SourceFrame &a = expected.frames.at(id), &b = got.frames.at(id);
    if (kRealGpu && !hasExactPictures(fixture)) {
      SCOPED_TRACE("frame " + std::to_string(id));
      expectNearlyEqual(a.view, b.view);
    } else {
      EXPECT_EQ(media_test::hashOf(a.view), media_test::hashOf(b.view)) << "frame " << id;
    }
    EXPECT_EQ(a.view.color.matrix, b.view.color.matrix);
    EXPECT_EQ(a.view.color.fullRange, b.view.color.fullRange);
    EXPECT_EQ(a.view.orientation, b.view.orientation);
    EXPECT_EQ(a.view.bitDepth, b.view.bitDepth);
    EXPECT_EQ(a.view.planes, b.view.planes);
    EXPECT_EQ(a.timestampSec, b.timestampSec);
    EXPECT_EQ(a.isKeyFrame, b.isKeyFrame);
  }
  return "";
}

TEST(GpuDecode, EveryFixtureEqualsTheCpu) {
  CPS_NEEDS_GPU();
  const GpuBackend gpu = cuda_test::backend();
  if (const std::string why = gpu.whyNotDecode(0); !why.empty()) GTEST_SKIP() << why;
  media_test::Services services(2);
  size_t compared = 0;
  for (const Fixture& fixture : someFixtures()) {
    SCOPED_TRACE(fixture.name);
    SourceOptions options = media_test::defaultSource();
    // Both strategies, in turn.
    options.uniformStrategy = compared % 2 == 0 ? UniformStrategy::Seek : UniformStrategy::Stream;
    const std::string why = compareClip(gpu, services.media, fixture, options);
    compared += why.empty() ? 1 : 0;
    std::cout << (why.empty() ? "  gpu  " : "  cpu  ") << fixture.name
              << (why.empty() ? "" : ": " + why) << "\n";
  }
  EXPECT_GE(compared, kFewestClips / every());
}

// Decoding begins at entry points in the middle, whose leading pictures the parser hides.
TEST(GpuDecode, JumpsIntoOpenGroupsOfPictures) {
  CPS_NEEDS_GPU();
  const GpuBackend gpu = cuda_test::backend();
  if (const std::string why = gpu.whyNotDecode(0); !why.empty()) GTEST_SKIP() << why;
  media_test::Services services(2);
  for (const Fixture& fixture : media_test::fixtures()) {
    if (!fixture.has("open-gop") || fixture.has("mid-gop")) continue;
    for (const int64_t frames : {2, 3, 4}) {
      SCOPED_TRACE(fixture.name + ", " + std::to_string(frames) + " frames");
      SourceOptions options = media_test::defaultSource();
      options.uniformStrategy = UniformStrategy::Seek;
      EXPECT_EQ(compareClip(gpu, services.media, fixture, options, frames), "");
    }
  }
}

PatchStreamOptions patchOptions(Energy energy) {
  PatchStreamOptions o = default_options::defaultPatchStream();
  o.patch.energy = energy;
  o.patch.kKeep = {512};
  return o;
}

std::vector<uint8_t> bytesOf(const Context& context, const Buffer& buffer) {
  const Buffer host = buffer.device().isCpu() ? Buffer() : context.gpu()->downloadPinned(buffer);
  const Buffer& from = buffer.device().isCpu() ? buffer : host;
  return {from.as<uint8_t>(), from.as<uint8_t>() + from.bytes()};
}

TEST(GpuPipeline, FourCombinationsGiveTheSamePatches) {
  CPS_NEEDS_GPU();
  Context context(2);
  context.setGpu(cuda_test::backend());
  if (const std::string why = context.gpu()->whyNotDecode(0); !why.empty()) GTEST_SKIP() << why;
  const auto cancel = std::make_shared<CancelToken>();
  for (const char* clip : {"h264_bpyramid.mp4", "hevc10.mp4", "rot90.mp4", "h264_opengop.mp4"}) {
    for (const Energy energy : {Energy::Block, Energy::Reference}) {
      // 'reference' is slow to emulate: once.
      if (energy == Energy::Reference && std::string(clip) != "hevc10.mp4") continue;
      SCOPED_TRACE(std::string(clip) + (energy == Energy::Block ? " block" : " reference"));
      VideoInput input;
      input.path = media_test::fixturePath(clip);
      PatchStreamOptions options = patchOptions(energy);
      options.devices.nvdecReuseOpenDecoder = true;
      Profile profile;
      const PatchResult cpu = runPatchStream(input, options, context, cancel, profile);
      for (const auto& [decode, process] :
           {std::pair{Backend::Cpu, Backend::Gpu}, std::pair{Backend::Gpu, Backend::Cpu},
            std::pair{Backend::Gpu, Backend::Gpu}}) {
        options.devices.decodeBackend = decode;
        options.devices.processBackend = process;
        Profile times;
        const PatchResult gpu = runPatchStream(input, options, context, cancel, times);
        EXPECT_EQ(gpu.sample.decodeBackend, decode == Backend::Gpu ? "cuda:0" : "cpu");
        EXPECT_EQ(gpu.sample.processBackend, process == Backend::Gpu ? "cuda:0" : "cpu");
        EXPECT_EQ(gpu.patches.device().isCpu(), process == Backend::Cpu);
        EXPECT_EQ(bytesOf(context, cpu.fields), bytesOf(context, gpu.fields));
        EXPECT_EQ(bytesOf(context, cpu.scores), bytesOf(context, gpu.scores));
        EXPECT_EQ(bytesOf(context, cpu.frameScores), bytesOf(context, gpu.frameScores));
        EXPECT_EQ(bytesOf(context, cpu.patches), bytesOf(context, gpu.patches));
      }
    }
  }
}

// Whatever FFmpeg decodes, also what no NVDEC does, and every layout of pictures there is.
TEST(GpuPipeline, EveryFixtureProcessedAsOnTheCpu) {
  CPS_NEEDS_GPU();
  Context context(2);
  context.setGpu(cuda_test::backend());
  const auto cancel = std::make_shared<CancelToken>();
  size_t compared = 0;
  for (const Fixture& fixture : someFixtures()) {
    for (const Energy energy : {Energy::Block, Energy::Reference}) {
      // 'reference' is slow to emulate.
      if (!kRealGpu && energy == Energy::Reference && compared % 16 != 0) continue;
      SCOPED_TRACE(fixture.name + (energy == Energy::Block ? " block" : " reference"));
      VideoInput input;
      input.path = fixture.path();
      PatchStreamOptions options = patchOptions(energy);
      options.sampling.sample = sampleOf(kRealGpu ? 16 : 3);
      if (!kRealGpu) options.patch.minPixels = options.patch.maxPixels = 56 * 56;
      Profile profile;
      const PatchResult cpu = runPatchStream(input, options, context, cancel, profile);
      options.devices.processBackend = Backend::Gpu;
      const PatchResult gpu = runPatchStream(input, options, context, cancel, profile);
      EXPECT_EQ(gpu.sample.processBackend, "cuda:0");
      EXPECT_EQ(bytesOf(context, cpu.fields), bytesOf(context, gpu.fields));
      EXPECT_EQ(bytesOf(context, cpu.frameScores), bytesOf(context, gpu.frameScores));
      const bool same = bytesOf(context, cpu.patches) == bytesOf(context, gpu.patches);
      EXPECT_TRUE(same);
      std::cout << (same ? "  same patches  " : "  OTHER PATCHES  ") << fixture.name << "\n";
      compared++;
    }
  }
  EXPECT_GE(compared, 60u / every());
}

TEST(GpuPipeline, DecodeOnlyGivesTheSameFrames) {
  CPS_NEEDS_GPU();
  Context context(2);
  context.setGpu(cuda_test::backend());
  if (const std::string why = context.gpu()->whyNotDecode(0); !why.empty()) GTEST_SKIP() << why;
  const auto cancel = std::make_shared<CancelToken>();
  VideoInput input;
  input.path = media_test::fixturePath("h264_bpyramid.mp4");
  PatchStreamOptions options = patchOptions(Energy::Block);
  Profile profile;
  const FramesResult cpu =
      runDecodeOnly(input, media_test::framesOf(options), context, cancel, profile);
  options.devices.decodeBackend = options.devices.processBackend = Backend::Gpu;
  const FramesResult gpu =
      runDecodeOnly(input, media_test::framesOf(options), context, cancel, profile);
  EXPECT_FALSE(gpu.frames.device().isCpu());
  EXPECT_EQ(bytesOf(context, cpu.frames), bytesOf(context, gpu.frames));
}

#ifndef CPS_TEST_REAL_GPU
// Scores come to the host for selecting, and what somebody asks for: no frame.
TEST(GpuPipeline, OnlyWhatIsSelectedIsDownloaded) {
  fake::reset();
  Context context(2);
  context.setGpu(cuda_test::backend());
  VideoInput input;
  input.path = media_test::fixturePath("h264_bpyramid.mp4");
  PatchStreamOptions options = patchOptions(Energy::Block);
  options.devices.decodeBackend = options.devices.processBackend = Backend::Gpu;
  Profile profile;
  const PatchResult result =
      runPatchStream(input, options, context, std::make_shared<CancelToken>(), profile);
  const auto selecting = static_cast<long>(result.frameScores.bytes());
  EXPECT_EQ(fake::stats().downloadedBytes, selecting);
  context.gpu()->downloadPinned(result.patches);
  EXPECT_EQ(fake::stats().downloadedBytes, selecting + static_cast<long>(result.patches.bytes()));
  EXPECT_EQ(fake::stats().misuses, 0) << fake::stats().misuse;
}

TEST(GpuPipeline, DevicesAreChosenPerStage) {
  fake::reset();
  fake::control().devices = 2;
  Context context(2);
  context.setGpu(cuda_test::backend());
  VideoInput input;
  input.path = media_test::fixturePath("h264_bpyramid.mp4");
  PatchStreamOptions options = patchOptions(Energy::Block);
  options.sampling.sample = sampleOf(4);
  options.devices.decodeBackend = options.devices.processBackend = Backend::Cpu;
  const auto cancel = std::make_shared<CancelToken>();
  Profile profile;
  const PatchResult cpu = runPatchStream(input, options, context, cancel, profile);
  options.devices.decodeBackend = options.devices.processBackend = Backend::Gpu;
  for (const auto& [decode, process] : {std::pair{0, 1}, std::pair{1, 0}, std::pair{1, 1}}) {
    options.devices.decodeDeviceId = decode;
    options.devices.processDeviceId = process;
    const PatchResult gpu = runPatchStream(input, options, context, cancel, profile);
    EXPECT_EQ(gpu.sample.decodeBackend, Device::cuda(decode).name());
    EXPECT_EQ(gpu.sample.processBackend, Device::cuda(process).name());
    EXPECT_EQ(gpu.patches.device().id, process);
    EXPECT_EQ(bytesOf(context, cpu.patches), bytesOf(context, gpu.patches));
  }
  EXPECT_EQ(fake::stats().misuses, 0) << fake::stats().misuse;
}
#endif

#ifndef CPS_TEST_REAL_GPU
// What caps and headers promised, and the parser or the decoder then refuse.
TEST(GpuPipeline, AutoFallsBackWhereTheFirstPictureShowsWhy) {
  const auto refuse = [] { cuda_test::failAt(0, 801, false, "cuvidCreateDecoder"); };
  const auto full = [] { fake::control().mostDecoders = 0; };
  const auto lose = [] { fake::control().losePacket = 0; };
  const auto blind = [] { fake::control().seesNothing = true; };
  using Case = std::pair<std::function<void()>, std::string>;
  for (const auto& [arm, said] :
       {Case{refuse, "cuvidCreateDecoder failed"}, Case{blind, "parser finds no picture"},
        Case{full, "OUT_OF_MEMORY"}, Case{lose, "parser never shows"}}) {
    fake::reset();
    Context context(2);
    context.setGpu(cuda_test::backend());
    ASSERT_EQ(context.gpu()->whyNotDecode(0), "");
    VideoInput input;
    input.path = media_test::fixturePath("h264_bpyramid.mp4");
    PatchStreamOptions options = patchOptions(Energy::Block);
    const auto cancel = std::make_shared<CancelToken>();
    Profile profile;
    const PatchResult cpu = runPatchStream(input, options, context, cancel, profile);
    options.devices.decodeBackend = Backend::Auto;
    arm();
    const PatchResult result = runPatchStream(input, options, context, cancel, profile);
    EXPECT_EQ(result.sample.decodeBackend, "cpu");
    EXPECT_NE(result.sample.fallbackReason.find(said), std::string::npos)
        << result.sample.fallbackReason;
    EXPECT_EQ(bytesOf(context, cpu.patches), bytesOf(context, result.patches));
    arm();
    const FramesResult frames =
        runDecodeOnly(input, media_test::framesOf(options), context, cancel, profile);
    EXPECT_EQ(frames.sample.decodeBackend, "cpu");
    options.devices.decodeBackend = Backend::Gpu;
    arm();
    const std::string error =
        media_test::errorOf([&] { runPatchStream(input, options, context, cancel, profile); });
    if (said == "OUT_OF_MEMORY") {
      EXPECT_NE(error.find("ERR_CPS_OUT_OF_MEMORY"), std::string::npos) << error;
    } else {
      EXPECT_NE(error.find("ERR_CPS_BACKEND_UNAVAILABLE"), std::string::npos) << error;
      EXPECT_NE(error.find("decodeBackend 'gpu' is not available"), std::string::npos) << error;
    }
    // What processes goes where the frames are, also when that shows late.
    options.devices.decodeBackend = options.devices.processBackend = Backend::Auto;
    arm();
    const PatchResult both = runPatchStream(input, options, context, cancel, profile);
    EXPECT_EQ(both.sample.decodeBackend, "cpu");
    EXPECT_EQ(both.sample.processBackend, "cpu");
    EXPECT_NE(both.sample.fallbackReason.find("process on the CPU: the frames are decoded there"),
              std::string::npos)
        << both.sample.fallbackReason;
    EXPECT_EQ(bytesOf(context, cpu.patches), bytesOf(context, both.patches));
    EXPECT_EQ(fake::stats().misuses, 0) << fake::stats().misuse;
  }
}
#endif

TEST(GpuPipeline, AutoFallsBackAndSaysWhy) {
  CPS_NEEDS_GPU();
  Context context(2);
  context.setGpu(cuda_test::backend());
  if (const std::string why = context.gpu()->whyNotDecode(0); !why.empty()) GTEST_SKIP() << why;
  VideoInput input;
  input.path = media_test::fixturePath("prores.mov");
  PatchStreamOptions options = patchOptions(Energy::Block);
  options.devices.decodeBackend = options.devices.processBackend = Backend::Auto;
  Profile profile;
  const auto cancel = std::make_shared<CancelToken>();
  const PatchResult result = runPatchStream(input, options, context, cancel, profile);
  EXPECT_EQ(result.sample.decodeBackend, "cpu");
  EXPECT_EQ(result.sample.processBackend, "cpu") << "where the frames are";
  EXPECT_NE(result.sample.fallbackReason.find("NVDEC does not decode prores"), std::string::npos)
      << result.sample.fallbackReason;
  options.devices.processBackend = Backend::Gpu;
  EXPECT_EQ(runPatchStream(input, options, context, cancel, profile).sample.processBackend,
            "cuda:0");
  input.path = media_test::fixturePath("h264_bpyramid.mp4");
  options.devices.processBackend = Backend::Auto;
  const PatchResult both = runPatchStream(input, options, context, cancel, profile);
  EXPECT_EQ(both.sample.decodeBackend, "cuda:0");
  EXPECT_EQ(both.sample.processBackend, "cuda:0");
  EXPECT_EQ(both.sample.fallbackReason, "");
  input.path = media_test::fixturePath("prores.mov");
  options.devices.decodeBackend = Backend::Gpu;
  try {
    runPatchStream(input, options, context, cancel, profile);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::BackendUnavailable) << error.what();
  }
}

}  // namespace
}  // namespace cps
