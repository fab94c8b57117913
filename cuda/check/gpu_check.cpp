// What this machine's GPU is and how fast it does our work: facts, NVDEC's abilities, decoding with
// 1 to 16 streams against a bare NVDEC loop, stage times. Prints one JSON object on stdout,
// progress on stderr. scripts/gpu-check.sh runs it; --facts stops after the abilities.
//   gpu_check [--facts] CLIP...

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>

#include "cuda/check/json.h"
#include "cuda/cuda_kernels.h"
#include "cuda/nvdec/nvdec_source.h"
#include "cuda/nvdec/segment_run.h"
#include "cuda/transfer.h"

namespace cps {
namespace {

using Clock = std::chrono::steady_clock;
double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

DecodeOptions options(int64_t frames) {
  DecodeOptions o{};
  o.sequenceLength = frames;
  o.decodeBackend = o.processBackend = Backend::Gpu;
  o.uniformStrategy = UniformStrategy::Stream;
  o.nvdecSessionPoolSize = 16;
  o.nvdecReuseOpenDecoder = true;
  o.decodeThreads = 1;
  o.readerCacheSize = 8;
  o.maxFramePixels = o.maxFrames = o.maxMemoryBytes = int64_t{1} << 40;
  return o;
}

// --- facts -------------------------------------------------------------------------------------

void facts(Json& json, GpuRegistry& registry) {
  json.text("whyNotProcess", registry.whyNotProcess(0));
  json.text("whyNotDecode", registry.whyNotDecode(0));
  const auto api = registry.api();
  int version = 0, devices = 0;
  if (api->driverGetVersion && api->deviceGetCount && api->cudaProblem.empty()) {
    api->driverGetVersion(&version);
    api->deviceGetCount(&devices);
  }
  json.number("driverCudaVersion", version);
  json.number("devices", devices);
  json.open("device", '[');
  for (int id = 0; id < devices; id++) {
    const DeviceContext& device = *registry.device(id)->context;
    const DeviceContext::Current current(device);
    int major = 0, minor = 0, processors = 0;
    api->deviceGetAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, id);
    api->deviceGetAttribute(&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, id);
    api->deviceGetAttribute(&processors, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, id);
    size_t available = 0, total = 0;
    api->memGetInfo(&available, &total);
    json.open("", '{');
    json.text("name", device.name());
    json.number("computeCapability", major * 10 + minor);
    json.number("multiprocessors", processors);
    json.number("memoryBytes", static_cast<double>(total));
    json.close('}');
  }
  json.close(']');
}

void abilities(Json& json, GpuRegistry& registry) {
  json.open("nvdec", '[');
  if (registry.whyNotDecode(0).empty()) {
    const auto gpu = registry.device(0);
    const DeviceContext::Current current(*gpu->context);
    for (const cudaVideoCodec codec :
         {cudaVideoCodec_MPEG1, cudaVideoCodec_MPEG2, cudaVideoCodec_MPEG4, cudaVideoCodec_JPEG,
          cudaVideoCodec_H264, cudaVideoCodec_HEVC, cudaVideoCodec_VP8, cudaVideoCodec_VP9,
          cudaVideoCodec_AV1}) {
      for (const auto chroma : {cudaVideoChromaFormat_Monochrome, cudaVideoChromaFormat_420,
                                cudaVideoChromaFormat_422, cudaVideoChromaFormat_444}) {
        for (const int depth : {8, 10, 12}) {
          CUVIDDECODECAPS caps{};
          caps.eCodecType = codec;
          caps.eChromaFormat = chroma;
          caps.nBitDepthMinus8 = static_cast<unsigned>(depth - 8);
          const CUresult result = gpu->context->api().getDecoderCaps(&caps);
          if (result != CUDA_SUCCESS || !caps.bIsSupported) continue;
          json.open("", '{');
          json.text("format", NvdecFormat{codec, chroma, depth}.describe());
          json.number("engines", caps.nNumNVDECs);
          json.number("outputFormats", caps.nOutputFormatMask);
          json.number("maxWidth", caps.nMaxWidth);
          json.number("maxHeight", caps.nMaxHeight);
          json.close('}');
        }
      }
    }
  }
  json.close(']');
}

// --- decoding ----------------------------------------------------------------------------------

// The limit: packets already in memory, parser and decoder, nothing mapped.
class BareLoop final : public ParserEvents {
 public:
  BareLoop(const IndexedVideo& video, NvdecDevice& nvdec, const NvdecFormat& format)
      : nvdec_(nvdec), format_(format), filter_(video.index()) {
    const auto reader = video.openReader();
    const UniqueAVPacket packet = makePacket(Stage::Decode);
    while (reader->read(*packet)) {
      filter_.convert(*packet, [&](std::span<const uint8_t> data) {
        packets_.emplace_back(data.begin(), data.end());
      });
      av_packet_unref(packet.get());
    }
  }

