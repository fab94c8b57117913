#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "ffmpeg/util.h"
#include "media/color.h"
#include "media/frame_index.h"

namespace cps {
namespace {

std::span<const uint8_t> bytesOf(const AVPacket& packet) {
  return {packet.data, packet.size > 0 ? static_cast<size_t>(packet.size) : 0};
}

// Codecs whose every packet is exactly one picture in any container that keeps packets whole.
bool onePicturePerPacket(AVCodecID codec) {
  switch (codec) {
    case AV_CODEC_ID_H264:  // when there are no field pictures, see below
    case AV_CODEC_ID_HEVC:
    case AV_CODEC_ID_AV1:
    case AV_CODEC_ID_VP8:
    case AV_CODEC_ID_VP9:
    case AV_CODEC_ID_MPEG1VIDEO:
    case AV_CODEC_ID_MPEG2VIDEO:
    case AV_CODEC_ID_MPEG4:  // when a look at each packet shows it
    case AV_CODEC_ID_MJPEG:
    case AV_CODEC_ID_PRORES:
    case AV_CODEC_ID_DNXHD:
    case AV_CODEC_ID_FFV1:
    case AV_CODEC_ID_HUFFYUV:
    case AV_CODEC_ID_FFVHUFF:
    case AV_CODEC_ID_RAWVIDEO:
    case AV_CODEC_ID_UTVIDEO:
    case AV_CODEC_ID_CFHD:
    case AV_CODEC_ID_JPEG2000:
    case AV_CODEC_ID_DVVIDEO:
    case AV_CODEC_ID_PNG:
      return true;
    default:
      return false;
  }
}

void checkFrameLimit(const CallContext& call, const ByteSource& source, int64_t width,
                     int64_t height) {
  if (width <= 0 || height <= 0) {
    throw Error(ErrorCode::Corrupt, Stage::Index,
                "The headers of '" + source.describe() + "' give no frame size.");
  }
  if (width * height > call.options.maxFramePixels) {
    throw Error(ErrorCode::Unsupported, Stage::Index,
                "Frames of '" + source.describe() + "' have " + std::to_string(width) + "x" +
                    std::to_string(height) + " pixels, more than maxFramePixels = " +
                    std::to_string(call.options.maxFramePixels) + " allows.");
  }
}

// The frame size that the bitstream's own headers give, which is what the decoder will produce;
// containers are sometimes wrong about it.
void sizeFromBitstream(const AVPacket& packet, FrameIndex& index) {
  UniqueAVParser parser(av_parser_init(index.parameters->codec_id));
  if (!parser) return;
  UniqueAVCodecContext context(checkAlloc(avcodec_alloc_context3(nullptr), Stage::Index));
  if (avcodec_parameters_to_context(context.get(), index.parameters.get()) < 0) return;
  parser->flags |= PARSER_FLAG_COMPLETE_FRAMES;
  uint8_t* out = nullptr;
  int outSize = 0;
  av_parser_parse2(parser.get(), context.get(), &out, &outSize, packet.data, packet.size,
                   packet.pts, packet.dts, packet.pos);
  if (parser->width > 0 && parser->height > 0) {
    index.storedWidth = parser->width;
    index.storedHeight = parser->height;
  }
}

std::vector<ByteRange> payloadRanges(AVStream& stream) {
  std::vector<ByteRange> ranges;
  const int count = avformat_index_get_entries_count(&stream);
  ranges.reserve(static_cast<size_t>(std::max(count, 0)));
  for (int i = 0; i < count; ++i) {
    const AVIndexEntry* entry = avformat_index_get_entry(&stream, i);
    if (entry->size > 0 && entry->pos >= 0) {
      ranges.push_back({entry->pos, entry->pos + entry->size});
    }
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const ByteRange& a, const ByteRange& b) { return a.begin < b.begin; });
  size_t kept = 0;
  for (const ByteRange& range : ranges) {
    if (kept > 0 && range.begin <= ranges[kept - 1].end) {
      ranges[kept - 1].end = std::max(ranges[kept - 1].end, range.end);
    } else {
      ranges[kept++] = range;
    }
  }
  ranges.resize(kept);
  return ranges;
}

class IndexBuilder {
 public:
  IndexBuilder(const std::shared_ptr<ByteSource>& source, const CallContext& call)
      : source_(source),
        call_(call),
        demuxer_(source, call.cancel, nullptr,
                 {call.options.maxMemoryBytes, call.options.maxFramePixels}),
        index_(std::make_shared<FrameIndex>()) {}

