#include "cuda/nvdec/stream_format.h"

#include <algorithm>
#include <iterator>

#include "core/error.h"
#include "ffmpeg/util.h"
#include "media/decode/scaled_rgb.h"

extern "C" {
#include <libavutil/pixdesc.h>
}

namespace cps {
namespace {

[[noreturn]] void unavailable(const std::string& why) {
  throw Error(ErrorCode::BackendUnavailable, Stage::Open, why);
}

cudaVideoCodec codecOf(AVCodecID id) {
  switch (id) {
    case AV_CODEC_ID_MPEG1VIDEO:
      return cudaVideoCodec_MPEG1;
    case AV_CODEC_ID_MPEG2VIDEO:
      return cudaVideoCodec_MPEG2;
    case AV_CODEC_ID_MPEG4:
      return cudaVideoCodec_MPEG4;
    case AV_CODEC_ID_MJPEG:
      return cudaVideoCodec_JPEG;
    case AV_CODEC_ID_H264:
      return cudaVideoCodec_H264;
    case AV_CODEC_ID_HEVC:
      return cudaVideoCodec_HEVC;
    case AV_CODEC_ID_VP8:
      return cudaVideoCodec_VP8;
    case AV_CODEC_ID_VP9:
      return cudaVideoCodec_VP9;
    case AV_CODEC_ID_AV1:
      return cudaVideoCodec_AV1;
    default:
      return cudaVideoCodec_NumCodecs;
  }
}

const char* codecText(cudaVideoCodec codec) {
  switch (codec) {
    case cudaVideoCodec_MPEG1:
      return "mpeg1";
    case cudaVideoCodec_MPEG2:
      return "mpeg2";
    case cudaVideoCodec_MPEG4:
      return "mpeg4";
    case cudaVideoCodec_JPEG:
      return "mjpeg";
    case cudaVideoCodec_H264:
      return "h264";
    case cudaVideoCodec_HEVC:
      return "hevc";
    case cudaVideoCodec_VP8:
      return "vp8";
    case cudaVideoCodec_VP9:
      return "vp9";
    case cudaVideoCodec_AV1:
      return "av1";
    default:
      return "unknown codec";
  }
}

// The decoder knows its headers and asks what to decode to: nothing, but the pixel format that it
// would decode to in software is the last it offers.
AVPixelFormat noteTags(AVCodecContext* context, const AVPixelFormat* offered) noexcept {
  auto* tags = static_cast<StreamTags*>(context->opaque);
  for (; *offered != AV_PIX_FMT_NONE; offered++) {
    const AVPixFmtDescriptor* d = av_pix_fmt_desc_get(*offered);
    if (d && !(d->flags & AV_PIX_FMT_FLAG_HWACCEL)) tags->format = *offered;
  }
  tags->space = context->colorspace;
  tags->range = context->color_range;
  return AV_PIX_FMT_NONE;
}

bool maySplitFields(cudaVideoCodec codec) {
  return codec == cudaVideoCodec_H264 || codec == cudaVideoCodec_MPEG2;
}

// Whether there are packets that show nothing between those that show pictures.
bool hasSilentPackets(const FrameIndex& index) {
  const auto shows = [](const PacketEntry& entry) { return entry.displayIndex >= 0; };
  const auto& packets = index.packets;
  const auto first = std::find_if(packets.begin(), packets.end(), shows);
  const auto last = std::find_if(packets.rbegin(), std::make_reverse_iterator(first), shows).base();
  return !std::all_of(first, std::max(first, last), shows);
}

}  // namespace

cudaVideoSurfaceFormat NvdecFormat::surface() const {
  if (is444()) {
    return bitDepth > 8 ? cudaVideoSurfaceFormat_YUV444_16Bit : cudaVideoSurfaceFormat_YUV444;
  }
  return bitDepth > 8 ? cudaVideoSurfaceFormat_P016 : cudaVideoSurfaceFormat_NV12;
}

std::string NvdecFormat::describe() const {
  static const char* const kChroma[] = {"gray", "4:2:0", "4:2:2", "4:4:4"};
  return std::string(codecText(codec)) + ", " + kChroma[chroma] + ", " + std::to_string(bitDepth) +
         " bit";
}

void checkNvdecStream(const FrameIndex& index) {
  const AVCodecID id = index.parameters->codec_id;
  if (codecOf(id) == cudaVideoCodec_NumCodecs) {
    unavailable("NVDEC does not decode " + codecName(id));
  }
  if (index.trust == IndexTrust::Sequential) {
    unavailable("packets of this stream are no single pictures (" + index.info.format +
                "), which NVDEC's parser needs");
  }
  if (index.trust == IndexTrust::Counted && maySplitFields(codecOf(id)) &&
      hasSilentPackets(index)) {
    unavailable("packets of this stream may be halves of pictures (fields), which is not tried");
  }
}

StreamTags readStreamTags(const IndexedVideo& video, bool headersOnly, bool* decoded) {
  const AVCodecParameters& parameters = *video.index().parameters;
  const AVCodec* codec = avcodec_find_decoder(parameters.codec_id);
  const UniqueAVCodecContext context(checkAlloc(avcodec_alloc_context3(codec), Stage::Open));
  if (avcodec_parameters_to_context(context.get(), &parameters) < 0) {
    checkAlloc<void>(nullptr, Stage::Open);
  }
  StreamTags tags;
  context->thread_count = 1;
  context->pix_fmt = AV_PIX_FMT_NONE;  // the container's; the bitstream's comes with the headers
  context->opaque = &tags;
  if (headersOnly && parameters.codec_id != AV_CODEC_ID_VP8) context->get_format = noteTags;
  const int status = codec ? avcodec_open2(context.get(), codec, nullptr) : -1;
  if (status == AVERROR(ENOMEM)) checkAlloc<void>(nullptr, Stage::Open);
  if (status < 0) return tags;
  // dav1d reads the sequence header of the container when it is opened.
  if (headersOnly && parameters.codec_id == AV_CODEC_ID_AV1 &&
      context->pix_fmt != AV_PIX_FMT_NONE) {
    return {context->pix_fmt, context->colorspace, context->color_range};
  }
  const UniqueAVPacket packet = makePacket(Stage::Open);
  const UniqueAVFrame frame = makeFrame(Stage::Open);
  const auto reader = video.openReader();
  switch (reader->read(*packet)) {
    case ReadResult::Packet:
      break;
    case ReadResult::End:
      return tags;
    case ReadResult::Lost:
      throw video.changedError();
  }
  packet->flags &= ~AV_PKT_FLAG_DISCARD;
  avcodec_send_packet(context.get(), packet.get());
  if (tags.format == AV_PIX_FMT_NONE) avcodec_send_packet(context.get(), nullptr);
  if (avcodec_receive_frame(context.get(), frame.get()) == 0) {
    tags = {static_cast<AVPixelFormat>(frame->format), frame->colorspace, frame->color_range};
    if (decoded) *decoded = true;
  }
  return tags;
}

StreamTags StreamTagsCache::get(const IndexedVideo& video) {
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(known_, [](const auto& entry) { return entry.first.expired(); });
    for (const auto& [index, tags] : known_) {
      if (index.lock() == video.indexRef()) return tags;
    }
  }
  const StreamTags tags = readStreamTags(video, true);
  if (tags.format == AV_PIX_FMT_NONE)
    unavailable("the headers of this stream's first picture cannot be read");
  const std::lock_guard lock(mutex_);
  known_.emplace_back(video.indexRef(), tags);
  return tags;
}

