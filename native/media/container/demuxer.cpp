#include "media/container/demuxer.h"

#include <algorithm>
#include <climits>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "ffmpeg/util.h"
#include "media/container/mp4_tables.h"

namespace cps {
namespace {

constexpr unsigned kProbeBytes = 1 << 20;
// Enough for the first packets of any stream.
constexpr int64_t kShortProbeBytes = 4096;
constexpr int64_t kStreamInfoUs = 5 * int64_t{AV_TIME_BASE};
constexpr int kMaxEmptyReads = 1000;
// What coded sizes may add to the shown ones.
constexpr int64_t kCodedSlack = 2 * 128 * 16384;

int denyOpen(AVFormatContext*, AVIOContext** io, const char*, int, AVDictionary**) noexcept {
  *io = nullptr;
  return AVERROR(EACCES);
}

int interrupted(void* cancel) noexcept {
  const auto& token = *static_cast<CancelToken*>(cancel);
  return token.cancelled() || token.expired();
}

bool startsWith(const char* name, const char* prefix) {
  return std::strncmp(name, prefix, std::strlen(prefix)) == 0;
}

// FFmpeg 7.1 and later take HLS for what it is only under a name that ends in .m3u8; they are given
// no name here.
bool isHlsPlaylist(ByteSource& source) {
  constexpr std::string_view kFirstLine = "#EXTM3U";
  uint8_t head[kFirstLine.size()];
  const size_t got = source.readAt(0, head, sizeof(head));
  return got == sizeof(head) && std::memcmp(head, kFirstLine.data(), got) == 0;
}

[[noreturn]] void refusePlaylist(const std::string& where, const std::string& format) {
  throw Error(ErrorCode::Unsupported, Stage::Open,
              where + " is a playlist or manifest ('" + format +
                  "') that points at other files; pass the path of the video file itself.");
}

// Larger is better: a decoder, the container's default, area, position.
struct StreamRank {
  bool decodable, isDefault;
  int64_t area;
  bool operator<(const StreamRank& o) const {
    if (decodable != o.decodable) return o.decodable;
    if (isDefault != o.isDefault) return o.isDefault;
    return area < o.area;
  }
};

}  // namespace

Demuxer::Demuxer(std::shared_ptr<ByteSource> source, CancelPtr cancel, const StreamHint* hint,
                 DemuxLimits limits, bool fillsIn)
    : source_(std::move(source)),
      cancel_(std::move(cancel)),
      io_(std::make_unique<AvioReader>(source_, cancel_)),
      limits_(limits) {
  try {
    openStream(hint, fillsIn);
  } catch (const Error& error) {
    if (!ranShort_ || !blamesFile(error.code())) throw;
    throw outOfMemory(Stage::Open, "Opening '" + source_->describe() + "' failed");
  }
}

void Demuxer::openStream(const StreamHint* hint, bool fillsIn) {
  open();
  const char* name = context_->iformat->name;
  // These two say everything about a packet themselves; no parser needs to look at it.
  plain_ = !fillsIn && (startsWith(name, "mov,") || startsWith(name, "matroska"));
  if (hint && hint->streamIndex < static_cast<int>(context_->nb_streams) &&
      context_->streams[hint->streamIndex]->codecpar->codec_id == hint->codec) {
    stream_ = context_->streams[hint->streamIndex];
    again_ = true;
    if (fillsIn) findStreamInfo();
  } else {
    if (!plain_) findStreamInfo();
    chooseStream();
    const AVCodecParameters& par = *stream_->codecpar;
    if (plain_ && (par.width <= 0 || par.height <= 0)) findStreamInfo();
  }
  for (unsigned i = 0; i < context_->nb_streams; ++i) {
    AVStream* s = context_->streams[i];
    s->discard = s == stream_ ? AVDISCARD_NONE : AVDISCARD_ALL;
  }
  if (plain_) context_->flags |= AVFMT_FLAG_NOPARSE | AVFMT_FLAG_NOFILLIN;
}

Demuxer::~Demuxer() = default;

void Demuxer::open() {
  const std::string where = "'" + source_->describe() + "'";
  const AVInputFormat* format = nullptr;
  const int score = watchingDemuxer(ranShort_, [&] {
    return av_probe_input_buffer2(io_->get(), &format, "", nullptr, 0, kProbeBytes);
  });
  io_->rethrow();
  if (score < 0 || !format) {
    if (isHlsPlaylist(*source_)) refusePlaylist(where, "hls");
    throw Error(ErrorCode::NoVideo, Stage::Open,
                where + " is not a video file: its content matches no known container format.");
  }
  if (isPlaylistFormat(format->name)) refusePlaylist(where, format->name);
  if (!isContainerFormat(format->name)) {
    throw Error(
        ErrorCode::NoVideo, Stage::Open,
        where + " is not a video container (its content looks like '" + format->name + "').");
  }
  if (startsWith(format->name, "mov,")) checkMp4Tables(*source_, limits_.tableBytes, cancel_);
  AVFormatContext* context = checkAlloc(avformat_alloc_context(), Stage::Open);
  context->pb = io_->get();
  context->flags |= AVFMT_FLAG_CUSTOM_IO;
  context->io_open = denyOpen;
  context->protocol_whitelist = av_strdup("");
  context->interrupt_callback = {interrupted, cancel_.get()};
  if (!cancel_) context->interrupt_callback = {nullptr, nullptr};
  context->probesize = limits_.probeBytes;
  context->max_analyze_duration = kStreamInfoUs;
  context->skip_estimate_duration_from_pts = 1;
  // As FFmpeg's own tools open transport streams: how far their probing sees, and so the depth that
  // a decoder begins with and the pictures that come out of a stream cut in mid-GOP, depend on it.
  AVDictionary* options = nullptr;
  if (av_dict_set(&options, "scan_all_pmts", "1", 0) < 0) {
    avformat_free_context(context);
    throw outOfMemory(Stage::Open, "Opening '" + source_->describe() + "' failed");
  }
  const int status = watchingDemuxer(
      ranShort_, [&] { return avformat_open_input(&context, "", format, &options); });
  av_dict_free(&options);
  if (status < 0) {  // avformat_open_input has freed the context
    io_->rethrow();
    if (cancel_) cancel_->check(Stage::Open);
    throw avError(status, ErrorCode::Corrupt, Stage::Open,
                  "Cannot read the headers of " + where + " ('" + format->name + "')",
                  "The file is damaged or incomplete.");
  }
  context_.reset(context);
  io_->rethrow();
}

void Demuxer::findStreamInfo() {
  const int64_t most = std::min<int64_t>(limits_.pixels + kCodedSlack, INT_MAX);
  std::vector<AVDictionary*> options(context_->nb_streams, nullptr);
  for (AVDictionary*& o : options) av_dict_set_int(&o, "max_pixels", most, 0);
  bool shortNow = false;
  const int status = watchingDemuxer(shortNow, [&] {
    return avformat_find_stream_info(context_.get(), options.empty() ? nullptr : options.data());
  });
  for (AVDictionary*& o : options) av_dict_free(&o);
  io_->rethrow();
  if (cancel_) cancel_->check(Stage::Open);
  // What was found out without a complaint may still be something else for lack of memory, and so
  // may the pictures that come of it.
  if (shortNow) throw outOfMemory(Stage::Open, "Opening '" + source_->describe() + "' failed");
  if (status < 0) {
    throw avError(status, ErrorCode::Corrupt, Stage::Open,
                  "Cannot find out what the streams of '" + source_->describe() + "' hold");
  }
  readAhead_ = avio_tell(io_->get()) >= source_->size();
}

void Demuxer::chooseStream() {
  bool coverArt = false;
  StreamRank best = {};
  for (unsigned i = 0; i < context_->nb_streams; ++i) {
    AVStream* s = context_->streams[i];
    if (s->codecpar->codec_type != AVMEDIA_TYPE_VIDEO) continue;
    if (s->disposition & AV_DISPOSITION_ATTACHED_PIC) {
      coverArt = true;
      continue;
    }
    const StreamRank rank = {avcodec_find_decoder(s->codecpar->codec_id) != nullptr,
                             (s->disposition & AV_DISPOSITION_DEFAULT) != 0,
                             int64_t{s->codecpar->width} * s->codecpar->height};
    if (!stream_ || best < rank) {
      stream_ = s;
      best = rank;
    }
  }
  if (!stream_) {
    throw Error(ErrorCode::NoVideo, Stage::Open,
                "'" + source_->describe() + "' (" + context_->iformat->name + ", " +
                    std::to_string(context_->nb_streams) + " streams) has no video stream" +
                    (coverArt ? ", only a cover picture." : "."));
  }
  if (!best.decodable) {
    throw Error(ErrorCode::Unsupported, Stage::Open,
                "No decoder for the video stream of '" + source_->describe() + "' (codec " +
                    codecName(stream_->codecpar->codec_id) + ") in this build of FFmpeg.");
  }
}

SeekKind Demuxer::seekKind() const {
  const char* name = context_->iformat->name;
  if (startsWith(name, "mov,")) return SeekKind::Dts;
  if (startsWith(name, "matroska")) return SeekKind::Pts;
  const int flags = context_->iformat->flags;
  const bool byBytes =
      startsWith(name, "mpegts") || startsWith(name, "mpeg") || (flags & AVFMT_NOTIMESTAMPS) != 0;
  if (byBytes && !(flags & AVFMT_NO_BYTE_SEEK)) return SeekKind::Byte;
  return SeekKind::Dts;
}

bool Demuxer::read(AVPacket& packet) {
  int emptyReads = 0, atEnd = 0, ends = 0;
  for (;;) {
    if (cancel_) cancel_->check(Stage::Decode);
    av_packet_unref(&packet);
    const int64_t before = avio_tell(io_->get());
    bool shortNow = false;
    int status = watchingDemuxer(shortNow, [&] { return av_read_frame(context_.get(), &packet); });
    ranShort_ = ranShort_ || shortNow;
    io_->rethrow();
    if (status == AVERROR_EOF && !shortNow) {  // else the end of what there was memory for
      // Where several files are joined (GIF) FFmpeg passes over an end in finding out about the
      // streams, which is left out here. The caller knows how many packets there are.
      if (again_ && ends++ == 0 && avio_tell(io_->get()) < source_->size()) continue;
      return false;
    }
    // FFmpeg's "nothing yet", not the system's.
    if (status == AVERROR(EAGAIN) && ++emptyReads < kMaxEmptyReads) continue;
    // FFmpeg's Annex B demuxer of AV1 takes the end of the file for damage once, and then goes on.
    if (status == AVERROR_INVALIDDATA && avio_feof(io_->get()) && atEnd++ == 0) continue;
    if (status == AVERROR_INVALIDDATA && resumeAtBoundary()) continue;
    if (status < 0) {
      if (cancel_) cancel_->check(Stage::Decode);
      if (!shortNow && !machineCode(status) && isPastEnd(before)) return false;
      if (status == AVERROR(EAGAIN)) status = AVERROR_INVALIDDATA;
      throw avError(shortNow ? AVERROR(ENOMEM) : status, ErrorCode::Corrupt, Stage::Decode,
                    "Reading '" + source_->describe() + "' stopped near byte " +
                        std::to_string(avio_tell(io_->get())),
                    "The file is damaged or incomplete.");
    }
    if (packet.stream_index == stream_->index) return true;
  }
}

// Where multipart streams are joined, the boundary that ends one is followed by that which begins
// the next, and FFmpeg's demuxer takes the second for a header.
bool Demuxer::resumeAtBoundary() {
  constexpr int64_t kMostOfLine = 256;
  if (std::string_view(context_->iformat->name) != "mpjpeg") return false;
  const int64_t end = avio_tell(io_->get());
  const int64_t begin = std::max(resumedAt_, end - kMostOfLine);
  std::string text(static_cast<size_t>(std::max<int64_t>(0, end - begin)), '\0');
  text.resize(source_->readAt(begin, reinterpret_cast<uint8_t*>(text.data()), text.size()));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  const size_t line = text.rfind('\n') + 1;
  if (text.compare(line, 2, "--") != 0) return false;
  resumedAt_ = end;
  return avio_seek(io_->get(), begin + static_cast<int64_t>(line), SEEK_SET) >= 0;
}

// Some demuxers report the end of the file as an error. It is one where a part of a packet is
// there.
bool Demuxer::isPastEnd(int64_t before) const {
  if (before < source_->size()) return false;
  if (!readAhead_ || limits_.probeBytes <= kShortProbeBytes) return true;
  // What comes now was read before: once more, step by step.
  DemuxLimits limits = limits_;
  limits.probeBytes = kShortProbeBytes;
  Demuxer again(source_, cancel_, nullptr, limits);
  const UniqueAVPacket packet = makePacket(Stage::Decode);
  try {
    while (again.read(*packet)) continue;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::Corrupt) throw;
    return false;
  }
  return true;
}

bool Demuxer::seek(SeekKind kind, int64_t target) {
  const int flags = kind == SeekKind::Byte ? AVSEEK_FLAG_BYTE : AVSEEK_FLAG_BACKWARD;
  bool shortNow = false;
  const int status = watchingDemuxer(
      shortNow, [&] { return av_seek_frame(context_.get(), stream_->index, target, flags); });
  ranShort_ = ranShort_ || shortNow;
  io_->rethrow();
  if (cancel_) cancel_->check(Stage::Decode);
  return status >= 0;
}

}  // namespace cps
