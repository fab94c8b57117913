#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

#include "cuda/check/checks.h"
#include "cuda/check/nvml.h"
#include "cuda/nvdec/nvdec_source.h"
#include "cuda/nvdec/segment_run.h"

namespace cps {
namespace {

// The limit: packets already in memory, parser and decoder, nothing mapped.
class BareLoop final : public ParserEvents {
 public:
  BareLoop(const IndexedVideo& video, NvdecDevice& nvdec, const NvdecFormat& format)
      : nvdec_(nvdec), format_(format), filter_(video.index()) {
    const auto reader = video.openReader();
    const UniqueAVPacket packet = makePacket(Stage::Decode);
    while (reader->read(*packet) == ReadResult::Packet) {
      filter_.convert(*packet, [&](std::span<const uint8_t> data) {
        packets_.emplace_back(data.begin(), data.end());
      });
      av_packet_unref(packet.get());
    }
  }

  int64_t run() {
    pictures_ = 0;
    NvdecParser parser(nvdec_.deviceRef(), format_.codec, 4, *this);
    if (!filter_.headers().empty()) parser.parseHeaders(filter_.headers());
    for (size_t i = 0; i < packets_.size(); i++) {
      parser.parsePicture(packets_[i], static_cast<int64_t>(i + 1));
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
  bool onDecode(CUVIDPICPARAMS& picture) override {
    pictures_++;
    nvdec_.device().check(nvdec_.device().api().decodePicture(session_->get(), &picture),
                          "cuvidDecodePicture", Stage::Decode);
    return true;
  }
  bool onDisplay(const CUVIDPARSERDISPINFO&) override { return true; }

  NvdecDevice& nvdec_;
  NvdecFormat format_;
  PacketFilter filter_;
  std::vector<std::vector<uint8_t>> packets_;
  std::unique_ptr<NvdecSession> session_;
  int64_t pictures_ = 0;
};

// Runs `work` (returning pictures) on `streams` threads; pictures per second.
template <typename Work>
double rate(int streams, double seconds, const Work& work) {
  std::atomic<int64_t> pictures{0};
  const auto start = Clock::now();
  std::vector<std::thread> threads;
  for (int s = 0; s < streams; s++) {
    threads.emplace_back([&, s] {
      do {
        pictures += work(s);
      } while (secondsSince(start) < seconds);
    });
  }
  for (auto& thread : threads) thread.join();
  return static_cast<double>(pictures) / secondsSince(start);
}

struct Discard final : FrameSink {
  void onFrame(SourceFrame) override {}
};

}  // namespace

void benchDecoding(Json& json, GpuRegistry& registry, const std::string& clip, double seconds) {
  const auto gpu = registry.device(0);
  const MediaServices services =
      makeMediaServices(std::make_shared<TaskPool>(2), std::make_shared<ThreadBudget>(2));
  const SourceOptions o = checkOptions();
  const DevicesOptions devices = checkDevices();
  VideoInput input;
  input.path = clip;
  Profile profile;
  const CallContext call{o, std::make_shared<CancelToken>(), profile};
  const IndexedVideo video(input, call, services);
  const NvdecFormat format = nvdecFormatOf(video.index(), gpu->nvdec->tags().get(video));
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
    DecoderUse bareUse;
    const double bare =
        rate(streams, seconds, [&](int s) { return loops[static_cast<size_t>(s)]->run(); });
    const DecoderUse::Result bareUsed = bareUse.stop();
    loops.clear();
    const auto ours = [&](int) {
      Profile own;
      const CallContext mine{o, call.cancel, own};
      const auto source = openNvdecSource(input, mine, services, gpu->nvdec, devices);
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
    DecoderUse use;
    const double source = rate(streams, seconds, ours);
    const DecoderUse::Result used = use.stop();
    json.open("", '{');
    json.number("streams", streams);
    json.number("bareFps", bare);
    json.number("sourceFps", source);
    json.number("ratio", source / bare);
    json.number("utilisationSamples", used.samples);
    json.number("utilisationPercent", used.meanPercent);
    json.number("bareUtilisationPercent", bareUsed.meanPercent);
    json.number("pcieToDeviceMBps", used.toDeviceMBps);
    json.number("pcieFromDeviceMBps", used.fromDeviceMBps);
    json.close('}');
    std::fprintf(
        stderr,
        "  %s, %d streams: bare NVDEC %.0f pictures/s, NvdecSource %.0f (%.2f), busy %.0f %%\n",
        clip.c_str(), streams, bare, source, source / bare, used.meanPercent);
  }
  json.close(']');
}

}  // namespace cps