  std::shared_ptr<FrameIndex> build(const MediaServices& services) {
    readHeaders();
    readPackets();
    if (index_->packets.empty()) {
      throw Error(ErrorCode::NoVideo, Stage::Index,
                  "The video stream of '" + source_->describe() + "' has no frames.");
    }
    collectKeys();
    if (!trusted() || !orderByTimestamps()) {
      index_->seal();
      countPictures(*index_, source_, call_, services);
    }
    if (index_->display.empty()) {
      throw Error(ErrorCode::Corrupt, Stage::Index,
                  "No frame of '" + source_->describe() + "' can be decoded.");
    }
    fillInfo();
    index_->seal();
    if (firstIsEntry_) index_->setStart(0, true);
    return index_;
  }

 private:
  void readHeaders() {
    FrameIndex& index = *index_;
    index.parameters = copyParameters(demuxer_.parameters(), Stage::Index);
    index.bitstream = bitstreamFormat(*index.parameters);
    index.stream = demuxer_.hint();
    index.seekKind = demuxer_.seekKind();
    index.plain = demuxer_.plain();
    index.timeBase = demuxer_.stream().time_base;
    index.orientation = orientationFromMatrix(streamDisplayMatrix(demuxer_.stream()));
    index.storedWidth = index.parameters->width;
    index.storedHeight = index.parameters->height;
    const AVCodecDescriptor* descriptor = avcodec_descriptor_get(index.parameters->codec_id);
    reorders_ = !descriptor || (descriptor->props & AV_CODEC_PROP_REORDER) != 0;
    index.info.codec = codecName(index.parameters->codec_id);
    index.info.format = demuxer_.formatName();
    if (index.timeBase.num <= 0 || index.timeBase.den <= 0) {
      throw Error(ErrorCode::Corrupt, Stage::Index,
                  "The headers of '" + source_->describe() + "' give no valid time base.");
    }
  }

  void readPackets() {
    FrameIndex& index = *index_;
    UniqueAVPacket packet = makePacket(Stage::Index);
    AVStream& stream = const_cast<AVStream&>(demuxer_.stream());
    const AVCodecID codec = index.parameters->codec_id;
    const bool looksInside =
        codec == AV_CODEC_ID_VP8 || codec == AV_CODEC_ID_VP9 || codec == AV_CODEC_ID_MPEG4;
    const bool tables = index.isMp4() && !looksInside;
    const int declared = tables ? avformat_index_get_entries_count(&stream) : 0;
    if (declared > call_.options.maxFrames) tooManyFrames(declared);
    index.packets.reserve(static_cast<size_t>(std::max(declared, 0)));
    int known = -1;
    while (demuxer_.read(*packet)) {
      if (index.packets.empty()) {
        lookAtFirst(*packet);
        checkFrameLimit(call_, *source_, index.storedWidth, index.storedHeight);
      }
      addPacket(*packet, looksInside);
      if (tables && avformat_index_get_entries_count(&stream) != known) {
        known = avformat_index_get_entries_count(&stream);
        demuxer_.io().skipPayload(payloadRanges(stream));
      }
    }
    if (static_cast<int64_t>(index.packets.size()) < declared || truncated_)
      noteTruncation(declared);
  }

  // What is there can be used where the option `damaged` says so.
  void noteTruncation(int64_t declared) {
    FrameIndex& index = *index_;
    index.notes.add("truncated-file",
                    "'" + source_->describe() + "' is truncated: its data ends in frame " +
                        std::to_string(index.packets.size()) +
                        (declared > 0 ? " of " + std::to_string(declared) + "." : "."));
    if (call_.options.damaged == Damaged::Error) index.checkWhole();
    // The packet in which the data ends is none.
    while (cutPackets_ > 0 && !index.packets.empty()) {
      index.packets.pop_back();
      --cutPackets_;
    }
    if (index.packets.empty()) index.checkWhole();
  }

  void lookAtFirst(const AVPacket& packet) {
    FrameIndex& index = *index_;
    sizeFromBitstream(packet, index);
    firstIsEntry_ = isEntryPoint(bytesOf(packet), index.bitstream);
    if (index.parameters->codec_id == AV_CODEC_ID_H264) {
      H264Headers headers = index.bitstream.h264;
      readH264Headers(bytesOf(packet), index.bitstream.lengthBytes, headers);
      framesOnly_ = h264FramesOnly(headers).value_or(false);
      cropAsContainer(headers);
    }
  }

  // Recorders that write 1920x1088 without cropping and 1920x1080 into the container: FFmpeg's
  // decoder takes the container's word for less than a block, where the stream cuts nothing off.
  void cropAsContainer(const H264Headers& headers) {
    FrameIndex& index = *index_;
    const int width = index.parameters->width, height = index.parameters->height;
    if (width <= 0 || height <= 0) return;
    const bool inside = width <= index.storedWidth && height <= index.storedHeight;
    for (const H264Sequence& sequence : headers.sequence) {
      if (!inside || !sequence.known || sequence.cutsTopOrLeft) continue;
      if (sequence.width != index.storedWidth || sequence.height != index.storedHeight) continue;
      if ((width + 15) / 16 != (index.storedWidth + 15) / 16) continue;
      if ((height + 15) / 16 != (index.storedHeight + 15) / 16) continue;
      index.storedWidth = width;
      index.storedHeight = height;
      return;
    }
  }

