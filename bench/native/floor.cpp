// What decoding alone costs: libavcodec, the packets of the plan, and nothing else.
//
//   cps_floor VIDEO FRAMES THREADS        FRAMES: how many, or ids:0,3,17
//
// The plan (which packets the sampled frames need) comes from cps_core; everything that is timed is
// plain libavcodec. Before timing, packets are read into memory and decoders are opened, so the
// figure is a lower bound: no program that uses these decoders on these packets can be faster.
// Prints one JSON line that describes the plan, then answers each line on stdin with one line:
//
//   decode DxT   D decoders of T threads (segments in parallel, T > 1: frame or slice threads)
//   convert      the sampled frames to RGB with libswscale, on THREADS threads
extern "C" {
#include <libswscale/swscale.h>
}

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <utility>

#include "bench_common.h"
#include "media/codec/bitstream.h"
#include "media/decode/count_pass.h"
#include "media/index/packet_reader.h"
#include "media/plan/decode_plan.h"

namespace cps::bench {
namespace {

struct Segment {
  std::vector<UniqueAVPacket> packets;
  double cost = 0;  // Note [Cost] in media/plan/decode_plan.h
};

struct SwsDeleter {
  void operator()(SwsContext* p) const noexcept { sws_freeContext(p); }
};

class Floor {
 public:
  Floor(const std::string& path, const std::string& frames, int threads);
  void describe() const;
  Usage decode(int decoders, int threads);
  Usage convert();

 private:
  using Decoders = std::vector<UniqueAVCodecContext>;

  DecodePlan plan(std::span<const int64_t> ids, PacketReader& reader) const;
  Segment readSegment(const DecodeSegment& part, PacketReader& reader);
  Decoders& opened(int decoders, int threads);
  void run(AVCodecContext& codec, const Segment& segment, bool keep);
  void receive(AVCodecContext& codec, AVFrame& frame, bool keep);

