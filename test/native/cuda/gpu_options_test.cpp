// Every energy and everything that becomes of pixels, on the GPU against the CPU: the same bytes,
// and no picture leaves the device. Runs over the fake driver everywhere and for real where there
// is a GPU.

#include <functional>
#include <optional>
#include <type_traits>

#include "core/size_rule.h"
#include "cuda/cuda_device.h"
#include "media/media_common.h"
#include "pipeline/context.h"
#include "pipeline/pipeline.h"
#include "pipeline/sample_of.h"

namespace cps {
namespace {

std::vector<uint8_t> bytesOf(const Context& context, const Buffer& buffer) {
  const Buffer host = buffer.device().isCpu() ? Buffer() : context.gpu()->downloadPinned(buffer);
  const Buffer& from = buffer.device().isCpu() ? buffer : host;
  return {from.as<uint8_t>(), from.as<uint8_t>() + from.bytes()};
}

// What a call sent over the bus, which is counted by the fake driver alone.
#ifdef CPS_TEST_REAL_GPU
constexpr long kCounted = 0;
#else
constexpr long kCounted = 1;
#endif
struct Bus {
  long toDevice = 0, fromDevice = 0;
  static Bus now() {
#ifdef CPS_TEST_REAL_GPU
    return {};
#else
    return {fake::stats().uploadedBytes, fake::stats().downloadedBytes};
#endif
  }
  Bus operator-(const Bus& other) const {
    return {toDevice - other.toDevice, fromDevice - other.fromDevice};
  }
};

struct Calls {
  Calls() { context.setGpu(cuda_test::backend()); }

  // decodeOnly or patchStream, and what it sent.
  template <typename Options>
  auto run(const char* clip, Options options, Backend decode, Backend process) {
    VideoInput input;
    input.path = media_test::fixturePath(clip);
    options.devices.decodeBackend = decode;
    options.devices.processBackend = process;
    Profile profile;
    const Bus before = Bus::now();
    const auto cancel = std::make_shared<CancelToken>();
    if constexpr (std::is_same_v<Options, PatchStreamOptions>) {
      PatchResult result = runPatchStream(input, options, context, cancel, profile);
      sent = Bus::now() - before;
      return result;
    } else {
      FramesResult result = runDecodeOnly(input, options, context, cancel, profile);
      sent = Bus::now() - before;
      return result;
    }
  }

  void expectSame(const Buffer& cpu, const Buffer& gpu, const char* what) {
    EXPECT_EQ(cpu.bytes(), gpu.bytes()) << what;
    EXPECT_TRUE(bytesOf(context, cpu) == bytesOf(context, gpu)) << what << " differ";
  }