  void addPacket(const AVPacket& packet, bool looksInside) {
    PacketEntry entry;
    entry.pts = packet.pts;
    entry.dts = packet.dts;
    entry.pos = packet.pos;
    entry.duration = packet.duration;
    entry.size = packet.size;
    entry.key = (packet.flags & AV_PKT_FLAG_KEY) != 0;
    entry.discard = (packet.flags & AV_PKT_FLAG_DISCARD) != 0;
    const bool cut = index_->plain && (packet.flags & AV_PKT_FLAG_CORRUPT) != 0;
    truncated_ = truncated_ || cut;
    cutPackets_ = cut ? cutPackets_ + 1 : 0;
    const int shown = looksInside ? lookInside(packet) : packet.size > 0;
    if (shown > 1) severalShown_ = true;
    // Until the order is known this only marks which packets show a picture.
    entry.displayIndex = shown == 1 && !entry.discard ? 0 : -1;
    index_->packets.push_back(entry);
    if (static_cast<int64_t>(index_->packets.size()) > call_.options.maxFrames) {
      tooManyFrames(static_cast<int64_t>(index_->packets.size()));
    }
  }

  // Pictures that the packet shows; 2 stands for several, or for what only decoding tells.
  int lookInside(const AVPacket& packet) {
    const AVCodecID codec = index_->parameters->codec_id;
    if (codec != AV_CODEC_ID_MPEG4) return shownPictures(bytesOf(packet), codec);
    const auto vop = soleVop(bytesOf(packet));
    bVops_.push_back(vop == VopType::B);
    return vop ? 1 : 2;
  }

  [[noreturn]] void tooManyFrames(int64_t count) {
    throw Error(ErrorCode::Unsupported, Stage::Index,
                "'" + source_->describe() + "' has " + std::to_string(count) +
                    " frames or more; maxFrames = " + std::to_string(call_.options.maxFrames) +
                    ".");
  }

  void collectKeys() {
    for (size_t i = 0; i < index_->packets.size(); ++i) {
      if (index_->packets[i].key) index_->keys.push_back(static_cast<int32_t>(i));
    }
  }

  // When a packet's picture is shown. Codecs without reordering show pictures as they decode them;
  // some containers give those decode timestamps only.
  int64_t timeOf(const PacketEntry& entry) const {
    return entry.pts == AV_NOPTS_VALUE && !reorders_ ? entry.dts : entry.pts;
  }

  // Note [Trust] in frame_index.h.
  bool trusted() const {
    const FrameIndex& index = *index_;
    const AVCodecID codec = index.parameters->codec_id;
    if (!onePicturePerPacket(codec) || severalShown_) return false;
    if (codec == AV_CODEC_ID_H264 && !framesOnly_) return false;
    if (codec == AV_CODEC_ID_MPEG4 && !index.plain) return false;
    if (index.info.format == "avi" && reorders_) return false;
    const PacketEntry& first = index.packets.front();
    if (reorders_ && (!first.key || !firstIsEntry_)) return false;
    if (timeOf(first) == AV_NOPTS_VALUE) return false;
    bool shownBefore = false;
    for (const PacketEntry& entry : index.packets) {
      if (entry.displayIndex < 0) {
        // A second edit that begins at a cut: the decoder's order decides, not the timeline.
        if (shownBefore && entry.discard && entry.key) return false;
        continue;
      }
      shownBefore = true;
      if (timeOf(entry) == AV_NOPTS_VALUE) return false;
      if (reorders_ && entry.pts < first.pts) return false;
    }
    return true;
  }

  // False when two pictures have the same timestamp, or the timestamps are known to lie.
  bool orderByTimestamps() {
    FrameIndex& index = *index_;
    auto& packets = index.packets;
    for (size_t i = 0; i < packets.size(); ++i) {
      if (packets[i].displayIndex >= 0) index.display.push_back(static_cast<int32_t>(i));
      if (timeOf(packets[i]) != AV_NOPTS_VALUE) packets[i].order = timeOf(packets[i]);
    }
    std::sort(index.display.begin(), index.display.end(), [&](int32_t a, int32_t b) {
      return packets[static_cast<size_t>(a)].order < packets[static_cast<size_t>(b)].order;
    });
    for (size_t d = 0; d < index.display.size(); ++d) {
      PacketEntry& entry = packets[static_cast<size_t>(index.display[d])];
      if (d > 0 && entry.order == packets[static_cast<size_t>(index.display[d - 1])].order) {
        index.display.clear();
        return false;
      }
      entry.displayIndex = static_cast<int32_t>(d);
    }
    if (!bVops_.empty() && !isOrderOfVops()) {
      index.display.clear();
      return false;
    }
    index.measureReordering();
    return true;
  }

