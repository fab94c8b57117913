// The NVDEC source's own business, over the fake driver: the session pool, reconfiguration, what is
// mapped, errors of every call, damage, teardown.

#include <map>
#include <mutex>
#include <thread>

#include "cuda/cuda_device.h"
#include "cuda/driver/registry.h"
#include "cuda/nvdec/segment_run.h"
#include "media/media_common.h"
#include "reliability/hostile/mutate.h"

namespace cps {
namespace {

constexpr const char* kClip = "h264_bpyramid.mp4";
constexpr const char* kOtherSize = "wide.mp4";

struct DecodeRun {
  size_t frames = 0;
  std::map<std::string, double> profile;
};

// What opening a source on the GPU needs.
struct Options {
  SourceOptions source = default_options::defaultSource();
  DevicesOptions devices = default_options::defaultDevices();
  int64_t frames = 16;
  std::vector<int64_t> ids = {};
};

DecodeRun decode(const GpuBackend& gpu, const std::string& clip, const Options& options,
                 const CancelPtr& cancel = std::make_shared<CancelToken>()) {
  static media_test::Services services(2);
  struct Keep final : FrameSink {
    void onFrame(SourceFrame frame) override {
      const std::lock_guard lock(mutex);
      frames.push_back(std::move(frame));
    }
    std::mutex mutex;
    std::vector<SourceFrame> frames;
  } sink;
  Profile profile;
  const CallContext call{options.source, cancel, profile};
  VideoInput input;
  input.path = media_test::fixturePath(clip);
  const auto source = gpu.openSource(input, call, services.media, options.devices);
  auto ids = options.ids;
  if (ids.empty()) ids = media_test::sampled(source->info().totalFrames, options.frames);
  source->decode(ids, sink);
  return {sink.frames.size(), profile.values()};
}

Options options(bool reuse = true) {
  Options o;
  o.devices.nvdecReuseOpenDecoder = reuse;
  return o;
}

using cuda_test::expectNothingLeft;

TEST(CudaDecode, OnlyTargetsAreMappedAndDroppablePacketsAreDropped) {
  fake::reset();
  {
    const GpuBackend gpu = cuda_test::backend();
    const DecodeRun run = decode(gpu, kClip, options());
    EXPECT_EQ(run.frames, 16u);
    EXPECT_EQ(fake::stats().maps, 16);
    EXPECT_GT(fake::stats().pictures, 16);
    EXPECT_GT(run.profile.at("packetsDropped"), 0);
  }
  expectNothingLeft();
}

TEST(CudaDecode, DecodersArePooledAndReconfigured) {
  fake::reset();
  {
    const GpuBackend gpu = cuda_test::backend();
    for (int i = 0; i < 4; i++) decode(gpu, kClip, options());
    EXPECT_EQ(fake::stats().decodersMade, 1);
    EXPECT_EQ(fake::stats().reconfigured, 0) << "the same size needs none";
    EXPECT_EQ(fake::stats().capsAsked, 1);
    decode(gpu, kOtherSize, options());
    decode(gpu, kClip, options());
    EXPECT_EQ(fake::stats().decodersMade, 1);
    EXPECT_EQ(fake::stats().reconfigured, 2);
    decode(gpu, "hevc.mp4", options());
    EXPECT_EQ(fake::stats().decodersMade, 2) << "another codec, another decoder";
    decode(gpu, "hevc10.mp4", options());
    EXPECT_EQ(fake::stats().decodersMade, 3) << "another depth, another decoder";
    EXPECT_EQ(fake::stats().decoders, 2) << "nvdecSessionPoolSize idle ones are kept";
  }
  expectNothingLeft();
}

TEST(CudaDecode, NvdecSessionPoolSizeDecoders) {
  for (const int size : {0, 1, 3}) {
    fake::reset();
    {
      const GpuBackend gpu = cuda_test::backend();
      Options o = options();
      o.devices.nvdecSessionPoolSize = size;
      for (const char* clip : {kClip, "hevc.mp4", "hevc10.mp4", "vp9.webm"}) decode(gpu, clip, o);
      EXPECT_EQ(fake::stats().decoders, size);
      decode(gpu, "vp9.webm", o);
      EXPECT_EQ(fake::stats().decodersMade, size == 0 ? 5 : 4) << "the last one is kept longest";
    }
    expectNothingLeft();
  }
}

TEST(CudaDecode, LatencyModeAndNoReuseKeepNothing) {
  for (const bool latency : {true, false}) {
    fake::reset();
    {
      const GpuBackend gpu = cuda_test::backend();
      Options o = options(latency);
      if (latency) o.source.decodeMode = DecodeMode::Latency;
      decode(gpu, kClip, o);
      EXPECT_EQ(fake::stats().decoders, 0);
      decode(gpu, kClip, o);
      EXPECT_EQ(fake::stats().decodersMade, 2);
    }
    expectNothingLeft();
  }
}

TEST(CudaDecode, ReconfigureThatFailsMakesANewDecoder) {
  fake::reset();
  {
    const GpuBackend gpu = cuda_test::backend();
    decode(gpu, kClip, options());
    fake::control().failCall = "cuvidReconfigureDecoder";
    fake::control().failResult = 801;
    EXPECT_EQ(decode(gpu, kOtherSize, options()).frames, 16u);
    EXPECT_EQ(fake::stats().decodersMade, 2);
    EXPECT_EQ(fake::stats().decoders, 1);
  }
  expectNothingLeft();
}

TEST(CudaDecode, PicturesHeldBackByTheParserArriveToo) {
  for (const int delay : {1, 3}) {
    fake::reset();
    {
      const GpuBackend gpu = cuda_test::backend();
      fake::control().displayDelay = delay;
      EXPECT_EQ(decode(gpu, kClip, options()).frames, 16u);
    }
    expectNothingLeft();
  }
}

// Note [Tags from headers]: what the headers say is what decoded pictures carry, without decoding.
TEST(CudaDecode, TagsComeFromHeadersAndAreThoseOfThePictures) {
  media_test::Services services(1);
  const Options o = options();
  int compared = 0, decodedAnyway = 0;
  for (const media_test::Fixture& fixture : media_test::fixtures()) {
    Profile profile;
    const CallContext call{o.source, std::make_shared<CancelToken>(), profile};
    VideoInput input;
    input.path = fixture.path();
    const IndexedVideo video(input, call, services.media);
    if (media_test::errorOf([&] { checkNvdecStream(video.index()); }) != "") continue;
    const StreamTags pictures = readStreamTags(video, false);
    bool decoded = false;
    const StreamTags headers = readStreamTags(video, true, &decoded);
    if (pictures.format == AV_PIX_FMT_NONE) {  // the first packet makes no picture
      EXPECT_TRUE(fixture.has("mid-gop")) << fixture.name;
      continue;
    }
    EXPECT_EQ(headers.format, pictures.format) << fixture.name;
    EXPECT_EQ(headers.space, pictures.space) << fixture.name;
    EXPECT_EQ(headers.range, pictures.range) << fixture.name;
    EXPECT_NE(headers.format, AV_PIX_FMT_NONE) << fixture.name;
    compared++;
    decodedAnyway += decoded ? 1 : 0;
    if (decoded) std::cout << "  decoded " << fixture.name << "\n";
    const bool mayDecode = fixture.has("vp8") || fixture.has("av1");
    EXPECT_TRUE(!decoded || mayDecode) << fixture.name;
  }
  EXPECT_GT(compared, 30);
  EXPECT_LT(decodedAnyway, compared / 4);
}

TEST(CudaDecode, WhatTheDeviceCannotDecodeIsUnavailable) {
  fake::reset();
  const GpuBackend gpu = cuda_test::backend();
  const auto why = [&](const char* clip) {
    return media_test::errorOf([&] { decode(gpu, clip, options()); });
  };
  EXPECT_NE(why("prores.mov").find("NVDEC does not decode prores"), std::string::npos);
  EXPECT_NE(why("h264_422.mp4").find("4:2:0 or 4:4:4"), std::string::npos) << why("h264_422.mp4");
  fake::control().maxWidth = 100;
  const std::string small =
      media_test::errorOf([&] { decode(cuda_test::backend(), kClip, options()); });
  EXPECT_NE(small.find("ERR_CPS_BACKEND_UNAVAILABLE"), std::string::npos) << small;
  EXPECT_NE(small.find("100x"), std::string::npos) << small;
  fake::control().codecSupported = false;
  const std::string none =
      media_test::errorOf([&] { decode(cuda_test::backend(), kClip, options()); });
  EXPECT_NE(none.find("does not decode h264, 4:2:0, 8 bit"), std::string::npos) << none;
}

// A driver that is older than a codec refuses the question; one that promised too much the decoder.
TEST(CudaDecode, WhatTheDriverRefusesIsUnavailable) {
  for (const char* call : {"cuvidGetDecoderCaps", "cuvidCreateDecoder"}) {
    for (const int refusal : {1, 801}) {
      fake::reset();
      {
        const GpuBackend gpu = cuda_test::backend();
        ASSERT_EQ(gpu.whyNotDecode(0), "");
        cuda_test::failAt(0, refusal, false, call);
        const std::string error = media_test::errorOf([&] { decode(gpu, kClip, options()); });
        EXPECT_NE(error.find("ERR_CPS_BACKEND_UNAVAILABLE"), std::string::npos) << error;
        EXPECT_NE(error.find("h264, 4:2:0, 8 bit"), std::string::npos) << error;
      }
      expectNothingLeft();
    }
  }
}

TEST(CudaDecode, TimestampsThatTheParserMakesUpAreNobodys) {
  constexpr size_t kPackets = 5000;
  const int64_t first = PacketClock::timestampOf(0);
  EXPECT_EQ(PacketClock::ordinalOf(PacketClock::timestampOf(4999), kPackets), 4999);
  EXPECT_EQ(PacketClock::ordinalOf(PacketClock::timestampOf(5000), kPackets), -1);
  // 10, 25, 30, 50 and 60 pictures a second, in ticks of 10 MHz; fields too.
  for (const int64_t duration : {1000000, 400000, 333333, 200000, 166666}) {
    for (int64_t halves = 1; halves < 10000; halves++) {
      ASSERT_EQ(PacketClock::ordinalOf(first + duration * halves / 2, kPackets), -1)
          << duration << " " << halves;
    }
  }
}

// NVENC writes AV1's sequence header into av1C alone.
TEST(CudaDecode, Av1SequenceHeaderOfTheContainerGoesAhead) {
  media_test::Services services(1);
  const Options o = options();
  Profile profile;
  const CallContext call{o.source, std::make_shared<CancelToken>(), profile};
  VideoInput input;
  input.path = media_test::fixturePath("av1.mp4");
  const IndexedVideo video(input, call, services.media);
  const AVCodecParameters& parameters = *video.index().parameters;
  ASSERT_GT(parameters.extradata_size, 4);
  ASSERT_EQ(parameters.extradata[0], 0x81);
  const PacketFilter filter(video.index());
  const auto headers = filter.headers();
  ASSERT_EQ(headers.data(), parameters.extradata + 4);
  EXPECT_TRUE(av1SequenceOf(headers).has_value());
}

TEST(CudaDecode, LostAndBrokenPicturesAreNamed) {
  for (const bool lost : {true, false}) {
    fake::reset();
    {
      const GpuBackend gpu = cuda_test::backend();
      (lost ? fake::control().losePacket : fake::control().breakPacket) = 0;
      const std::string error = media_test::errorOf([&] { decode(gpu, kClip, options()); });
      const char* code = lost ? "ERR_CPS_BACKEND_UNAVAILABLE" : "ERR_CPS_CORRUPT";
      EXPECT_NE(error.find(code), std::string::npos) << error;
      EXPECT_NE(error.find("rame 0 of"), std::string::npos) << error;
      EXPECT_EQ(fake::stats().decoders, 0) << "a decoder that saw an error is dropped";
      fake::control().losePacket = fake::control().breakPacket = -1;
      EXPECT_EQ(decode(gpu, kClip, options()).frames, 16u);
    }
    expectNothingLeft();
  }
}

// Decoding passes over pictures that the container calls key frames and that are none.
TEST(CudaDecode, DamageDoesNotEndAtAKeyFlagThatLies) {
  const hostile::Bytes clip = hostile::readFile(media_test::fixturePath(kClip));
  const hostile::Bytes other = hostile::readFile(media_test::fixturePath("small.mp4"));
  VideoInput lying;
  for (const hostile::Mutation& mutation : hostile::packetMutations(clip, other)) {
    if (mutation.name != "mux-matroska-all-key-flags") continue;
    lying.bytes = std::make_shared<const hostile::Bytes>(mutation.make());
  }
  ASSERT_TRUE(lying.bytes);
  constexpr int64_t kBroken = 4, kGroup = 30;  // the second picture to be decoded
  static media_test::Services services(2);
  const auto decodeFrame = [&](int64_t frame) {
    fake::reset();
    std::string error;
    {
      const GpuBackend gpu = cuda_test::backend();
      Options o = options();
      o.source.uniformStrategy = UniformStrategy::Stream;  // all is decoded, from the first picture
      fake::control().breakPacket = 1;
      Profile profile;
      const CallContext call{o.source, std::make_shared<CancelToken>(), profile};
      media_test::Collector sink;
      error = media_test::errorOf([&] {
        const auto source = gpu.openSource(lying, call, services.media, o.devices);
        source->decode(std::vector{frame}, sink);
      });
    }
    expectNothingLeft();
    return error;
  };
  for (const int64_t frame : {kBroken, int64_t{12}, kGroup - 1}) {
    const std::string error = decodeFrame(frame);
    EXPECT_NE(error.find("ERR_CPS_CORRUPT"), std::string::npos) << frame << error;
    EXPECT_NE(error.find("Frame " + std::to_string(frame)), std::string::npos) << error;
  }
  for (const int64_t frame : {kGroup, kGroup + 7}) EXPECT_EQ(decodeFrame(frame), "") << frame;
}

// A reference picture whose surface is used again before anything was waited for.
TEST(CudaDecode, ErrorsThatShowLateAreNotLost) {
  for (const int late : {0, 3, 1000000}) {
    fake::reset();
    {
      const GpuBackend gpu = cuda_test::backend();
      Options o = options();
      o.source.uniformStrategy = UniformStrategy::Stream;
      o.ids = {29};
      fake::control().statusAfter = late;
      EXPECT_EQ(decode(gpu, "h264_bpyramid.mp4", o).frames, 1u);
      fake::control().breakPacket = 1;
      const std::string error = media_test::errorOf([&] { decode(gpu, "h264_bpyramid.mp4", o); });
      EXPECT_NE(error.find("ERR_CPS_CORRUPT"), std::string::npos) << late << ": " << error;
    }
    expectNothingLeft();
  }
}

TEST(CudaDecode, IdleDecodersMakeRoom) {
  fake::reset();
  {
    const GpuBackend gpu = cuda_test::backend();
    fake::control().mostDecoders = 1;
    decode(gpu, kClip, options());
    EXPECT_EQ(decode(gpu, "hevc.mp4", options()).frames, 16u) << "no memory for two decoders";
    EXPECT_EQ(fake::stats().decoders, 1);
    fake::control().mostDecoders = 0;
    const std::string error = media_test::errorOf([&] { decode(gpu, kClip, options()); });
    EXPECT_NE(error.find("ERR_CPS_OUT_OF_MEMORY"), std::string::npos) << error;
    EXPECT_NE(error.find("cuvidCreateDecoder"), std::string::npos) << error;
  }
  expectNothingLeft();
}

TEST(CudaDecode, OnlySmallDecodersAreMadeForOthers) {
  fake::reset();
  {
    GpuRegistry registry({CPS_FAKE_DRIVER, CPS_FAKE_DRIVER});
    const auto device = registry.device(0);
    const auto pixels = [&](unsigned width, unsigned height, cudaVideoCodec codec) {
      const auto session =
          device->nvdec->take({{codec, cudaVideoChromaFormat_420, 8}, width, height, 8}, true);
      return fake::stats().surfacePixels;
    };
    EXPECT_EQ(pixels(640, 480, cudaVideoCodec_H264), 1920 * 1088 * 20);
    EXPECT_EQ(pixels(3840, 2160, cudaVideoCodec_H264), 3840 * 2160 * 8);
    EXPECT_EQ(pixels(1088, 1920, cudaVideoCodec_HEVC), 1088 * 1920 * 8);
    EXPECT_EQ(pixels(2161, 1215, cudaVideoCodec_VP9), 2162 * 1216 * 8);
    pixels(321, 241, cudaVideoCodec_VP9);  // the fake driver refuses odd targets
  }
  expectNothingLeft();
}

// Note [Several engines]
TEST(CudaDecode, LongVideosGoToSeveralEngines) {
  struct Case {
    int engines, pool;
    bool latency;
    int64_t frames;
    double decoders;
  };
  for (const Case& c :
       {Case{4, 3, false, 100, 3}, Case{4, 2, false, 100, 2}, Case{2, 8, false, 100, 2},
        Case{1, 3, false, 100, 1}, Case{4, 3, true, 100, 1}, Case{4, 0, false, 100, 1},
        Case{4, 3, false, 1, 1}}) {
    SCOPED_TRACE(std::to_string(c.engines) + " engines, pool of " + std::to_string(c.pool));
    fake::reset();
    {
      const GpuBackend gpu = cuda_test::backend();
      fake::control().engines = c.engines;
      Options o = options();
      o.source.uniformStrategy = UniformStrategy::Seek;
      if (c.latency) o.source.decodeMode = DecodeMode::Latency;
      o.devices.nvdecSessionPoolSize = c.pool;
      o.frames = c.frames;
      for (int i = 0; i < 2; i++) {
        const DecodeRun run = decode(gpu, kClip, o);
        EXPECT_EQ(run.frames, static_cast<size_t>(c.frames));
        EXPECT_EQ(run.profile.at("decoders"), c.decoders);
      }
      EXPECT_LE(fake::stats().decoders, c.pool);
    }
    expectNothingLeft();
  }
}

TEST(CudaDecode, EveryFailingCallIsReportedAndTheNextCallWorks) {
  const char* calls[] = {"cuvidGetDecoderCaps", "cuvidCreateDecoder",   "cuvidDecodePicture",
                         "cuvidMapVideoFrame",  "cuvidUnmapVideoFrame", "cuvidCreateVideoParser",
                         "cuvidParseVideoData", "cuMemcpy2DAsync",      "cuEventCreate",
                         "cuEventRecord",       "cuEventSynchronize",   "cuMemAllocFromPoolAsync"};
  for (const char* call : calls) {
    int failures = 0;
    for (const int at : {0, 1, 7}) {
      fake::reset();
      {
        const GpuBackend gpu = cuda_test::backend();
        ASSERT_EQ(gpu.whyNotDecode(0), "");
        fake::control().failCall = call;
        fake::control().failAfter = at;
        fake::control().failResult = 999;
        const std::string error = media_test::errorOf([&] { decode(gpu, kClip, options()); });
        if (!error.empty()) {
          failures++;
          EXPECT_NE(error.find(call), std::string::npos) << error;
          EXPECT_EQ(fake::stats().decoders, 0) << call;
        }
        fake::control().failCall.clear();
        EXPECT_EQ(media_test::errorOf([&] { decode(gpu, kClip, options()); }), "") << call;
      }
      // A surface whose unmapping failed is the driver's to clean up.
      if (std::string(call) != "cuvidUnmapVideoFrame") expectNothingLeft();
    }
    EXPECT_GT(failures, 0) << call << " was never called";
  }
}

TEST(CudaDecode, CancellingStopsWithinAPacket) {
  fake::reset();
  {
    const GpuBackend gpu = cuda_test::backend();
    const auto cancel = std::make_shared<CancelToken>();
    int decoded = 0;
    fake::control().onDecode = [&](int pictures) {
      decoded = pictures;
      if (pictures == 5) cancel->cancel();
    };
    const std::string error = media_test::errorOf([&] { decode(gpu, kClip, options(), cancel); });
    EXPECT_NE(error.find("ABORT"), std::string::npos) << error;
    EXPECT_LE(decoded, 8);
    fake::control().onDecode = nullptr;
  }
  expectNothingLeft();
}

TEST(CudaDecode, SinkThatThrowsLeavesNothingMapped) {
  fake::reset();
  {
    const GpuBackend gpu = cuda_test::backend();
    media_test::Services services(1);
    struct Throwing final : FrameSink {
      void onFrame(SourceFrame) override {
        if (++seen == 3) throw Error(ErrorCode::OutOfMemory, Stage::Process, "sink is full");
      }
      int seen = 0;
    } sink;
    Profile profile;
    const Options o = options();
    const CallContext call{o.source, std::make_shared<CancelToken>(), profile};
    VideoInput input;
    input.path = media_test::fixturePath(kClip);
    const auto source = gpu.openSource(input, call, services.media, o.devices);
    const auto ids = media_test::sampled(source->info().totalFrames, 16);
    EXPECT_NE(media_test::errorOf([&] { source->decode(ids, sink); }).find("sink is full"),
              std::string::npos);
  }
  expectNothingLeft();
}

TEST(CudaDecode, ManyThreadsShareThePool) {
  fake::reset();
  {
    const GpuBackend gpu = cuda_test::backend();
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 3; i++) {
          EXPECT_EQ(decode(gpu, t % 2 ? kClip : kOtherSize, options()).frames, 16u);
        }
      });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_LE(fake::stats().decoders, 2);
  }
  expectNothingLeft();
}

}  // namespace
}  // namespace cps