  Context context{2};
  Bus sent;
};

// Of a picture of the smallest clip here, in bytes; tables are shorter than that.
constexpr long kLuma = 320 * 240;

SampleRule indices(std::vector<int64_t> ids) {
  SampleRule rule;
  rule.value = IndicesRule{std::move(ids)};
  return rule;
}

// --- energies ----------------------------------------------------------------------------------

struct Way {
  const char* name;
  std::function<void(PatchStreamOptions&)> set;
  bool ofMaps = true;   // not what energy 'reference' goes with
  bool ofBars = false;  // cells in which bars are looked for are downloaded
};

const Way kWays[] = {
    {"plain", [](auto&) {}, false},
    {"energyScope 'video'", [](auto& o) { o.patch.energyScope = EnergyScope::Video; }},
    {"intraEnergy 'texture'", [](auto& o) { o.patch.intraEnergy = IntraEnergy::Texture; }},
    {"globalMotion 'subtract'", [](auto& o) { o.patch.globalMotion = GlobalMotion::Subtract; }},
    {"maps", [](auto& o) { o.patch.maps = true; }},
    {"all of them",
     [](auto& o) {
       o.patch.energyScope = EnergyScope::Video;
       o.patch.intraEnergy = IntraEnergy::Texture;
       o.patch.globalMotion = GlobalMotion::Subtract;
       o.patch.maps = true;
     }},
    {"repeated frames",
     [](auto& o) {
       o.patch.energyScope = EnergyScope::Video;
       o.patch.intraEnergy = IntraEnergy::Texture;
       o.sampling.sample = indices({7, 3, 3, 4, 30});
     }},
    {"blocks without bars",
     [](auto& o) {
       o.patch.selectionUnit = SelectionUnit::Block2x2;
       o.patch.ignore.value = IgnoredBars::Letterbox;
     },
     false, true}};

// 4 bytes for each square of a displacement and each residual that there may be, to count cells.
constexpr long kCounts = 4 * (2 * 38 * 38 + 1 + 256), kWideCounts = 4 * (2 * 38 * 38 + 1 + 65536);

TEST(GpuOptions, EveryEnergyGivesTheScoresAndMapsOfTheCpu) {
  CPS_NEEDS_GPU();
  Calls calls;
  if (const std::string why = calls.context.gpu()->whyNotDecode(0); !why.empty()) {
    GTEST_SKIP() << why;
  }
  size_t turn = 0;
  for (const Energy energy :
       {Energy::Block, Energy::Adjacent, Energy::Accumulated, Energy::Reference}) {
    for (const Way& way : kWays) {
      if (energy == Energy::Reference && way.ofMaps) continue;
      PatchStreamOptions options = default_options::defaultPatchStream();
      options.sampling.sample = sampleOf(3);
      options.patch.energy = energy;
      options.patch.minPixels = options.patch.maxPixels = 84 * 84;
      options.patch.kKeep = {40};
      way.set(options);
      if (energy == Energy::Accumulated) options.patch.globalMotion = GlobalMotion::Keep;
      const char* clip = ++turn % 2 ? "h264_bpyramid.mp4" : "rot90.mp4";
      SCOPED_TRACE(std::string(clip) + ", " + way.name + ", energy " +
                   std::to_string(static_cast<int>(energy)));
      const PatchResult cpu = calls.run(clip, options, Backend::Cpu, Backend::Cpu);
      for (const Backend decode : {Backend::Cpu, Backend::Gpu}) {
        const PatchResult gpu = calls.run(clip, options, decode, Backend::Gpu);
        const Bus sent = calls.sent;
        EXPECT_EQ(gpu.sample.processBackend, "cuda:0");
        EXPECT_FALSE(gpu.patches.device().isCpu());
        calls.expectSame(cpu.patches, gpu.patches, "patches");
        calls.expectSame(cpu.fields, gpu.fields, "fields");
        calls.expectSame(cpu.frameScores, gpu.frameScores, "scores");
        ASSERT_EQ(cpu.maps.has_value(), options.patch.maps);
        ASSERT_EQ(gpu.maps.has_value(), options.patch.maps);
        // Scores and what is asked for; cells are counted on the device.
        auto most = static_cast<long>(gpu.frameScores.bytes());
        const auto frames = static_cast<long>(gpu.sample.frameIds.size());
        if (options.patch.maps) {
          calls.expectSame(cpu.maps->motion2, gpu.maps->motion2, "motion");
          calls.expectSame(cpu.maps->residual, gpu.maps->residual, "residuals");
          calls.expectSame(cpu.maps->energy, gpu.maps->energy, "energies of cells");
          most += static_cast<long>(gpu.maps->residual.bytes() + gpu.maps->motion2.bytes());
        }
        if (options.patch.maps || options.patch.energyScope == EnergyScope::Video) {
          most += frames * (energy == Energy::Accumulated ? kWideCounts : kCounts);
        }
        if (way.ofBars) most += frames * kLuma / 16;
        EXPECT_LE(sent.fromDevice, most);
        if (decode == Backend::Gpu) {
          EXPECT_LT(sent.toDevice, kLuma);
        }
      }
      if (HasFailure()) return;
    }
  }
#ifndef CPS_TEST_REAL_GPU
  EXPECT_EQ(fake::stats().misuses, 0) << fake::stats().misuse;
#endif
}

// --- pixels ------------------------------------------------------------------------------------

SizeRule exactly(int height, int width) { return {ExactSize{{height, width}}}; }
SizeRule shortSide(int side, int crop) { return {ShortSize{side, crop}}; }
SizeRule longSide(int side, bool even, bool pad) { return {LongSize{side, even, pad}}; }

using Sizes = std::optional<std::vector<SizeRule>>;
const Sizes kSizes[] = {std::nullopt,
                        {{exactly(84, 56)}},
                        {{shortSide(70, 56)}},
                        {{shortSide(40, 56)}},  // a crop larger than the picture: black around it
                        {{longSide(84, true, true)}},
                        {{longSide(100, true, false), exactly(56, 112)}}};

AugmentRule augmentation(std::optional<AugmentCrop> crop, double flip) {
  AugmentRule rule{std::move(crop), flip, {}};
  for (size_t i = 0; i <= kAugmentDraws; i++) {
    rule.seed.push_back(static_cast<double>(i * 37 % 41) / 41);
  }
  return rule;
}
std::optional<AugmentRule> augmentOfTurn(size_t turn) {
  switch (turn % 4) {
    case 0:
      return augmentation(AugmentCrop{CropPlace::Random}, 1);
    case 1:
      return augmentation(AugmentCrop{ResizedCrop{{0.2, 0.6}, {0.75, 4 / 3.0}}}, 1);
    case 2:
      return augmentation(std::nullopt, 0);
    default:
      return std::nullopt;
  }
}

constexpr Resample kFilters[] = {Resample::BilinearPlain, Resample::Bilinear, Resample::Bicubic,
                                 Resample::Lanczos, Resample::Area};
constexpr DType kDtypes[] = {DType::U8, DType::BF16, DType::F16, DType::F32};
const Normalize kPlain{1, {0, 0, 0}, {1, 1, 1}};
const Normalize kClip{1 / 255.0, {0.48f, 0.45f, 0.4f}, {0.27f, 0.26f, 0.28f}};
const char* const kClips[] = {"h264_bpyramid.mp4", "rot90.mp4", "hevc10.mp4"};

TEST(GpuOptions, EveryMakingOfPixelsGivesTheBytesOfTheCpu) {
  CPS_NEEDS_GPU();
  Calls calls;
  if (const std::string why = calls.context.gpu()->whyNotDecode(0); !why.empty()) {
    GTEST_SKIP() << why;
  }
  constexpr FrameLayout kLayouts[] = {FrameLayout::Thwc, FrameLayout::Tchw, FrameLayout::Cthw};
  size_t turn = 0;
  for (const Resample filter : kFilters) {
    for (const Sizes& size : kSizes) {
      // Every other choice in turn; their numbers have no common divisor with those of the loops.
      const DType dtype = kDtypes[turn % 4];
      const Normalize& normalize = dtype == DType::U8 ? kPlain : kClip;
      const char* clip = kClips[turn / 2 % 3];
      SCOPED_TRACE(std::string(clip) + ", turn " + std::to_string(turn));
      DecodeOnlyOptions frames = media_test::framesOf(default_options::defaultPatchStream());
      frames.sampling.sample = indices({30, 2, 2});
      frames.frame = {size, filter, augmentOfTurn(turn), dtype, kLayouts[turn % 3], normalize,
                      0,    0};
      if (!size && turn % 5 == 0) frames.frame.height = 47, frames.frame.width = 61;
      const FramesResult cpu = calls.run(clip, frames, Backend::Cpu, Backend::Cpu);
      const FramesResult gpu = calls.run(clip, frames, Backend::Gpu, Backend::Gpu);
      EXPECT_EQ(calls.sent.fromDevice, 0);
      EXPECT_LT(calls.sent.toDevice, kLuma);
      EXPECT_FALSE(gpu.frames.device().isCpu());
      EXPECT_EQ(cpu.height, gpu.height);
      EXPECT_EQ(cpu.width, gpu.width);
      calls.expectSame(cpu.frames, gpu.frames, "frames");
      const FramesResult uploaded = calls.run(clip, frames, Backend::Cpu, Backend::Gpu);
      EXPECT_EQ(calls.sent.fromDevice, 0);
      calls.expectSame(cpu.frames, uploaded.frames, "frames of the CPU's decoder");

      PatchStreamOptions patches = default_options::defaultPatchStream();
      patches.sampling.sample = indices({30, 2, 2});
      patches.patch.size = size;
      patches.patch.resample = filter;
      patches.patch.augment = frames.frame.augment;
      patches.patch.outputDtype = dtype;
      patches.patch.normalize = normalize;
      patches.patch.layout = turn % 2 ? Layout::Nchw : Layout::Nhwc;
      patches.patch.minPixels = patches.patch.maxPixels = 84 * 84;
      patches.patch.kKeep = {15};
      const PatchResult onCpu = calls.run(clip, patches, Backend::Cpu, Backend::Cpu);
      const PatchResult onGpu = calls.run(clip, patches, Backend::Gpu, Backend::Gpu);
      EXPECT_EQ(calls.sent.fromDevice, kCounted * static_cast<long>(onGpu.frameScores.bytes()));
      EXPECT_LT(calls.sent.toDevice, kLuma);
      calls.expectSame(onCpu.patches, onGpu.patches, "patches");
      calls.expectSame(onCpu.fields, onGpu.fields, "fields");
      turn++;
      if (HasFailure()) return;
    }
  }
#ifndef CPS_TEST_REAL_GPU
  EXPECT_EQ(fake::stats().misuses, 0) << fake::stats().misuse;
#endif
}

}  // namespace
}  // namespace cps
