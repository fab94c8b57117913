#include "media/decode/packet_decoder.h"

#include <algorithm>
#include <string>

#include "core/error.h"
#include "ffmpeg/util.h"
#include "media/codec/codec_rules.h"
#include "media/damage/picture_marks.h"
#include "media/decode/frame_view_ffmpeg.h"

extern "C" {
#include <libavutil/opt.h>
}

namespace cps {
namespace {

// More receive errors in a row than any packet can cause: the decoder makes no progress.
constexpr int kMaxErrorsInARow = 64;

// One row or column of the largest blocks (128 samples) along a side of 16384.
constexpr int64_t kCodedSlack = 2 * 128 * 16384;

}  // namespace

PacketDecoder::PacketDecoder(const AVCodecParameters& parameters, const DecoderConfig& config)
    : sets_(parameters, config.x264Build),
      config_(config),
      bitstream_(bitstreamFormat(parameters)),
      parameters_(copyParameters(parameters, Stage::Decode)),
      frame_(makeFrame(Stage::Decode)) {
  const AVCodec* codec = avcodec_find_decoder(parameters.codec_id);
  if (!codec) {
    throw Error(
        ErrorCode::Unsupported, Stage::Decode,
        "No decoder for codec " + codecName(parameters.codec_id) + " in this build of FFmpeg.");
  }
  for (int threads = std::max(1, config.threads);; threads /= 2) {
    const int status = open(*codec, parameters, config, threads);
    if (status >= 0) {
      // Not one for the pool: the next call may get what this one asked for.
      tainted_ = threads < config.threads;
      return;
    }
    // No more threads, or no more memory, which some decoders call it (dav1d) or which their stacks
    // need: with fewer it may do.
    if (threads > 1 && machineCode(status)) continue;
    // A message in the extradata that does not parse is an error to a strict decoder alone.
    if (config.strict && !machineCode(status)) {
      refused_ = tainted_ = true;
      return;
    }
    throw avError(
        status, ErrorCode::Unsupported, Stage::Decode,
        "Cannot open FFmpeg's decoder '" + std::string(codec->name) + "' for this stream");
  }
}

int PacketDecoder::open(const AVCodec& codec, const AVCodecParameters& parameters,
                        const DecoderConfig& config, int threads) {
  ranShort_ = false;
  context_.reset(checkAlloc(avcodec_alloc_context3(&codec), Stage::Decode));
  const int status = avcodec_parameters_to_context(context_.get(), &parameters);
  if (status < 0) return status;
  context_->thread_count = threads;
  switch (config.threadType) {
    case ThreadType::Auto:
      context_->thread_type = FF_THREAD_FRAME | FF_THREAD_SLICE;
      break;
    case ThreadType::Frame:
      context_->thread_type = FF_THREAD_FRAME;
      break;
    case ThreadType::Slice:
      context_->thread_type = FF_THREAD_SLICE;
      break;
  }
  const CodecRules& rules = rulesOf(parameters.codec_id);
  if (config.strict && rules.explodes) context_->err_recognition |= AV_EF_EXPLODE;
  marked_ = rules.marks;
  buffers_.install(*context_);
  // Concealment would write over the marks, and its own flag gets lost between frame threads.
  if (config.strict && rules.concealsOverMarks) context_->error_concealment = 0;
  // Coded sizes are rounded up to blocks and may be cropped.
  context_->max_pixels = 2 * config.maxPixels + kCodedSlack;
  // Cropping to the exact sample even where that leaves planes unaligned.
  context_->flags |= AV_CODEC_FLAG_UNALIGNED;
  // Known from the index beforehand: a decoder that learns it late would leave pictures out.
  context_->has_b_frames = std::max(context_->has_b_frames, config.reorderDepth);
  if (config.vectors) context_->export_side_data |= AV_CODEC_EXPORT_DATA_MVS;
  if (config.vectors && rules.emptiesWithoutVectors && config.reorderDepth == 0) {
    context_->flags |= AV_CODEC_FLAG_LOW_DELAY;
  }
  if (config.x264Build > 0) {
    av_opt_set_int(context_.get(), "x264_build", config.x264Build, AV_OPT_SEARCH_CHILDREN);
  }
  return watchingMemory(ranShort_, [&] { return avcodec_open2(context_.get(), &codec, nullptr); });
}

// A status of ENOMEM is for takeError to judge.
template <typename Call>
int PacketDecoder::watch(const Call& call) {
  bool shortNow = false;
  const int status = watchingMemory(shortNow, call);
  ranShort_ = ranShort_ || (shortNow && status != AVERROR(ENOMEM));
  return status;
}

bool PacketDecoder::decode(AVPacket& packet, int64_t number, const Output& output) {
  if (packet.size <= 0)
    return true;  // a frame that was dropped; to a decoder it would mean the end
  packet.pts = number;
  if (packet.side_data_elems > 0 &&
      (av_packet_get_side_data(&packet, AV_PKT_DATA_NEW_EXTRADATA, nullptr) ||
       av_packet_get_side_data(&packet, AV_PKT_DATA_PARAM_CHANGE, nullptr))) {
    tainted_ = true;  // it holds other parameters now than a later user expects
  }
  const std::span<const uint8_t> bytes(packet.data, static_cast<size_t>(packet.size));
  if (!tainted_ && !sets_.knows(bytes)) tainted_ = true;
  packet_ = bytes;
  if (waits()) {
    const bool entry = (packet.flags & AV_PKT_FLAG_KEY) != 0 && isEntryPoint(bytes, bitstream_);
    if (!entry) return output(nullptr, AVERROR_INVALIDDATA);
    refusesSize_ = false;
    followHeaders(bytes, bitstream_);
    buffers_.forget();
    const int status = open(*context_->codec, *parameters_, config_, 1);
    if (status < 0) return takeError(status, output);
  }
  for (;;) {
    const int status = watch([&] { return avcodec_send_packet(context_.get(), &packet); });
    if (status == AVERROR(EAGAIN)) {
      if (!receive(output)) return false;
      continue;
    }
    if (status < 0 && !takeError(status, output)) return false;
    return receive(output);
  }
}

bool PacketDecoder::drain(const Output& output) {
  packet_ = {};
  if (waits()) return true;
  // With frame threads this call already returns what happened to the packets still inside.
  const int status = watch([&] { return avcodec_send_packet(context_.get(), nullptr); });
  if (status < 0 && status != AVERROR_EOF && !takeError(status, output)) return false;
  return receive(output);
}

void PacketDecoder::flush() {
  avcodec_flush_buffers(context_.get());
  buffers_.forget();
  ranShort_ = false;  // what comes now is another video, or another part of it
}

bool PacketDecoder::receive(const Output& output) {
  for (int errors = 0; errors < kMaxErrorsInARow && !waits();) {
    const int status = watch([&] { return avcodec_receive_frame(context_.get(), frame_.get()); });
    if (status == AVERROR(EAGAIN) || status == AVERROR_EOF) return true;
    if (status < 0) {
      ++errors;
      if (!takeError(status, output)) return false;
      continue;
    }
    errors = 0;
    if (!giveOut(output)) return false;
  }
  return true;
}

bool PacketDecoder::giveOut(const Output& output) {
  if (rules().headersApart) refusesSize_ = false;
  if (marked_ && hasMark(*frame_)) frame_->flags |= AV_FRAME_FLAG_CORRUPT;
  if (isDamaged(*frame_)) tainted_ = true;
  const bool goOn = output(frame_.get(), 0);
  av_frame_unref(frame_.get());
  return goOn;
}

bool PacketDecoder::takeError(int status, const Output& output) {
  tainted_ = true;
  const bool alone = context_->thread_count == 1;
  if (alone && hasRefusedSize()) {
    refusesSize_ = true;
    if (rules().headersApart) return output(nullptr, status);
    avcodec_send_packet(context_.get(), nullptr);
    while (avcodec_receive_frame(context_.get(), frame_.get()) >= 0) {
      if (!giveOut(output)) return false;
    }
    return output(nullptr, status);
  }
  // HEVC's calls a size that it refuses so, too: what threads say of it one will know.
  if (status == AVERROR(ENOMEM) && alone) checkAlloc<void>(nullptr, Stage::Decode);
  return output(nullptr, status);
}

// Frame threads keep their errno to themselves; but where a few pictures more cannot be had now,
// the decoder may have missed them a moment ago.
bool PacketDecoder::ranShort() const {
  if (ranShort_ || buffers_.ranShort()) return true;
  constexpr int64_t kPictures = 4;
  constexpr int64_t kMost = INT32_MAX / 2;  // FFmpeg refuses more in one piece, whatever there is
  const int64_t picture = pictureBytes(context_->pix_fmt, context_->width, context_->height);
  const int64_t bytes = std::clamp<int64_t>(kPictures * picture, 1, kMost);
  void* const some = av_malloc(static_cast<size_t>(bytes));
  av_free(some);
  return some == nullptr;
}

bool PacketDecoder::hasRefusedSize() {
  followHeaders(packet_, bitstream_);
  const Av1Sequence& av1 = bitstream_.av1;
  if (int64_t{av1.maxWidth} * av1.maxHeight > config_.maxPixels) return true;
  const int64_t pixels = int64_t{context_->width} * context_->height;
  if (pixels > config_.maxPixels) return true;
  // Some decoders forget a size that they do not take; so they do with one that none takes.
  constexpr int64_t kMostOfFFmpeg = INT32_MAX / 8;
  return pixels == 0 && context_->max_pixels < kMostOfFFmpeg;
}

int64_t packetNumber(const AVFrame& frame) { return frame.pts; }

bool isDamaged(const AVFrame& frame) {
  return frame.decode_error_flags != 0 || (frame.flags & AV_FRAME_FLAG_CORRUPT) != 0;
}

}  // namespace cps