  SourceOptions options_;
  Profile profile_;
  MediaServices services_;
  std::shared_ptr<ByteSource> source_;
  FrameIndexPtr index_;
  int threads_;
  std::vector<int32_t> targets_;
  std::vector<Segment> segments_;  // the costliest first
  std::vector<Segment> joined_;    // the same in order, touching ones as one
  std::map<std::pair<int, int>, Decoders> decoders_;
  int64_t packets_ = 0, dropped_ = 0;
  std::mutex mutex_;
  std::vector<UniqueAVFrame> kept_;
};

std::vector<int64_t> framesOf(const std::string& text, int64_t total) {
  constexpr std::string_view kIds = "ids:";
  if (!text.starts_with(kIds)) return placeEnds(total, std::atoll(text.c_str()));
  std::vector<int64_t> ids;
  for (size_t at = kIds.size(); at < text.size(); at = text.find(',', at) + 1) {
    ids.push_back(std::atoll(text.c_str() + at));
    if (text.find(',', at) == std::string::npos) break;
  }
  return ids;
}

Floor::Floor(const std::string& path, const std::string& frames, int threads)
    : options_(sourceOptions()),
      services_(makeMediaServices(std::make_shared<TaskPool>(threads),
                                  std::make_shared<ThreadBudget>(threads))),
      source_(openByteSource({path, nullptr})),
      threads_(threads) {
  const CallContext call{options_, std::make_shared<CancelToken>(), profile_};
  index_ = buildFrameIndex(source_, call, services_);
  if (index_->trust == IndexTrust::Sequential) throw std::runtime_error("no plan for this clip");
  const DistinctFrames distinct = distinctFrames(framesOf(frames, index_->info.totalFrames));
  for (const int64_t id : distinct.ids) {
    targets_.push_back(index_->display[static_cast<size_t>(id)]);
  }
  std::sort(targets_.begin(), targets_.end());

  PacketReader reader(source_, call.cancel, *index_);
  int32_t before = -2;
  for (const DecodeSegment& part : plan(distinct.ids, reader).segments) {
    Segment segment = readSegment(part, reader);
    if (part.first != before + 1) joined_.emplace_back();
    before = part.last;
    for (const UniqueAVPacket& packet : segment.packets) {
      joined_.back().packets.emplace_back(av_packet_clone(packet.get()));
    }
    segments_.push_back(std::move(segment));
  }
  std::stable_sort(segments_.begin(), segments_.end(),
                   [](const Segment& a, const Segment& b) { return a.cost > b.cost; });
}

// As media/decode/cpu_source.cpp: a start that turns out to be no entry point is planned around.
DecodePlan Floor::plan(std::span<const int64_t> ids, PacketReader& reader) const {
  UniqueAVPacket packet = makePacket(Stage::Decode);
  for (;;) {
    DecodePlan result = planDecode(*index_, ids, {UniformStrategy::Auto, std::nullopt, nullptr});
    bool good = true;
    for (const DecodeSegment& segment : result.segments) {
      if (segment.first == 0 || index_->seeks().startVerified(segment.first)) continue;
      reader.moveTo(segment.first);
      reader.read(*packet);
      const bool entry =
          isEntryPoint({packet->data, static_cast<size_t>(packet->size)}, index_->bitstream);
      index_->seeks().setStart(segment.first, entry);
      good = good && entry;
    }
    if (good) return result;
  }
}

Segment Floor::readSegment(const DecodeSegment& part, PacketReader& reader) {
  Segment segment;
  segment.cost = part.cost;
  reader.moveTo(part.first);
  while (reader.next() <= part.last) {
    UniqueAVPacket packet = makePacket(Stage::Decode);
    if (reader.read(*packet) != ReadResult::Packet) break;
    const int32_t ordinal = reader.next() - 1;
    const bool wanted = std::binary_search(targets_.begin(), targets_.end(), ordinal);
    if (!wanted && index_->trust == IndexTrust::Timestamps &&
        isDroppable({packet->data, static_cast<size_t>(packet->size)}, index_->bitstream)) {
      ++dropped_;
      continue;
    }
    ++packets_;
    packet->flags &= ~AV_PKT_FLAG_DISCARD;
    packet->pts = ordinal;
    packet->dts = AV_NOPTS_VALUE;
    segment.packets.push_back(std::move(packet));
  }
  return segment;
}

Floor::Decoders& Floor::opened(int decoders, int threads) {
  Decoders& set = decoders_[{decoders, threads}];
  while (set.size() < static_cast<size_t>(decoders)) {
    const AVCodec* codec = avcodec_find_decoder(index_->parameters->codec_id);
    UniqueAVCodecContext context(avcodec_alloc_context3(codec));
    avcodec_parameters_to_context(context.get(), index_->parameters.get());
    context->thread_count = threads;
    context->thread_type = FF_THREAD_FRAME | FF_THREAD_SLICE;
    if (avcodec_open2(context.get(), codec, nullptr) < 0) throw std::runtime_error("open2 failed");
    set.push_back(std::move(context));
  }
  return set;
}

void Floor::receive(AVCodecContext& codec, AVFrame& frame, bool keep) {
  while (avcodec_receive_frame(&codec, &frame) >= 0) {
    const auto ordinal = static_cast<int32_t>(frame.pts);
    if (keep && std::binary_search(targets_.begin(), targets_.end(), ordinal)) {
      const std::lock_guard<std::mutex> lock(mutex_);
      kept_.emplace_back(av_frame_clone(&frame));
    }
    av_frame_unref(&frame);
  }
}

void Floor::run(AVCodecContext& codec, const Segment& segment, bool keep) {
  UniqueAVFrame frame = makeFrame(Stage::Decode);
  for (const UniqueAVPacket& packet : segment.packets) {
    while (avcodec_send_packet(&codec, packet.get()) == AVERROR(EAGAIN)) {
      receive(codec, *frame, keep);
    }
    receive(codec, *frame, keep);
  }
  avcodec_send_packet(&codec, nullptr);
  receive(codec, *frame, keep);
  avcodec_flush_buffers(&codec);
}

Usage Floor::decode(int decoders, int threads) {
  Decoders& set = opened(decoders, threads);
  const std::vector<Segment>& work = decoders == 1 ? joined_ : segments_;
  const bool keep = kept_.empty();  // only the first time, which is a warm-up
  std::atomic<size_t> next{0};
  const auto worker = [&](AVCodecContext& codec) {
    for (size_t i = next++; i < work.size(); i = next++) run(codec, work[i], keep);
  };
  return measure([&] {
    std::vector<std::thread> others;
    for (size_t d = 1; d < set.size(); ++d) others.emplace_back(worker, std::ref(*set[d]));
    worker(*set[0]);
    for (std::thread& t : others) t.join();
  });
}

Usage Floor::convert() {
  if (kept_.empty()) decode(1, threads_);
  const AVFrame& first = *kept_.front();
  std::vector<std::unique_ptr<SwsContext, SwsDeleter>> lanes(static_cast<size_t>(threads_));
  for (auto& lane : lanes) {
    lane.reset(sws_getContext(first.width, first.height, AVPixelFormat(first.format), first.width,
                              first.height, AV_PIX_FMT_RGB24, SWS_BILINEAR, nullptr, nullptr,
                              nullptr));
  }
  const size_t bytes =
      size_t{3} * static_cast<size_t>(first.width) * static_cast<size_t>(first.height);
  std::vector<uint8_t> out(kept_.size() * bytes);  // its pages are touched before timing
  std::atomic<size_t> next{0};
  const auto worker = [&](SwsContext* sws) {
    for (size_t i = next++; i < kept_.size(); i = next++) {
      uint8_t* const dst[4] = {out.data() + i * bytes, nullptr, nullptr, nullptr};
      const int strides[4] = {3 * first.width, 0, 0, 0};
      const AVFrame& frame = *kept_[i];
      sws_scale(sws, frame.data, frame.linesize, 0, frame.height, dst, strides);
    }
  };
  return measure([&] {
    std::vector<std::thread> others;
    for (size_t i = 1; i < lanes.size(); ++i) others.emplace_back(worker, lanes[i].get());
    worker(lanes[0].get());
    for (std::thread& t : others) t.join();
  });
}

void Floor::describe() const {
  std::printf(
      "{\"totalFrames\":%lld,\"packets\":%lld,\"dropped\":%lld,\"segments\":%zu,\"decoder\":\"%s\","
      "\"width\":%d,\"height\":%d}\n",
      static_cast<long long>(index_->info.totalFrames), static_cast<long long>(packets_),
      static_cast<long long>(dropped_), segments_.size(),
      avcodec_find_decoder(index_->parameters->codec_id)->name, index_->storedWidth,
      index_->storedHeight);
}

int serve(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: cps_floor VIDEO FRAMES THREADS\n");
    return 2;
  }
  Floor floor(argv[1], argv[2], std::max(1, std::atoi(argv[3])));
  floor.describe();
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    int decoders = 0;
    int threads = 0;
    Usage usage;
    if (line == "convert") {
      usage = floor.convert();
    } else if (std::sscanf(line.c_str(), "decode %dx%d", &decoders, &threads) == 2 &&
               decoders > 0 && threads > 0) {
      usage = floor.decode(decoders, threads);
    } else {
      std::fprintf(stderr, "cps_floor: expected 'decode DxT' or 'convert', received '%s'\n",
                   line.c_str());
      return 2;
    }
    std::printf("{\"ms\":%.3f,\"cpuMs\":%.3f}\n", usage.wallMs, usage.cpuMs);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace cps::bench

int main(int argc, char** argv) {
  try {
    return cps::bench::serve(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cps_floor: %s\n", error.what());
    return 1;
  }
}
