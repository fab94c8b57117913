#include <algorithm>

#include "core/error.h"
#include "ffmpeg/util.h"
#include "media/codec/picture_order.h"
#include "media/container/orientation.h"
#include "media/index/frame_index.h"
#include "media/index/index_order.h"
#include "media/index/index_times.h"
#include "media/index/missing.h"

namespace cps {
namespace {

std::span<const uint8_t> bytesOf(const AVPacket& packet) {
  return {packet.data, packet.size > 0 ? static_cast<size_t>(packet.size) : 0};
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
// containers are sometimes wrong about it. False: the parser knows none.
bool sizeFromBitstream(const AVPacket& packet, FrameIndex& index) {
  bool ranShort = false;
  UniqueAVParser parser;
  watchingMemory(ranShort, [&] {
    parser.reset(av_parser_init(index.parameters->codec_id));
    return 0;
  });
  if (!parser && ranShort) checkAlloc<void>(nullptr, Stage::Index);
  if (!parser) return false;
  UniqueAVCodecContext context(checkAlloc(avcodec_alloc_context3(nullptr), Stage::Index));
  const int status = avcodec_parameters_to_context(context.get(), index.parameters.get());
  if (status == AVERROR(ENOMEM)) checkAlloc<void>(nullptr, Stage::Index);
  if (status < 0) return false;
  parser->flags |= PARSER_FLAG_COMPLETE_FRAMES;
  uint8_t* out = nullptr;
  int outSize = 0;
  av_parser_parse2(parser.get(), context.get(), &out, &outSize, packet.data, packet.size,
                   packet.pts, packet.dts, packet.pos);
  if (parser->width <= 0 || parser->height <= 0) return false;
  index.storedWidth = parser->width;
  index.storedHeight = parser->height;
  return true;
}

// The same where only the decoder reads the stream's headers: Matroska may have the coded size of
// Theora, whose own headers crop it. Nothing is decoded for that.
void sizeFromDecoder(FrameIndex& index, int64_t maxPixels) {
  const AVCodec* codec = avcodec_find_decoder(index.parameters->codec_id);
  if (!codec) return;
  UniqueAVCodecContext context(checkAlloc(avcodec_alloc_context3(codec), Stage::Index));
  bool ranShort = false;
  const int status = watchingMemory(ranShort, [&] {
    const int copied = avcodec_parameters_to_context(context.get(), index.parameters.get());
    if (copied < 0) return copied;
    context->thread_count = 1;
    context->max_pixels = maxPixels;
    context->flags |= AV_CODEC_FLAG_UNALIGNED;
    return avcodec_open2(context.get(), codec, nullptr);
  });
  if (status < 0 && ranShort) checkAlloc<void>(nullptr, Stage::Index);
  // Decoding will say what is wrong.
  if (status < 0 || context->width <= 0 || context->height <= 0) return;
  index.storedWidth = context->width;
  index.storedHeight = context->height;
}

// Of the table's entries from `first` on.
std::vector<ByteRange> payloadRanges(AVStream& stream, int first) {
  std::vector<ByteRange> ranges;
  const int count = avformat_index_get_entries_count(&stream);
  ranges.reserve(static_cast<size_t>(std::max(count - first, 0)));
  for (int i = first; i < count; ++i) {
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

  std::shared_ptr<FrameIndex> build(const CountPictures& count) {
    try {
      readHeaders();
      readPackets();
      if (tables_ && order_) lookAtDoubtful(*index_, *source_, *order_, call_.cancel);
      if (tables_ && rules().mayHidePictures) lookForHidden(*index_, *source_, call_.cancel);
    } catch (const Error& error) {
      if (!demuxer_.ranShort() || !blamesFile(error.code())) throw;
    }
    // Packets may be missing without a word, which the index would say for good.
    if (demuxer_.ranShort()) {
      throw outOfMemory(Stage::Index, "Reading '" + source_->describe() + "'");
    }
    if (index_->packets.empty()) {
      throw Error(ErrorCode::NoVideo, Stage::Index,
                  "The video stream of '" + source_->describe() + "' has no frames.");
    }
    collectKeys();
    if (!trusted() || !orderByTimestamps()) {
      const std::vector<bool> shows = packetsThatShow(*index_);
      index_->seal();
      count(*index_, source_, call_);
      if (tellsPictures()) noteMissing(*index_, shows, source_->describe());
    }
    if (index_->display.empty()) {
      throw Error(ErrorCode::Corrupt, Stage::Index,
                  "No frame of '" + source_->describe() + "' can be decoded.");
    }
    fillTimes(*index_, demuxer_.stream().avg_frame_rate);
    index_->seal();
    if (firstIsEntry_) index_->seeks().setStart(0, true);
    return index_;
  }

  std::shared_ptr<FrameIndex> readHead(int64_t& declared) {
    readHeaders();
    UniqueAVPacket packet = makePacket(Stage::Index);
    if (!demuxer_.read(*packet)) return nullptr;
    lookAtFirst(*packet);
    declared = avformat_index_get_entries_count(&demuxer_.stream());
    return index_;
  }

 private:
  const CodecRules& rules() const { return *index_->bitstream.rules; }

  void readHeaders() {
    FrameIndex& index = *index_;
    index.parameters = copyParameters(demuxer_.parameters(), Stage::Index);
    index.bitstream = bitstreamFormat(*index.parameters);
    inspected_ = index.bitstream;
    index.stream = demuxer_.hint();
    index.seekKind = demuxer_.seekKind();
    index.plain = demuxer_.plain();
    index.timeBase = demuxer_.stream().time_base;
    index.orientation = orientationFromMatrix(streamDisplayMatrix(demuxer_.stream()));
    index.storedWidth = index.parameters->width;
    index.storedHeight = index.parameters->height;
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
    order_ = pictureOrderOf(*index.parameters);
    tables_ = index.isMp4() && !rules().hidesPictures;
    const int declared = tables_ ? avformat_index_get_entries_count(&stream) : 0;
    if (declared > call_.options.maxFrames) tooManyFrames(declared);
    checkMemory(declared);
    index.packets.reserve(static_cast<size_t>(std::max(declared, 0)));
    int known = 0;
    while (readNext(*packet)) {
      if (index.packets.empty()) {
        lookAtFirst(*packet);
        checkFrameLimit(call_, *source_, index.storedWidth, index.storedHeight);
      }
      addPacket(*packet);
      if (!tables_) continue;
      // Fragments add to the table; those before have been read by then.
      const int entries = avformat_index_get_entries_count(&stream);
      if (entries != known) demuxer_.io().skipPayload(payloadRanges(stream, known));
      known = entries;
    }
    if (static_cast<int64_t>(index.packets.size()) < declared || truncated_)
      noteTruncation(declared);
  }

  // What could be read can be used where the option `damaged` says so. Not where reading failed:
  // the index would say for good that the file ends there.
  bool readNext(AVPacket& packet) {
    try {
      return demuxer_.read(packet);
    } catch (const Error& error) {
      const bool partly = call_.options.damaged != Damaged::Error &&
                          error.code() == ErrorCode::Corrupt && !demuxer_.ranShort() &&
                          !demuxer_.io().failed() && !index_->packets.empty();
      if (!partly) throw;
      index_->notes.add("truncated-file", error.what());
      return false;
    }
  }

  // What is there can be used where the option `damaged` says so.
  void noteTruncation(int64_t declared) {
    FrameIndex& index = *index_;
    index.notes.add("truncated-file",
                    std::string("'") + source_->describe() +
                        "' is truncated: its data ends in frame " +
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
    if (!sizeFromBitstream(packet, index)) sizeFromDecoder(index, call_.options.maxFramePixels);
    BitstreamFormat format = index.bitstream;
    followHeaders(bytesOf(packet), format);
    const PictureSize size =
        rules().decodedSize(format, {index.storedWidth, index.storedHeight},
                            {index.parameters->width, index.parameters->height});
    index.storedWidth = size.width;
    index.storedHeight = size.height;
    firstIsEntry_ = isEntryPoint(bytesOf(packet), index.bitstream);
    index.x264Build = rules().encoderBuild(bytesOf(packet), index.bitstream);
    wholeFrames_ = rules().wholeFrames(format);
  }

  void addPacket(const AVPacket& packet) {
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
    const int shown = tables_ ? packet.size > 0 : lookInside(packet);
    if (shown > 1) severalShown_ = true;
    // Until the order is known this only marks which packets show a picture.
    entry.displayIndex = shown == 1 && !entry.discard ? 0 : -1;
    noteSideData(packet);
    index_->packets.push_back(entry);
    const auto count = static_cast<int64_t>(index_->packets.size());
    if (count > call_.options.maxFrames) tooManyFrames(count);
    if (count % 1024 == 0) checkMemory(count);
  }

  // Note [In force] in frame_index.h.
  void noteSideData(const AVPacket& packet) {
    const auto ordinal = static_cast<int32_t>(index_->packets.size());
    for (int i = 0; i < packet.side_data_elems; ++i) {
      const AVPacketSideData& data = packet.side_data[i];
      if (!staysInForce(data.type)) continue;
      sideDataBytes_ += static_cast<int64_t>(sizeof(SideData) + data.size);
      checkMemory(ordinal + 1);
      index_->inForce.push_back({ordinal, data.type, {data.data, data.data + data.size}});
    }
  }

  // Pictures that the packet shows; 2 stands for several.
  int lookInside(const AVPacket& packet) {
    if (order_) return order_->add(bytesOf(packet)) ? 1 : 0;
    followHeaders(bytesOf(packet), inspected_);
    return shownPictures(bytesOf(packet), inspected_);
  }

  [[noreturn]] void tooManyFrames(int64_t count) {
    throw Error(ErrorCode::Unsupported, Stage::Index,
                "'" + source_->describe() + "' has " + std::to_string(count) +
                    " frames or more; maxFrames = " + std::to_string(call_.options.maxFrames) +
                    ".");
  }

  void checkMemory(int64_t packets) const {
    const int64_t bytes = FrameIndex::countedBytes(static_cast<size_t>(packets), sideDataBytes_);
    if (bytes <= call_.options.maxMemoryBytes) return;
    throw Error(ErrorCode::OutOfMemory, Stage::Index,
                "The frame index of '" + source_->describe() + "' with " + std::to_string(packets) +
                    " frames or more takes more than maxMemoryBytes = " +
                    std::to_string(call_.options.maxMemoryBytes) +
                    " allows; raise maxMemoryBytes or cut the video.");
  }

  // Whether each packet is known to hold a whole picture, or none.
  bool tellsPictures() const {
    return (index_->plain || order_) && rules().onePicturePerPacket && wholeFrames_ &&
           !severalShown_ && !(order_ && order_->onlyDecodingTells());
  }

  void collectKeys() {
    for (size_t i = 0; i < index_->packets.size(); ++i) {
      if (index_->packets[i].key) index_->keys.push_back(static_cast<int32_t>(i));
    }
  }

  // When a packet's picture is shown. Codecs without reordering show pictures as they decode them;
  // some containers give those decode timestamps only.
  int64_t timeOf(const PacketEntry& entry) const {
    return entry.pts == AV_NOPTS_VALUE && !rules().reorders ? entry.dts : entry.pts;
  }

  // Note [Trust] in frame_index.h.
  bool trusted() const {
    const FrameIndex& index = *index_;
    if (!rules().onePicturePerPacket || severalShown_) return false;
    if (order_ && order_->onlyDecodingTells()) return false;
    if (!wholeFrames_) return false;
    if (rules().packsPictures && !index.plain) return false;
    if (index.info.format == "avi" && rules().reorders) return false;
    const PacketEntry& first = index.packets.front();
    if (rules().reorders && (!first.key || !firstIsEntry_)) return false;
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
      if (rules().reorders && entry.pts < first.pts) return false;
    }
    return true;
  }

  // False when timestamps do not give the order: two pictures have the same, the codec says
  // something else, or a clock restarts.
  bool orderByTimestamps() {
    FrameIndex& index = *index_;
    auto& packets = index.packets;
    for (size_t i = 0; i < packets.size(); ++i) {
      if (packets[i].displayIndex >= 0) index.display.push_back(static_cast<int32_t>(i));
      if (timeOf(packets[i]) != AV_NOPTS_VALUE) packets[i].order = timeOf(packets[i]);
    }
    const auto earlier = [&](int32_t a, int32_t b) {
      return packets[static_cast<size_t>(a)].order < packets[static_cast<size_t>(b)].order;
    };
    const auto inOrder = [&] {
      return std::adjacent_find(index.display.begin(), index.display.end(),
                                [&](int32_t a, int32_t b) { return !earlier(a, b); }) ==
             index.display.end();
    };
    if (!rules().reorders) {
      // What comes later is shown later, whatever the clock says.
      if (!inOrder()) {
        for (size_t i = 0; i < packets.size(); ++i) packets[i].order = static_cast<int64_t>(i);
      }
    } else {
      std::sort(index.display.begin(), index.display.end(), earlier);
      if (!inOrder() ||
          !isOrderOfCodec(index, order_ ? order_->finish() : std::vector<int64_t>())) {
        index.display.clear();
        return false;
      }
    }
    for (size_t d = 0; d < index.display.size(); ++d) {
      packets[static_cast<size_t>(index.display[d])].displayIndex = static_cast<int32_t>(d);
    }
    index.measureReordering();
    return true;
  }

  std::shared_ptr<ByteSource> source_;
  const CallContext& call_;
  Demuxer demuxer_;
  std::shared_ptr<FrameIndex> index_;
  bool firstIsEntry_ = false;
  bool wholeFrames_ = true;
  bool severalShown_ = false;
  bool tables_ = false;                  // MP4: packets are listed without being read
  std::unique_ptr<PictureOrder> order_;  // of every packet, where the codec tells it
  BitstreamFormat inspected_;            // by lookInside, with the headers so far
  bool truncated_ = false;
  int cutPackets_ = 0;         // at the end
  int64_t sideDataBytes_ = 0;  // of what stays in force
};

}  // namespace

FrameIndexPtr buildFrameIndex(const std::shared_ptr<ByteSource>& source, const CallContext& call,
                              const CountPictures& count) {
  return IndexBuilder(source, call).build(count);
}

FrameIndexPtr readStreamHead(const std::shared_ptr<ByteSource>& source, const CallContext& call,
                             int64_t& declared) {
  return IndexBuilder(source, call).readHead(declared);
}

}  // namespace cps
