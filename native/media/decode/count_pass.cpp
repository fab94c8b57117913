#include "media/decode/count_pass.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "ffmpeg/util.h"
#include "media/decode/packet_decoder.h"
#include "media/index/frame_index.h"
#include "media/index/index_times.h"
#include "media/index/packet_reader.h"

namespace cps {
namespace {

// Whether decoding may start in the middle once it is known which packets make pictures. Not where
// a picture may be carried over from the packet before.
bool mayJump(const FrameIndex& index, bool packed) {
  const CodecRules& rules = *index.bitstream.rules;
  const bool mayCarryOver = rules.packsPictures && (packed || !index.isMp4());
  return rules.mayJump && !mayCarryOver;
}

// The reorder depth where every packet has its pts; else 0, and the decoder starts with what FFmpeg
// found out when it opened the stream. (The largest possible depth would be no safe choice: an
// H.264 decoder that looks further ahead gives out pictures from before the first entry point.)
int depthByTimestamps(const FrameIndex& index) {
  FrameIndex timed;
  for (const PacketEntry& entry : index.packets) {
    if (entry.pts == AV_NOPTS_VALUE) return 0;
    timed.packets.push_back(entry);
    timed.packets.back().order = entry.pts;
  }
  timed.measureReordering();
  return timed.reorderDepth;
}

// Decode times of all packets. Matroska stores none: there they are what FFmpeg fills in, which
// knows about the codec.
std::vector<int64_t> decodeTimes(const FrameIndex& index, const std::shared_ptr<ByteSource>& source,
                                 const CallContext& call) {
  std::vector<int64_t> times;
  times.reserve(index.packets.size());
  bool none = true;
  for (const PacketEntry& entry : index.packets) {
    times.push_back(entry.dts);
    none = none && entry.dts == AV_NOPTS_VALUE;
  }
  if (!none || !index.plain) return times;
  const DemuxLimits limits = {call.options.maxMemoryBytes, call.options.maxFramePixels};
  std::unique_ptr<Demuxer> demuxer;
  try {
    demuxer = std::make_unique<Demuxer>(source, call.cancel, &index.stream, limits, true);
    UniqueAVPacket packet = makePacket(Stage::Index);
    for (size_t i = 0; i < times.size() && demuxer->read(*packet); ++i) {
      if (packet->size != index.packets[i].size) break;
      times[i] = packet->dts;
    }
  } catch (const Error& error) {
    const bool failed = demuxer && demuxer->io().failed();
    if (!blamesFile(error.code()) || failed) throw;  // else what was read counts
  }
  return times;
}

// Note [Refused sizes] in packet_decoder.h: packets that hold a picture count, whether or not the
// limits allow to decode it.
class RefusedPackets {
 public:
  RefusedPackets(const FrameIndex& index, const PacketDecoder& decoder)
      : index_(index), decoder_(decoder) {}
  // Before packet `ordinal` is decoded.
  void begin(int32_t ordinal, const AVPacket& packet) {
    fed_ = ordinal;
    counted_ = index_.packets[static_cast<size_t>(ordinal)].displayIndex < 0 ||
               !holdsPicture({packet.data, static_cast<size_t>(packet.size)}, index_.bitstream);
  }
  // After an error: whether the packet counts.
  bool add() { return decoder_.refusesSize() && !std::exchange(counted_, true); }
  int32_t fed() const { return fed_; }