  // MPEG-4 from AVI, put into MP4 or Matroska as it is, has decode times for presentation times.
  // The order is known without them: B-VOPs are shown at once, others when the next of these is
  // decoded.
  bool isOrderOfVops() const {
    const FrameIndex& index = *index_;
    size_t at = 0;
    const auto isNext = [&](size_t ordinal) {
      const int32_t expected = index.packets[ordinal].displayIndex;
      return expected < 0 || static_cast<size_t>(expected) == at++;
    };
    std::optional<size_t> held;
    for (size_t i = 0; i < index.packets.size(); ++i) {
      if (bVops_[i]) {
        if (!isNext(i)) return false;
      } else {
        if (held && !isNext(*held)) return false;
        held = i;
      }
    }
    return !held || isNext(*held);
  }

  void fillInfo() {
    FrameIndex& index = *index_;
    VideoInfo& info = index.info;
    const bool turned = index.orientation.swapXY;
    info.width = turned ? index.storedHeight : index.storedWidth;
    info.height = turned ? index.storedWidth : index.storedHeight;
    info.totalFrames = static_cast<int64_t>(index.display.size());
    const AVRational declared = demuxer_.stream().avg_frame_rate;
    // Where the container declares a rate it is what other tools report; transport streams and raw
    // streams only have FFmpeg's guess.
    const bool declares =
        (index.plain || index.info.format == "avi") && declared.num > 0 && declared.den > 0;
    const double tick = av_q2d(index.timeBase);
    fillTimestamps(tick, declared.num > 0 && declared.den > 0 ? av_q2d(declared) : 25.0);
    const double first = index.timestampsSec.front();
    const double last = index.timestampsSec.back();
    if (declares) {
      info.fps = av_q2d(declared);
    } else if (last > first) {
      info.fps = static_cast<double>(info.totalFrames - 1) / (last - first);
    } else {
      info.fps = declared.num > 0 && declared.den > 0 ? av_q2d(declared) : 0;
    }
    const PacketEntry& lastEntry = index.packets[static_cast<size_t>(index.display.back())];
    double lastDuration = static_cast<double>(lastEntry.duration) * tick;
    if (lastDuration <= 0) lastDuration = info.fps > 0 ? 1 / info.fps : 0;
    info.durationSec = last - first + lastDuration;
  }

  // Seconds of every picture: its pts; where some lack one, the decode timestamps in order; where
  // there are none, the frame rate.
  void fillTimestamps(double tick, double fallbackRate) {
    FrameIndex& index = *index_;
    index.timestampsSec.resize(index.display.size());
    // What AVI has as pts for streams with B-frames is FFmpeg's guess.
    bool allPts = index.trust == IndexTrust::Timestamps || index.info.format != "avi";
    bool allDts = true;
    for (const int32_t ordinal : index.display) {
      const PacketEntry& entry = index.packets[static_cast<size_t>(ordinal)];
      allPts = allPts && timeOf(entry) != AV_NOPTS_VALUE;
      allDts = allDts && entry.dts != AV_NOPTS_VALUE;
    }
    for (size_t d = 0; d < index.display.size(); ++d) {
      const PacketEntry& entry = index.packets[static_cast<size_t>(index.display[d])];
      index.timestampsSec[d] = allPts   ? static_cast<double>(timeOf(entry)) * tick
                               : allDts ? static_cast<double>(entry.dts) * tick
                                        : static_cast<double>(d) / fallbackRate;
    }
    if (index.trust != IndexTrust::Timestamps) {
      std::sort(index.timestampsSec.begin(), index.timestampsSec.end());
    }
  }

  std::shared_ptr<ByteSource> source_;
  const CallContext& call_;
  Demuxer demuxer_;
  std::shared_ptr<FrameIndex> index_;
  bool reorders_ = false;
  bool firstIsEntry_ = false;
  bool framesOnly_ = true;
  bool severalShown_ = false;
  std::vector<bool> bVops_;  // per packet of MPEG-4
  bool truncated_ = false;
  int cutPackets_ = 0;  // at the end
};

}  // namespace

FrameIndexPtr buildFrameIndex(const std::shared_ptr<ByteSource>& source, const CallContext& call,
                              const MediaServices& services) {
  return IndexBuilder(source, call).build(services);
}

}  // namespace cps