NvdecFormat nvdecFormatOf(const FrameIndex& index, const StreamTags& tags) {
  NvdecFormat format;
  format.codec = codecOf(index.parameters->codec_id);
  const AVPixFmtDescriptor* d = av_pix_fmt_desc_get(tags.format);
  const uint64_t odd = AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_ALPHA |
                       AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_HWACCEL;
  if (!d || (d->flags & odd)) {
    unavailable(std::string("NVDEC does not decode the pixel format ") +
                (d ? d->name : "of this stream"));
  }
  // Note [Pictures of the scaler]: done where the CPU decodes.
  if (scalerConverts(tags.format, index.storedWidth, index.storedHeight)) {
    unavailable(std::string("colour of ") + d->name + " with an odd side is converted on the CPU");
  }
  format.bitDepth = d->comp[0].depth;
  if (d->nb_components == 1) {
    format.chroma = cudaVideoChromaFormat_Monochrome;
  } else if (d->log2_chroma_w == 1 && d->log2_chroma_h == 1) {
    format.chroma = cudaVideoChromaFormat_420;
  } else if (d->log2_chroma_w == 0 && d->log2_chroma_h == 0) {
    format.chroma = cudaVideoChromaFormat_444;
  } else {
    unavailable(std::string("NVDEC surfaces hold 4:2:0 or 4:4:4, this stream is ") + d->name);
  }
  return format;
}

}  // namespace cps