 private:
  const FrameIndex& index_;
  const PacketDecoder& decoder_;
  int32_t fed_ = 0;
  bool counted_ = true;
};

// Whether one thread gives the same pictures up to packet `last` as these (Note [Alone]).
bool sameAlone(const FrameIndex& index, const std::shared_ptr<ByteSource>& source,
               const CallContext& call, DecoderConfig config, std::span<const int32_t> shown,
               int32_t last) {
  config.threads = 1;
  PacketDecoder decoder(*index.parameters, config);
  PacketReader reader(source, call.cancel, index);
  std::vector<int64_t> alone, among;
  RefusedPackets refused(index, decoder);
  const PacketDecoder::Output output = [&](AVFrame* frame, int) {
    if (frame) alone.push_back(packetNumber(*frame));
    if (!frame && refused.add()) alone.push_back(refused.fed());
    return true;
  };
  UniqueAVPacket packet = makePacket(Stage::Index);
  while (reader.next() <= last) {
    const ReadResult got = reader.read(*packet);
    if (got == ReadResult::Lost) return false;  // counting again says so
    if (got == ReadResult::End) break;
    refused.begin(reader.next() - 1, *packet);
    decoder.decode(*packet, reader.next() - 1, output);
  }
  decoder.drain(output);
  for (const int32_t ordinal : shown) {
    if (ordinal <= last) among.push_back(ordinal);
  }
  std::sort(alone.begin(), alone.end());
  std::sort(among.begin(), among.end());
  return alone == among;
}

// A decoder that took the size would not give out the last picture before it changes again.
void loseHeld(FrameIndex& index, std::vector<int32_t>& shown, std::vector<uint8_t>& pictures,
              int32_t last) {
  if (!index.bitstream.rules->losesHeldAtChange || shown.back() != last) return;
  shown.pop_back();
  index.shownAt.pop_back();
  pictures[static_cast<size_t>(last)] = 0;
}

// Note [Alone]
// An allocation that fails in a decoder's own thread reads as damage, and nothing on this thread
// tells the two apart. Where pictures failed, one thread decodes once more as far as that goes:
// what it sees is the file.
void countPictures(FrameIndex& index, const std::shared_ptr<ByteSource>& source,
                   const CallContext& call, const MediaServices& services, bool alone = false) {
  const Profile::Scope scope(call.profile, "countMs");
  const ThreadBudget::Lease lease = leaseDecoderThreads(call.options, services);
  DecoderConfig config;
  const bool threads = index.bitstream.rules->frameThreads;
  config.threads = threads && !alone ? lease.count() : 1;
  config.threadType = call.options.decodeThreadType;
  config.reorderDepth = index.reorderDepth > 0 ? index.reorderDepth : depthByTimestamps(index);
  config.maxPixels = call.options.maxFramePixels;
  config.x264Build = index.x264Build;
  PacketDecoder decoder(*index.parameters, config);
  PacketReader reader(source, call.cancel, index);

  const auto count = static_cast<int64_t>(index.packets.size());
  std::vector<int32_t> shown;
  BestTime times;
  const std::vector<int64_t> decodedAt = decodeTimes(index, source, call);
  index.shownAt.clear();
  std::vector<uint8_t> pictures(index.packets.size(), 0);
  bool onePerPacket = true;
  bool failed = false;
  int32_t lastFailure = 0;
  RefusedPackets refused(index, decoder);
  int32_t lastRefused = -1;  // while no picture has come out since
  const PacketDecoder::Output output = [&](AVFrame* frame, int) {
    if (!frame || isDamaged(*frame)) {
      failed = true;
      lastFailure = refused.fed();
    }
    if (!frame && !refused.add()) return true;
    const int64_t number = frame ? packetNumber(*frame) : refused.fed();
    if (frame && lastRefused >= 0 && number > lastRefused) {
      loseHeld(index, shown, pictures, std::exchange(lastRefused, -1));
    }
    if (!frame) lastRefused = refused.fed();
    if (number < 0 || number >= count || pictures[static_cast<size_t>(number)]++ > 0) {
      onePerPacket = false;
    }
    shown.push_back(static_cast<int32_t>(std::clamp<int64_t>(number, 0, count - 1)));
    const PacketEntry& entry = index.packets[static_cast<size_t>(shown.back())];
    index.shownAt.push_back(times.of(entry.pts, frame ? frame->pkt_dts : entry.dts));
    if (static_cast<int64_t>(shown.size()) > call.options.maxFrames) {
      throw Error(ErrorCode::Unsupported, Stage::Index,
                  "'" + source->describe() + "' has more frames than maxFrames = " +
                      std::to_string(call.options.maxFrames) + " allows.");
    }
    return true;
  };
  UniqueAVPacket packet = makePacket(Stage::Index);
  bool packed = false;
  ReadResult got;
  while ((got = reader.read(*packet)) == ReadResult::Packet) {
    if (packet->size > 0 && !packed) {
      packed =
          index.bitstream.rules->holdsSeveral({packet->data, static_cast<size_t>(packet->size)});
    }
    const int32_t ordinal = reader.next() - 1;
    packet->dts = decodedAt[static_cast<size_t>(ordinal)];
    refused.begin(ordinal, *packet);
    decoder.decode(*packet, ordinal, output);
  }
  if (got == ReadResult::Lost) {
    throw Error(ErrorCode::Corrupt, Stage::Index,
                "Reading '" + source->describe() +
                    "' a second time gave other packets: the file changed or is damaged.");
  }
  decoder.drain(output);
  // An error hides a picture, which the index would miss for good.
  if (failed && decoder.ranShort()) {
    throw outOfMemory(Stage::Index, "Counting the frames of '" + source->describe() + "'");
  }

  if (failed && config.threads > 1 && !sameAlone(index, source, call, config, shown, lastFailure)) {
    return countPictures(index, source, call, services, true);
  }

  index.display = std::move(shown);
  index.trust = onePerPacket ? IndexTrust::Counted : IndexTrust::Sequential;
  for (PacketEntry& entry : index.packets) {
    entry.order = kNoOrder;
    entry.displayIndex = -1;
  }
  if (onePerPacket) {
    for (size_t d = 0; d < index.display.size(); ++d) {
      PacketEntry& entry = index.packets[static_cast<size_t>(index.display[d])];
      entry.displayIndex = static_cast<int32_t>(d);
      entry.order = static_cast<int64_t>(d);
    }
    index.measureReordering();
  }
  index.reorderDepth = std::max(index.reorderDepth, config.reorderDepth);
  if (!onePerPacket || !mayJump(index, packed)) index.seeks().setSeekBroken();
}

}  // namespace

FrameIndexPtr buildFrameIndex(const std::shared_ptr<ByteSource>& source, const CallContext& call,
                              const MediaServices& services) {
  return buildFrameIndex(
      source, call,
      CountPictures([&](FrameIndex& index, const auto& bytes, const CallContext& context) {
        countPictures(index, bytes, context, services);
      }));
}

}  // namespace cps
