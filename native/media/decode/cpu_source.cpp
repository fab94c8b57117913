#include "media/decode/cpu_source.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "core/error.h"
#include "ffmpeg/util.h"
#include "media/codec/codec_rules.h"
#include "media/decode/decoder_pool.h"
#include "media/decode/frame_view_ffmpeg.h"
#include "media/decode/indexed_video.h"
#include "media/decode/segment_decoder.h"
#include "media/index/index_cache.h"

namespace cps {
namespace {

class CpuSource final : public FrameSource {
 public:
  CpuSource(std::shared_ptr<ByteSource> bytes, const CallContext& call,
            const MediaServices& services)
      : video_(std::move(bytes), call, services),
        index_(video_.index()),
        rules_(rulesOf(index_.parameters->codec_id)),
        options_(call.options),
        profile_(call.profile),
        cancel_(call.cancel),
        notes_(call.notes),
        services_(services) {}

  Device device() const override { return Device::cpu(); }
  const VideoInfo& info() const override { return index_.info; }
  Timeline timeline() const override { return video_.timeline(); }
  void decode(std::span<const int64_t> displayIndices, FrameSink& sink) override;
  bool forgetStoredIndex() override { return video_.forgetStoredIndex(); }

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

  void runPlan(const DecodePlan& plan, std::unique_ptr<PacketReader> reader, FrameSink& sink);
  void runSegment(Worker& worker, const DecodeSegment& segment, FrameSink& sink);
  // How a segment is decoded; each way has a good reason to fail that the next has not.
  enum class Way { Fast, Everything, TakingLosses };
  void attempt(Worker& worker, const DecodeSegment& packets, Way way, std::vector<int32_t>& open,
               FrameSink& sink);
  void checkMemoryOf(const PacketDecoder& decoder, const DamagedPicture& damaged) const;
  Error damageError(const DamagedPicture& damaged) const;
  void decodeInSequence(std::span<const int64_t> displayIndices, FrameSink& sink);
  void give(int32_t ordinal, int64_t displayIndex, const AVFrame& frame, FrameSink& sink);
  void countMemoryOf(const AVFrame& frame);
  Error otherSize(int64_t displayIndex, int width, int height) const;
  void openReader(Worker& worker) {
    if (!worker.reader) worker.reader = video_.openReader();
  }
  bool pooled() const { return options_.decodeMode == DecodeMode::Throughput; }
  std::unique_ptr<PacketDecoder> takeDecoder(const DecoderConfig& config) {
    return pooled() ? services_.decoders->take(*index_.parameters, config)
                    : std::make_unique<PacketDecoder>(*index_.parameters, config);
  }
  void closeReader(Worker& worker);
  void finish(Worker& worker);

