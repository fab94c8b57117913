#include "media/cpu_source.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "core/error.h"
#include "ffmpeg/util.h"
#include "media/decode_plan.h"
#include "media/decoder_pool.h"
#include "media/frame_view_ffmpeg.h"
#include "media/index_cache.h"
#include "media/segment_decoder.h"

namespace cps {
namespace {

class CpuSource final : public FrameSource {
 public:
  CpuSource(std::shared_ptr<ByteSource> bytes, FrameIndexPtr index, const CallContext& call,
            MediaServices services)
      : bytes_(std::move(bytes)),
        index_(std::move(index)),
        options_(call.options),
        cancel_(call.cancel),
        profile_(call.profile),
        services_(std::move(services)) {}

  Device device() const override { return Device::cpu(); }
  const VideoInfo& info() const override { return index_->info; }
  void decode(std::span<const int64_t> displayIndices, FrameSink& sink) override;

 private:
  // One thread's tools, kept from segment to segment.
  struct Worker {
    std::unique_ptr<PacketReader> reader;
    std::unique_ptr<PacketDecoder> decoder;
    DecoderConfig config;
  };
  struct Totals {
    std::atomic<int64_t> read{0}, decoded{0}, dropped{0}, seeks{0};
  };

  void checkTargets(std::span<const int64_t> displayIndices) const;
  DecodePlan makePlan(std::span<const int64_t> displayIndices, Worker& first);
  bool verifyStarts(const DecodePlan& plan, Worker& worker);
  void runPlan(const DecodePlan& plan, Worker& first, FrameSink& sink);
  void runSegment(Worker& worker, const DecodeSegment& segment, FrameSink& sink);
  void attempt(Worker& worker, int32_t first, int32_t last, std::vector<int32_t>& open,
               FrameSink& sink);
  void decodeInSequence(std::span<const int64_t> displayIndices, FrameSink& sink);
  void give(int32_t ordinal, int64_t displayIndex, const AVFrame& frame, FrameSink& sink);
  void openReader(Worker& worker) {
    if (!worker.reader) worker.reader = std::make_unique<PacketReader>(bytes_, cancel_, *index_);
  }
  bool pooled() const { return options_.decodeMode == DecodeMode::Throughput; }
  std::unique_ptr<PacketDecoder> takeDecoder(const DecoderConfig& config) {
    return pooled() ? services_.decoders->take(*index_->parameters, config)
                    : std::make_unique<PacketDecoder>(*index_->parameters, config);
  }
  void finish(Worker& worker);
  std::string nameOf(int64_t displayIndex) const {
    return "Frame " + std::to_string(displayIndex) + " of '" + bytes_->describe() + "'";
  }