  int64_t run() {
    pictures_ = 0;
    NvdecParser parser(nvdec_.deviceRef(), format_.codec, 4, *this);
    if (!filter_.headers().empty()) parser.parse(filter_.headers(), std::nullopt);
    for (size_t i = 0; i < packets_.size(); i++) {
      parser.parse(packets_[i], static_cast<int64_t>(i + 1));
    }
    parser.finish();
    return pictures_;
  }

 private:
  int onSequence(const CUVIDEOFORMAT& format) override {
    if (!session_) {
      session_ = nvdec_.take(
          {format_, format.coded_width, format.coded_height, format.min_num_decode_surfaces + 4u},
          false);
    }
    return static_cast<int>(session_->surfaces());
  }
  void onDecode(CUVIDPICPARAMS& picture) override {
    pictures_++;
    nvdec_.device().check(nvdec_.device().api().decodePicture(session_->get(), &picture),
                          "cuvidDecodePicture", Stage::Decode);
  }
  void onDisplay(const CUVIDPARSERDISPINFO&) override {}

  NvdecDevice& nvdec_;
  NvdecFormat format_;
  PacketFilter filter_;
  std::vector<std::vector<uint8_t>> packets_;
  std::unique_ptr<NvdecSession> session_;
  int64_t pictures_ = 0;
};

// Runs `work` (returning pictures) on `streams` threads for about two seconds; pictures per second.
template <typename Work>
double rate(int streams, const Work& work) {
  std::atomic<int64_t> pictures{0};
  const auto start = Clock::now();
  std::vector<std::thread> threads;
  for (int s = 0; s < streams; s++) {
    threads.emplace_back([&, s] {
      do {
        pictures += work(s);
      } while (secondsSince(start) < 2.0);
    });
  }
  for (auto& thread : threads) thread.join();
  return static_cast<double>(pictures) / secondsSince(start);
}

struct Discard final : FrameSink {
  void onFrame(SourceFrame) override {}
};

void decoding(Json& json, GpuRegistry& registry, const std::string& clip) {
  const auto gpu = registry.device(0);
  const MediaServices services =
      makeMediaServices(std::make_shared<TaskPool>(2), std::make_shared<ThreadBudget>(2));
  const DecodeOptions o = options(16);
  VideoInput input;
  input.path = clip;
  Profile profile;
  const CallContext call{o, std::make_shared<CancelToken>(), profile};
  const IndexedVideo video(input, call, services);
  const NvdecFormat format = nvdecFormatOf(video.index(), gpu->nvdec->tags().get(video));
  json.open("", '{');
  json.text("clip", clip.substr(clip.rfind('/') + 1));
  json.text("format", format.describe());
  json.number("width", video.index().storedWidth);
  json.number("height", video.index().storedHeight);
  json.number("frames", static_cast<double>(video.index().info.totalFrames));
  json.open("streams", '[');
  for (const int streams : {1, 2, 4, 8, 16}) {
    std::vector<std::unique_ptr<BareLoop>> loops;
    for (int s = 0; s < streams; s++) {
      loops.push_back(std::make_unique<BareLoop>(video, *gpu->nvdec, format));
    }
    for (auto& loop : loops) loop->run();  // decoders are made
    const double bare = rate(streams, [&](int s) { return loops[static_cast<size_t>(s)]->run(); });
    loops.clear();
    const auto ours = [&](int) {
      Profile own;
      const CallContext mine{o, call.cancel, own};
      const auto source = openNvdecSource(input, mine, services, gpu->nvdec);
      std::vector<int64_t> ids;
      const int64_t total = source->info().totalFrames;
      for (int64_t i = 0; i < 16; i++) {
        const int64_t id = i * (total - 1) / 15;
        if (ids.empty() || ids.back() != id) ids.push_back(id);
      }
      Discard sink;
      source->decode(ids, sink);
      // Pictures the engine was given; dropped packets are saved work, not counted.
      return static_cast<int64_t>(own.values().at("packetsDecoded"));
    };
    ours(0);
    const double source = rate(streams, ours);
    json.open("", '{');
    json.number("streams", streams);
    json.number("bareFps", bare);
    json.number("sourceFps", source);
    json.number("ratio", source / bare);
    json.close('}');
    std::fprintf(stderr, "  %s, %d streams: bare NVDEC %.0f pictures/s, NvdecSource %.0f (%.2f)\n",
                 clip.c_str(), streams, bare, source, source / bare);
  }
  json.close(']');
  json.close('}');
}

// --- stages ------------------------------------------------------------------------------------

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Milliseconds of one repetition of `work`, waited for; median of 30 after 5 to warm up.
template <typename Work>
double timed(Kernels& kernels, const Work& work) {
  std::vector<double> ms;
  for (int i = 0; i < 35; i++) {
    kernels.synchronize();
    const auto start = Clock::now();
    work();
    kernels.synchronize();
    if (i >= 5) ms.push_back(secondsSince(start) * 1e3);
  }
  return median(ms);
}

void stages(Json& json, GpuRegistry& registry, int32_t width, int32_t height, int32_t frames) {
  const auto gpu = registry.device(0);
  const auto kernels = makeCudaKernels(gpu, nullptr);
  const auto memory = kernels->memory();
  std::vector<uint8_t> picture(static_cast<size_t>(width) * height * 3 / 2);
  uint32_t state = 1;
  for (auto& v : picture) v = static_cast<uint8_t>((state = state * 1664525u + 1013904223u) >> 24);
  SourceFrame host;
  host.view.width = width;
  host.view.height = height;
  host.view.log2ChromaW = host.view.log2ChromaH = 1;
  host.view.plane[0] = {picture.data(), width, 1, 0};
  const uint8_t* chroma = picture.data() + static_cast<size_t>(width) * height;
  host.view.plane[1] = {chroma, width, 2, 0};
  host.view.plane[2] = {chroma + 1, width, 2, 0};
  std::vector<SourceFrame> uploaded;
  std::vector<FrameView> views;
  for (int32_t t = 0; t < frames; t++) {
    uploaded.push_back(uploadFrame(host, *gpu));
    views.push_back(uploaded.back().view);
  }
  const CellGrid cells = makeCellGrid(height, width);
  const PatchGrid grid = makePatchGrid(height, width, 224 * 224, 224 * 224, 14);
  const auto n = static_cast<size_t>(cells.cells());
  const auto perFrame = static_cast<size_t>(grid.perFrame());
  const auto all = static_cast<size_t>(frames);
  const Buffer cell = Buffer::allocate(memory, n * all), residual = Buffer::allocate(memory, n);
  const Buffer motion2 = Buffer::allocate(memory, static_cast<size_t>(cells.blocks()));
  const Buffer scores = Buffer::allocate(memory, perFrame * all * sizeof(float));
  const std::vector<float> boost(all, 0.0f);
  std::vector<uint8_t> isI(all, 0);
  isI[0] = 1;
  const auto k = std::min<int64_t>(2048, static_cast<int64_t>(perFrame * all));
  std::vector<int32_t> indices(static_cast<size_t>(k));
  const Buffer patches = Buffer::allocate(memory, static_cast<size_t>(k) * 3 * 14 * 14 * 2);
  const auto cellsOf = [&](int32_t t) { return cell.as<uint8_t>() + n * static_cast<size_t>(t); };
  const auto luma = [&] {
    for (int32_t t = 0; t < frames; t++) {
      kernels->lumaCells(views[static_cast<size_t>(t)], cells, cellsOf(t));
    }
  };
  const auto match = [&](int32_t t) {
    kernels->blockMatch(cellsOf(t), cellsOf(std::max(0, t - 1)), cells, motion2.as<uint8_t>(),
                        residual.as<uint8_t>());
  };
  const auto score = [&](int32_t t) {
    kernels->blockScores(motion2.as<uint8_t>(), residual.as<uint8_t>(), cells, grid, 95,
                         scores.as<float>() + perFrame * static_cast<size_t>(t));
  };
  const auto each = [&](const auto& fn) {
    return [&] {
      for (int32_t t = 0; t < frames; t++) fn(t);
    };
  };
  const auto select = [&] {
    kernels->topK({scores.as<float>(), isI, boost, grid.perFrame(), k}, indices.data());
  };
  const auto gather = [&] {
    kernels->gatherPatches(views, indices,
                           {grid, DType::BF16, Layout::Nchw, {1, {0, 0, 0}, {1, 1, 1}}},
                           patches.data());
  };
  const auto everything = [&] {
    luma();
    for (int32_t t = 0; t < frames; t++) {
      match(t);
      score(t);
    }
    select();
    gather();
  };
  json.open("", '{');
  json.number("width", width);
  json.number("height", height);
  json.number("frames", frames);
  everything();
  json.number("cellsMs", timed(*kernels, luma));
  json.number("matchMs", timed(*kernels, each(match)));
  json.number("scoresMs", timed(*kernels, each(score)));
  json.number("topKMs", timed(*kernels, select));
  json.number("gatherMs", timed(*kernels, gather));
  // Cells, matching and scores run while decoding goes on; this is what is left after it.
  const double after = timed(*kernels, [&] {
    match(frames - 1);
    score(frames - 1);
    select();
    gather();
  });
  json.number("afterDecodeMs", after);
  json.number("allMs", timed(*kernels, everything));
  json.close('}');
  std::fprintf(stderr, "  %dx%d, %d frames: %.3f ms after the last decoded frame\n", width, height,
               frames, after);
}

int run(int argc, char** argv) {
  const bool onlyFacts = argc > 1 && std::strcmp(argv[1], "--facts") == 0;
  GpuRegistry registry{DriverPaths()};
  Json json;
  json.open("", '{');
  facts(json, registry);
  abilities(json, registry);
  const bool process = registry.whyNotProcess(0).empty();
  if (!onlyFacts && process) {
    json.open("stages", '[');
    for (const auto& [width, height] : {std::pair{1920, 1080}, std::pair{3840, 2160}}) {
      for (const int frames : {16, 64}) stages(json, registry, width, height, frames);
    }
    json.close(']');
    json.open("decoding", '[');
    for (int i = 1; i < argc && registry.whyNotDecode(0).empty(); i++) {
      try {
        decoding(json, registry, argv[i]);
      } catch (const Error& error) {
        std::fprintf(stderr, "  %s: %s\n", argv[i], error.what());
      }
    }
    json.close(']');
  }
  json.close('}');
  std::puts(json.str().c_str());
  return process ? 0 : 3;
}

}  // namespace
}  // namespace cps

int main(int argc, char** argv) {
  try {
    return cps::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gpu_check: %s\n", error.what());
    return 1;
  }
}