  const IndexedVideo video_;
  const FrameIndex& index_;
  const CodecRules& rules_;
  const DecodeOptions& options_;
  Profile& profile_;
  CancelPtr cancel_;
  std::shared_ptr<Notes> notes_;
  MediaServices services_;
  Totals totals_;
  int64_t wanted_ = 0;  // pictures of the current decode()
  std::atomic<int64_t> larger_ =
      0;  // bytes that its pictures take more than those of the video's size
  std::vector<std::atomic<uint8_t>> given_;  // per display index of the current decode(), or lost
};

void CpuSource::decode(std::span<const int64_t> displayIndices, FrameSink& sink) {
  video_.checkTargets(displayIndices, sink.keepsFrames());
  if (displayIndices.empty()) return;
  wanted_ = std::ssize(displayIndices);
  larger_ = 0;
  if (index_.trust == IndexTrust::Sequential) {
    decodeInSequence(displayIndices, sink);
    return video_.checkUnchanged();
  }
  given_ = std::vector<std::atomic<uint8_t>>(index_.display.size());
  video_.decodeByPlan(
      displayIndices, [&](int64_t d) { return given_[static_cast<size_t>(d)].load() != 0; },
      [&](const DecodePlan& plan, std::unique_ptr<PacketReader> reader) {
        runPlan(plan, std::move(reader), sink);
      });
  video_.checkUnchanged();
  profile_.set("packetsRead", static_cast<double>(totals_.read));
  profile_.set("packetsDecoded", static_cast<double>(totals_.decoded));
  profile_.set("packetsDropped", static_cast<double>(totals_.dropped));
  profile_.set("seeks", static_cast<double>(totals_.seeks));
}

void CpuSource::runPlan(const DecodePlan& plan, std::unique_ptr<PacketReader> reader,
                        FrameSink& sink) {
  const ThreadBudget::Lease lease = leaseDecoderThreads(options_, services_);
  ThreadPlan threads = planThreads(plan, lease.count());
  if (threads.threads > 1 && !rules_.frameThreads) {
    threads.threads = 1;
    threads.decoders = std::min(lease.count(), static_cast<int>(plan.segments.size()));
  }
  profile_.set("segments", static_cast<double>(plan.segments.size()));
  profile_.set("decoders", threads.decoders);
  profile_.set("decoderThreads", threads.decoders * threads.threads);

  std::vector<DecodeSegment> work;
  if (threads.decoders == 1) {
    // One decoder reads on through segments that touch: emptying it in between costs time.
    for (const DecodeSegment& segment : plan.segments) {
      if (!work.empty() && work.back().last + 1 == segment.first) {
        work.back().last = segment.last;
        work.back().cost += segment.cost;
        work.back().targets.insert(work.back().targets.end(), segment.targets.begin(),
                                   segment.targets.end());
      } else {
        work.push_back(segment);
      }
    }
  } else {
    work = plan.segments;
    std::stable_sort(work.begin(), work.end(), [](const DecodeSegment& a, const DecodeSegment& b) {
      return a.cost > b.cost;
    });
  }

  std::vector<Worker> workers(static_cast<size_t>(threads.decoders));
  workers[0].reader = std::move(reader);
  for (Worker& worker : workers) {
    worker.config.threads = threads.threads;
    worker.config.threadType = options_.decodeThreadType;
    worker.config.reorderDepth = index_.reorderDepth;
    worker.config.maxPixels = options_.maxFramePixels;
    worker.config.x264Build = index_.x264Build;
    worker.config.strict = threads.threads > 1;
  }
  std::atomic<size_t> next{0};
  services_.pool->parallelFor(workers.size(), threads.decoders, [&](size_t w) {
    Worker& worker = workers[w];
    for (size_t i = next++; i < work.size(); i = next++) runSegment(worker, work[i], sink);
    finish(worker);
  });
}

void CpuSource::closeReader(Worker& worker) {
  if (!worker.reader) return;
  totals_.read += worker.reader->packetsRead();
  totals_.seeks += worker.reader->seeks();
  worker.reader.reset();
}

void CpuSource::finish(Worker& worker) {
  closeReader(worker);
  if (worker.decoder && pooled()) {
    services_.decoders->giveBack(std::move(worker.decoder), *index_.parameters, worker.config);
  }
}

void CpuSource::runSegment(Worker& worker, const DecodeSegment& segment, FrameSink& sink) {
  openReader(worker);
  // A flushed decoder is as good as new from an entry point on; a stream that begins in the middle
  // of a group shows what a new one makes of it.
  bool fresh = !index_.startIsGood(segment.first);
  if (worker.decoder && (fresh || !rules_.flushForgets || worker.decoder->tainted())) {
    worker.decoder.reset();
    fresh = true;
  }
  std::vector<int32_t> open = segment.targets;
  DecodeSegment packets = segment;
  bool steppedBack = false;
  for (Way way = Way::Fast;;) {
    Way next = Way::Everything;
    try {
      if (way != Way::Fast || (!worker.decoder && fresh)) {
        worker.decoder = std::make_unique<PacketDecoder>(*index_.parameters, worker.config);
      } else if (!worker.decoder) {
        worker.decoder = takeDecoder(worker.config);
      } else {
        worker.decoder->flush();
      }
      attempt(worker, packets, way, open, sink);
      return;
    } catch (const StrictFailure&) {
      // Note [Strict] in packet_decoder.h; or a packet was dropped that was needed.
    } catch (const OtherSize& other) {
      const PacketEntry& entry = index_.packets[static_cast<size_t>(other.ordinal)];
      throw otherSize(entry.displayIndex, other.width, other.height);
    } catch (const DamagedPicture& damaged) {
      // Several threads may have lost a picture for want of what one needs less of, and packets may
      // have been left out that were needed (Note [Strict]).
      if (way != Way::Fast) {
        checkMemoryOf(*worker.decoder, damaged);
        if (packets.first > 0 && !steppedBack) {
          // An entry point may have been none after all: once more from the one before.
          packets.first = index_.startFor(packets.first - 1);
          steppedBack = true;
        } else if (way == Way::TakingLosses || !sink.takesLosses()) {
          throw damageError(damaged);
        } else {
          next = Way::TakingLosses;
        }
      }
    }
    way = next;
    // Once more as a plain decode would do it, which goes on reading instead of emptying the
    // decoder (where a stream begins with pictures that are not shown it is not known which those
    // are).
    const auto count = static_cast<int32_t>(index_.packets.size());
    packets.last = std::min(count - 1, segment.last + kReadOn);
    // Not every stream can be gone back in, and damaged ones less than others.
    closeReader(worker);
    openReader(worker);
    worker.config.threads = 1;
    worker.config.strict = false;
  }
}

// What was lost for want of memory says nothing of the file.
void CpuSource::checkMemoryOf(const PacketDecoder& decoder, const DamagedPicture& damaged) const {
  if (!decoder.ranShort()) return;
  const PacketEntry& entry = index_.packets[static_cast<size_t>(damaged.ordinal)];
  throw outOfMemory(Stage::Decode, "Decoding " + video_.nameOf(entry.displayIndex));
}

Error CpuSource::damageError(const DamagedPicture& damaged) const {
  const PacketEntry& entry = index_.packets[static_cast<size_t>(damaged.ordinal)];
  return Error(ErrorCode::Corrupt, Stage::Decode,
               video_.nameOf(entry.displayIndex) + " cannot be decoded: " + damaged.reason +
                   ". The file is damaged there.");
}

void CpuSource::attempt(Worker& worker, const DecodeSegment& packets, Way way,
                        std::vector<int32_t>& open, FrameSink& sink) {
  // Not one by one as they come: that would take as long as the square of their number.
  std::erase_if(open, [&](int32_t ordinal) {
    const int64_t d = index_.packets[static_cast<size_t>(ordinal)].displayIndex;
    return given_[static_cast<size_t>(d)].load() != 0;
  });
  SegmentDecoder decoder(index_, *worker.reader, *worker.decoder, worker.config.strict,
                         way != Way::Fast, [&](int32_t ordinal, const AVFrame& frame) {
                           const int64_t d =
                               index_.packets[static_cast<size_t>(ordinal)].displayIndex;
                           given_[static_cast<size_t>(d)].store(1);
                           give(ordinal, d, frame, sink);
                         });
  if (sink.takesAnySize()) decoder.takeAnySize();
  if (way == Way::TakingLosses) {
    decoder.tellOfDamage([&](const DamagedPicture& damaged) {
      checkMemoryOf(*worker.decoder, damaged);
      const int32_t d = index_.packets[static_cast<size_t>(damaged.ordinal)].displayIndex;
      given_[static_cast<size_t>(d)].store(1);
      sink.onLost(d, damageError(damaged));
    });
  }
  const auto count = [&] {
    totals_.decoded += decoder.counters().packetsDecoded;
    totals_.dropped += decoder.counters().packetsDropped;
  };
  try {
    decoder.run(packets.first, packets.last, open);
  } catch (const DamagedPicture&) {
    count();
    if (decoder.mayLackWhatWasDropped()) throw StrictFailure();
    throw;
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
  config.reorderDepth = index_.reorderDepth;
  config.maxPixels = options_.maxFramePixels;
  config.x264Build = index_.x264Build;
  PacketDecoder decoder(*index_.parameters, config);
  const std::unique_ptr<PacketReader> opened = video_.openReader();
  PacketReader& reader = *opened;
  int64_t count = 0;
  size_t next = 0;
  bool failed = false;
  int64_t decoded = 0;
  const auto lose = [&](int64_t d) {
    if (decoder.ranShort()) throw outOfMemory(Stage::Decode, "Decoding " + video_.nameOf(d));
    sink.onLost(
        d, Error(ErrorCode::Corrupt, Stage::Decode,
                 video_.nameOf(d) + " cannot be decoded: it or a picture before it is damaged."));
  };
  BitstreamFormat bitstream = index_.bitstream;
  H264PictureNumbers numbers;
  bool picture = true;
  const PacketDecoder::Output output = [&](AVFrame* frame, int) {
    for (const int64_t number : decoder.takeUnreferenced()) {
      const bool key = index_.packets[static_cast<size_t>(number)].key;
      failed = failed || !key;
    }
    // Errors before the first picture are of packets that show nothing.
    if (!frame) {
      failed = failed || (count > 0 && picture);
      return;
    }
    const int64_t d = count++;
    const auto ordinal = static_cast<size_t>(
        index_.display[static_cast<size_t>(std::min<int64_t>(d, index_.info.totalFrames - 1))]);
    failed = (failed && !index_.packets[ordinal].key) || isDamaged(*frame);
    if (next == displayIndices.size() || displayIndices[next] != d) return;
    ++next;
    if (failed) return lose(d);
    give(static_cast<int32_t>(ordinal), d, *frame, sink);
  };
  UniqueAVPacket packet = makePacket(Stage::Decode);
  try {
    while (next < displayIndices.size() && reader.read(*packet)) {
      ++decoded;
      const std::span<const uint8_t> bytes(packet->data, static_cast<size_t>(packet->size));
      followHeaders(bytes, bitstream);
      if (rules_.numbersReferences &&
          !numbers.follows(bytes, bitstream.lengthBytes, bitstream.h264)) {
        failed = failed || !index_.packets[static_cast<size_t>(reader.next() - 1)].key;
      }
      picture = holdsPicture(bytes, bitstream);
      decoder.decode(*packet, reader.next() - 1, output);
    }
  } catch (const SeekMismatch&) {
    throw video_.changedError();
  }
  if (next < displayIndices.size()) decoder.drain(output);
  for (; next < displayIndices.size(); ++next) lose(displayIndices[next]);
  profile_.set("packetsRead", static_cast<double>(reader.packetsRead()));
  profile_.set("packetsDecoded", static_cast<double>(decoded));
}

Error CpuSource::otherSize(int64_t displayIndex, int width, int height) const {
  return Error(ErrorCode::Unsupported, Stage::Decode,
               video_.nameOf(displayIndex) + " is " + std::to_string(width) + "x" +
                   std::to_string(height) + " while the video is " +
                   std::to_string(index_.storedWidth) + "x" + std::to_string(index_.storedHeight) +
                   ": a change of size in mid-stream. Give width and height to have all in one.");
}

// Pictures that are larger than the video's were not counted before.
void CpuSource::countMemoryOf(const AVFrame& frame) {
  const int64_t video =
      keptPictureBytes(index_.parameters->format, index_.storedWidth, index_.storedHeight);
  const int64_t more = keptPictureBytes(frame.format, frame.width, frame.height) - video;
  if (more > 0) video_.checkMemory(wanted_, wanted_ * video + (larger_ += more));
}

void CpuSource::give(int32_t ordinal, int64_t displayIndex, const AVFrame& frame, FrameSink& sink) {
  if (frame.width != index_.storedWidth || frame.height != index_.storedHeight) {
    if (!sink.takesAnySize()) throw otherSize(displayIndex, frame.width, frame.height);
    if (sink.keepsFrames()) countMemoryOf(frame);
  }
  ViewedFrame viewed = viewOf(frame, index_.orientation, options_.colorMatrix, *notes_,
                              video_.nameOf(displayIndex), cancel_.get());
  SourceFrame out;
  out.owner = std::move(viewed.owner);
  out.view = viewed.view;
  out.luma = std::move(viewed.luma);
  out.device = Device::cpu();
  out.displayIndex = displayIndex;
  out.timestampSec = index_.timestampsSec[static_cast<size_t>(displayIndex)];
  out.isKeyFrame = index_.packets[static_cast<size_t>(ordinal)].key;
  sink.onFrame(std::move(out));
}

}  // namespace

std::unique_ptr<FrameSource> openCpuSource(std::shared_ptr<ByteSource> bytes,
                                           const CallContext& call, const MediaServices& services) {
  return std::make_unique<CpuSource>(std::move(bytes), call, services);
}

std::unique_ptr<FrameSource> openCpuSource(const VideoInput& input, const CallContext& call,
                                           const MediaServices& services) {
  return openCpuSource(openByteSource(input), call, services);
}

}  // namespace cps