  std::shared_ptr<ByteSource> bytes_;
  FrameIndexPtr index_;
  const DecodeOptions& options_;
  CancelPtr cancel_;
  Profile& profile_;
  MediaServices services_;
  Totals totals_;
  std::vector<std::atomic<uint8_t>> given_;  // per display index of the current decode()
};

void CpuSource::checkTargets(std::span<const int64_t> displayIndices) const {
  int64_t previous = -1;
  for (const int64_t d : displayIndices) {
    if (d <= previous || d >= index_->info.totalFrames) {
      throw Error(ErrorCode::InvalidArgument, Stage::Decode,
                  "Expected ascending frame indices below " +
                      std::to_string(index_->info.totalFrames) + " but received " +
                      std::to_string(d) + ".");
    }
    previous = d;
  }
  const int64_t bytes =
      pictureBytes(index_->parameters->format, index_->storedWidth, index_->storedHeight) *
      static_cast<int64_t>(displayIndices.size());
  if (bytes > options_.maxMemoryBytes) {
    throw Error(ErrorCode::Unsupported, Stage::Decode,
                std::to_string(displayIndices.size()) + " frames of '" + bytes_->describe() +
                    "' take " + std::to_string(bytes) + " bytes, more than maxMemoryBytes = " +
                    std::to_string(options_.maxMemoryBytes) +
                    " allows. Lower sequenceLength or raise the limit.");
  }
}

// Whether every start of the plan is an entry point; learns it from the packets themselves.
bool CpuSource::verifyStarts(const DecodePlan& plan, Worker& worker) {
  bool good = true;
  UniqueAVPacket packet;
  for (const DecodeSegment& segment : plan.segments) {
    if (segment.first == 0 || index_->startVerified(segment.first)) continue;
    if (!packet) packet = makePacket(Stage::Decode);
    openReader(worker);
    worker.reader->moveTo(segment.first);
    worker.reader->read(*packet);
    const bool entry =
        isEntryPoint({packet->data, static_cast<size_t>(packet->size)}, index_->bitstream);
    index_->setStart(segment.first, entry);
    good = good && entry;
  }
  return good;
}

DecodePlan CpuSource::makePlan(std::span<const int64_t> displayIndices, Worker& first) {
  const Profile::Scope scope(profile_, "planMs");
  PlanOptions plan;
  plan.strategy = options_.uniformStrategy;
  plan.autoRatio = options_.uniformAutoRatio;
  plan.sequenceLength = options_.sequenceLength;
  for (;;) {
    DecodePlan result = planDecode(*index_, displayIndices, plan);
    try {
      if (verifyStarts(result, first)) return result;
    } catch (const SeekMismatch&) {
      index_->setSeekBroken();
      first.reader.reset();
    }
  }
}

void CpuSource::decode(std::span<const int64_t> displayIndices, FrameSink& sink) {
  checkTargets(displayIndices);
  if (displayIndices.empty()) return;
  if (index_->trust == IndexTrust::Sequential) return decodeInSequence(displayIndices, sink);
  given_ = std::vector<std::atomic<uint8_t>>(index_->display.size());
  std::vector<int64_t> open(displayIndices.begin(), displayIndices.end());
  for (;;) {
    Worker first;
    const DecodePlan plan = makePlan(open, first);
    try {
      const Profile::Scope scope(profile_, "decodeMs");
      runPlan(plan, first, sink);
      break;
    } catch (const SeekMismatch&) {
      if (!index_->seekable()) {
        throw Error(ErrorCode::Corrupt, Stage::Decode,
                    "Reading '" + bytes_->describe() +
                        "' again gave other packets than its index: the file changed meanwhile or "
                        "is damaged.");
      }
      index_->setSeekBroken();
    }
    std::erase_if(open, [&](int64_t d) { return given_[static_cast<size_t>(d)].load() != 0; });
  }
  profile_.set("packetsRead", static_cast<double>(totals_.read));
  profile_.set("packetsDecoded", static_cast<double>(totals_.decoded));
  profile_.set("packetsDropped", static_cast<double>(totals_.dropped));
  profile_.set("seeks", static_cast<double>(totals_.seeks));
}

void CpuSource::runPlan(const DecodePlan& plan, Worker& first, FrameSink& sink) {
  const int total = services_.budget->total();
  const int wanted = options_.decodeThreads > 0 ? std::min(options_.decodeThreads, total) : total;
  const ThreadBudget::Lease lease = services_.budget->acquire(wanted);
  const ThreadPlan threads = planThreads(plan, lease.count());
  profile_.set("segments", static_cast<double>(plan.segments.size()));
  profile_.set("decoders", threads.decoders);
  profile_.set("decoderThreads", threads.decoders * threads.threads);

  std::vector<DecodeSegment> work;
  if (threads.decoders == 1) {
    // One decoder reads on through segments that touch: emptying it in between costs time.
    for (const DecodeSegment& segment : plan.segments) {
      if (!work.empty() && work.back().last + 1 == segment.first) {
        work.back().last = segment.last;
        work.back().targets.insert(work.back().targets.end(), segment.targets.begin(),
                                   segment.targets.end());
      } else {
        work.push_back(segment);
      }
    }
  } else {
    work = plan.segments;
    std::stable_sort(work.begin(), work.end(), [](const DecodeSegment& a, const DecodeSegment& b) {
      return a.packets() > b.packets();
    });
  }

  std::vector<Worker> workers(static_cast<size_t>(threads.decoders));
  workers[0].reader = std::move(first.reader);
  for (Worker& worker : workers) {
    worker.config.threads = threads.threads;
    worker.config.threadType = options_.decodeThreadType;
    worker.config.reorderDepth = index_->reorderDepth;
    worker.config.strict = threads.threads > 1;
  }
  std::atomic<size_t> next{0};
  services_.pool->parallelFor(workers.size(), threads.decoders, [&](size_t w) {
    Worker& worker = workers[w];
    for (size_t i = next++; i < work.size(); i = next++) runSegment(worker, work[i], sink);
    finish(worker);
  });
}

void CpuSource::finish(Worker& worker) {
  if (worker.reader) {
    totals_.read += worker.reader->packetsRead();
    totals_.seeks += worker.reader->seeks();
  }
  if (worker.decoder && pooled()) {
    services_.decoders->giveBack(std::move(worker.decoder), *index_->parameters, worker.config);
  }
}

void CpuSource::runSegment(Worker& worker, const DecodeSegment& segment, FrameSink& sink) {
  openReader(worker);
  // A flushed decoder is as good as new from an entry point on; a stream that begins in the middle
  // of a group shows what a new one makes of it.
  if (!index_->startIsGood(segment.first)) {
    worker.decoder = std::make_unique<PacketDecoder>(*index_->parameters, worker.config);
  } else if (!worker.decoder) {
    worker.decoder = takeDecoder(worker.config);
  } else {
    worker.decoder->flush();
  }
  std::vector<int32_t> open = segment.targets;
  int32_t first = segment.first;
  bool steppedBack = false;
  for (;;) {
    try {
      attempt(worker, first, segment.last, open, sink);
      return;
    } catch (const StrictFailure&) {
      // Note [Strict] in packet_decoder.h.
    } catch (const DamagedPicture& damaged) {
      const PacketEntry& entry = index_->packets[static_cast<size_t>(damaged.ordinal)];
      if (first == 0 || steppedBack) {
        throw Error(ErrorCode::Corrupt, Stage::Decode,
                    nameOf(entry.displayIndex) + " cannot be decoded: " + damaged.reason +
                        ". The file is damaged there.");
      }
      // An entry point may have been none after all: once more from the one before.
      first = index_->startFor(first - 1);
      steppedBack = true;
    }
    worker.config.threads = 1;
    worker.config.strict = false;
    worker.decoder = std::make_unique<PacketDecoder>(*index_->parameters, worker.config);
  }
}

void CpuSource::attempt(Worker& worker, int32_t first, int32_t last, std::vector<int32_t>& open,
                        FrameSink& sink) {
  const std::vector<int32_t> targets = open;
  SegmentDecoder decoder(*index_, *worker.reader, *worker.decoder, worker.config.strict,
                         [&](int32_t ordinal, const AVFrame& frame) {
                           const int64_t d =
                               index_->packets[static_cast<size_t>(ordinal)].displayIndex;
                           given_[static_cast<size_t>(d)].store(1);
                           std::erase(open, ordinal);
                           give(ordinal, d, frame, sink);
                         });
  const auto count = [&] {
    totals_.decoded += decoder.counters().packetsDecoded;
    totals_.dropped += decoder.counters().packetsDropped;
  };
  try {
    decoder.run(first, last, targets);
  } catch (...) {
    count();
    throw;
  }
  count();
}

// Pictures that no packet number identifies: decode from the start and count, as building the index
// did.
void CpuSource::decodeInSequence(std::span<const int64_t> displayIndices, FrameSink& sink) {
  const Profile::Scope scope(profile_, "decodeMs");
  DecoderConfig config;
  config.reorderDepth = index_->reorderDepth;
  PacketDecoder decoder(*index_->parameters, config);
  PacketReader reader(bytes_, cancel_, *index_);
  int64_t count = 0;
  size_t next = 0;
  bool failed = false;
  int64_t decoded = 0;
  const auto damaged = [&](int64_t d) {
    return Error(ErrorCode::Corrupt, Stage::Decode,
                 nameOf(d) + " cannot be decoded: it or a picture before it is damaged.");
  };
  const PacketDecoder::Output output = [&](AVFrame* frame, int) {
    // Errors before the first picture are of packets that show nothing.
    if (!frame) {
      failed = failed || count > 0;
      return;
    }
    const int64_t d = count++;
    const auto ordinal = static_cast<size_t>(
        index_->display[static_cast<size_t>(std::min<int64_t>(d, index_->info.totalFrames - 1))]);
    failed = (failed && !index_->packets[ordinal].key) || isDamaged(*frame);
    if (next == displayIndices.size() || displayIndices[next] != d) return;
    if (failed) throw damaged(d);
    ++next;
    give(static_cast<int32_t>(ordinal), d, *frame, sink);
  };
  UniqueAVPacket packet = makePacket(Stage::Decode);
  try {
    while (next < displayIndices.size() && reader.read(*packet)) {
      ++decoded;
      decoder.decode(*packet, reader.next() - 1, output);
    }
  } catch (const SeekMismatch&) {
    throw Error(ErrorCode::Corrupt, Stage::Decode,
                "Reading '" + bytes_->describe() +
                    "' again gave other packets than its index: the file changed meanwhile.");
  }
  if (next < displayIndices.size()) decoder.drain(output);
  if (next < displayIndices.size()) throw damaged(displayIndices[next]);
  profile_.set("packetsRead", static_cast<double>(reader.packetsRead()));
  profile_.set("packetsDecoded", static_cast<double>(decoded));
}

void CpuSource::give(int32_t ordinal, int64_t displayIndex, const AVFrame& frame, FrameSink& sink) {
  if (frame.width != index_->storedWidth || frame.height != index_->storedHeight) {
    throw Error(ErrorCode::Unsupported, Stage::Decode,
                nameOf(displayIndex) + " is " + std::to_string(frame.width) + "x" +
                    std::to_string(frame.height) + " while the video is " +
                    std::to_string(index_->storedWidth) + "x" +
                    std::to_string(index_->storedHeight) +
                    ": a change of size in mid-stream is not supported.");
  }
  ViewedFrame viewed =
      viewOf(frame, index_->orientation, options_.colorMatrix, nameOf(displayIndex));
  SourceFrame out;
  out.owner = std::move(viewed.owner);
  out.view = viewed.view;
  out.device = Device::cpu();
  out.displayIndex = displayIndex;
  out.timestampSec = index_->timestampsSec[static_cast<size_t>(displayIndex)];
  out.isKeyFrame = index_->packets[static_cast<size_t>(ordinal)].key;
  sink.onFrame(std::move(out));
}

}  // namespace

MediaServices makeMediaServices(std::shared_ptr<TaskPool> pool,
                                std::shared_ptr<ThreadBudget> budget) {
  silenceFfmpegLog();
  MediaServices services;
  services.decoders = std::make_shared<DecoderPool>(static_cast<size_t>(budget->total()) + 2);
  services.indexes = std::make_shared<IndexCache>();
  services.pool = std::move(pool);
  services.budget = std::move(budget);
  return services;
}

std::unique_ptr<FrameSource> openCpuSource(const VideoInput& input, const CallContext& call,
                                           const MediaServices& services) {
  const Profile::Scope scope(call.profile, "indexMs");
  if (call.cancel) call.cancel->check(Stage::Open);
  std::shared_ptr<ByteSource> bytes = openByteSource(input);
  const auto build = [&] { return buildFrameIndex(bytes, call, services); };
  const std::optional<FileIdentity> identity = bytes->identity();
  FrameIndexPtr index =
      identity ? services.indexes->get(*identity, call.options.readerCacheSize, call.cancel, build)
               : build();
  return std::make_unique<CpuSource>(std::move(bytes), std::move(index), call, services);
}

}  // namespace cps
