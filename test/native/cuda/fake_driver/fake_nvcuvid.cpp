// The libnvcuvid half of the fake driver (Note [Fake driver]): libavcodec decodes, the parser calls
// back as NVDEC's does, surfaces are filled by work on the stream that maps them.

#include <cstring>
#include <deque>
#include <map>
#include <set>
#include <vector>

#include "cuda/driver/driver_api.h"
#include "cuda/fake_driver/fake_driver.h"
#include "ffmpeg/handles.h"

extern "C" {
#include <libavutil/pixdesc.h>
}

namespace fake {
namespace {

cps::UniqueAVFrame cloneFrame(const AVFrame* frame) {
  return cps::UniqueAVFrame(av_frame_clone(frame));
}

AVCodecID codecId(cudaVideoCodec codec) {
  switch (codec) {
    case cudaVideoCodec_MPEG1:
      return AV_CODEC_ID_MPEG1VIDEO;
    case cudaVideoCodec_MPEG2:
      return AV_CODEC_ID_MPEG2VIDEO;
    case cudaVideoCodec_MPEG4:
      return AV_CODEC_ID_MPEG4;
    case cudaVideoCodec_JPEG:
      return AV_CODEC_ID_MJPEG;
    case cudaVideoCodec_H264:
      return AV_CODEC_ID_H264;
    case cudaVideoCodec_HEVC:
      return AV_CODEC_ID_HEVC;
    case cudaVideoCodec_VP8:
      return AV_CODEC_ID_VP8;
    case cudaVideoCodec_VP9:
      return AV_CODEC_ID_VP9;
    case cudaVideoCodec_AV1:
      return AV_CODEC_ID_AV1;
    default:
      return AV_CODEC_ID_NONE;
  }
}

struct Decoder {
  CUVIDDECODECREATEINFO info{};
  std::vector<cps::UniqueAVFrame> surfaces;
  std::map<void*, int> mapped;
  int pictures = 0;
};

struct Parser {
  CUVIDPARSERPARAMS params{};
  cps::UniqueAVCodecContext context;
  std::string headers;
  bool sequenceSent = false;
  int width = 0, height = 0;  // of the last sequence
  bool gray = false;          // H.264: chroma_format_idc 0
  // HEVC: whether RASL pictures are hidden now, and the timestamps of those that were.
  bool begun = false, hides = false;
  std::set<int64_t> hidden;
  int surfaces = 1;
  std::deque<CUVIDPARSERDISPINFO> shown;  // decoded, not displayed yet
  bool failed = false;
};

// Rows of one plane in the surface's layout: samples at the top of 16 bits, chroma interleaved.
void writePlane(const AVFrame& frame, int plane, int component, int count, uint8_t* out,
                size_t pitch, int width, int height) {
  const AVPixFmtDescriptor* d = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
  const int depth = d->comp[0].depth, bytes = depth > 8 ? 2 : 1;
  for (int y = 0; y < height; y++) {
    for (int x = 0; x < width; x++) {
      const uint8_t* from = frame.data[plane] + y * frame.linesize[plane] + x * bytes;
      uint8_t* to = out + static_cast<size_t>(y) * pitch +
                    static_cast<size_t>((x * count + component) * bytes);
      if (bytes == 1) {
        to[0] = from[0];
      } else {
        const unsigned v = (from[0] | from[1] << 8) << (16 - depth);
        to[0] = static_cast<uint8_t>(v);
        to[1] = static_cast<uint8_t>(v >> 8);
      }
    }
  }
}

void writeSurface(const Decoder& decoder, int index, uint8_t* out, size_t pitch) {
  const AVFrame* frame = decoder.surfaces[static_cast<size_t>(index)].get();
  if (frame == nullptr) return misuse("a surface that was never decoded was mapped");
  const int width = static_cast<int>(decoder.info.ulTargetWidth);
  const int height = static_cast<int>(decoder.info.ulTargetHeight);
  const size_t rows = static_cast<size_t>(height + 1) & ~size_t{1};
  if (width != frame->width || height != frame->height) {
    return misuse("a decoder of " + std::to_string(width) + "x" + std::to_string(height) +
                  " got a picture of " + std::to_string(frame->width) + "x" +
                  std::to_string(frame->height));
  }
  writePlane(*frame, 0, 0, 1, out, pitch, width, height);
  const auto chroma = decoder.info.ChromaFormat;
  if (chroma == cudaVideoChromaFormat_444) {
    writePlane(*frame, 1, 0, 1, out + pitch * rows, pitch, width, height);
    writePlane(*frame, 2, 0, 1, out + 2 * pitch * rows, pitch, width, height);
  } else if (chroma == cudaVideoChromaFormat_420) {
    const int w = (width + 1) / 2, h = (height + 1) / 2;
    writePlane(*frame, 1, 0, 2, out + pitch * rows, pitch, w, h);
    writePlane(*frame, 2, 1, 2, out + pitch * rows, pitch, w, h);
  }
}

// RASL pictures after the first entry point: decoded, not shown, and their timestamps are left
// over.
void noteHidden(Parser& p, const std::string& bytes, int64_t timestamp) {
  for (size_t i = 0; i + 3 < bytes.size(); i++) {
    if (bytes[i] != 0 || bytes[i + 1] != 0 || bytes[i + 2] != 1) continue;
    const int type = bytes[i + 3] >> 1 & 63;
    if (type >= 32) continue;
    if (type >= 16) {
      p.hides = !p.begun;
      p.begun = true;
    } else if ((type == 8 || type == 9) && p.hides) {
      p.hidden.insert(timestamp);
    }
    return;
  }
}

bool displayOldest(Parser& p) {
  CUVIDPARSERDISPINFO info = p.shown.front();
  p.shown.pop_front();
  if (!p.hidden.empty() && *p.hidden.begin() < info.timestamp) {
    p.hidden.insert(info.timestamp);
    info.timestamp = *p.hidden.begin();
    p.hidden.erase(p.hidden.begin());
  }
  if (info.timestamp == control().loseTimestamp) return true;
  return p.params.pfnDisplayPicture(p.params.pUserData, &info) > 0;
}

// Sequence parameter set 0 of a High profile without chroma, which libavcodec decodes to 4:2:0.
bool isGrayH264(const std::string& bytes) {
  for (size_t i = 0; i + 8 < bytes.size(); i++) {
    const auto* p = reinterpret_cast<const uint8_t*>(bytes.data()) + i;
    const bool high = p[4] == 100 || p[4] == 110;
    if (p[0] == 0 && p[1] == 0 && p[2] == 1 && (p[3] & 31) == 7 && high) return p[7] >> 6 == 3;
  }
  return false;
}

bool sendSequence(Parser& p, const AVFrame& frame) {
  const AVPixFmtDescriptor* d = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
  CUVIDEOFORMAT format{};
  format.codec = p.params.CodecType;
  format.coded_width = static_cast<unsigned>(frame.width);
  format.coded_height = static_cast<unsigned>(frame.height);
  format.display_area.left = static_cast<int>(frame.crop_left);
  format.display_area.top = static_cast<int>(frame.crop_top);
  format.display_area.right = frame.width - static_cast<int>(frame.crop_right);
  format.display_area.bottom = frame.height - static_cast<int>(frame.crop_bottom);
  if (p.params.CodecType == cudaVideoCodec_VP9 || p.params.CodecType == cudaVideoCodec_MPEG2) {
    // VP9's render size, MPEG-2's display extension: not what was coded.
    format.display_area.right -= 16;
    format.display_area.bottom += 8;
  }
  format.min_num_decode_surfaces = 4;
  format.bit_depth_luma_minus8 = format.bit_depth_chroma_minus8 =
      static_cast<unsigned char>(d->comp[0].depth - 8);
  format.chroma_format = d->nb_components == 1 || p.gray ? cudaVideoChromaFormat_Monochrome
                         : d->log2_chroma_h == 1         ? cudaVideoChromaFormat_420
                         : d->log2_chroma_w == 1         ? cudaVideoChromaFormat_422
                                                         : cudaVideoChromaFormat_444;
  format.video_signal_description.matrix_coefficients =
      static_cast<unsigned char>(frame.colorspace);
  format.video_signal_description.video_full_range_flag = frame.color_range == AVCOL_RANGE_JPEG;
  const int surfaces = p.params.pfnSequenceCallback(p.params.pUserData, &format);
  if (surfaces <= 0) return false;
  p.surfaces = surfaces > 1 ? surfaces : static_cast<int>(p.params.ulMaxNumDecodeSurfaces);
  p.sequenceSent = true;
  p.width = frame.width;
  p.height = frame.height;
  return true;
}

// The lowest surface that no picture waits in: reused as early as a parser may.
int freeSurface(const Parser& p) {
  for (int i = 0; i < p.surfaces; i++) {
    bool waits = false;
    for (const auto& info : p.shown) waits = waits || info.picture_index == i;
    if (!waits) return i;
  }
  return -1;
}

bool takePictures(Parser& p) {
  cps::UniqueAVFrame frame(av_frame_alloc());
  for (int errors = 0; errors < 64;) {
    const int status = avcodec_receive_frame(p.context.get(), frame.get());
    if (status == AVERROR(EAGAIN) || status == AVERROR_EOF) break;
    if (status < 0) {  // of one picture; the next may be good
      errors++;
      continue;
    }
    const bool sent = p.sequenceSent && p.width == frame->width && p.height == frame->height;
    if (!sent && !sendSequence(p, *frame)) return false;
    if (control().onDecode) control().onDecode(static_cast<int>(stats().pictures));
    CUVIDPICPARAMS picture{};
    picture.CurrPicIdx = freeSurface(p);
    picture.pBitstreamData = reinterpret_cast<const unsigned char*>(frame.get());
    if (p.params.pfnDecodePicture(p.params.pUserData, &picture) <= 0) return false;
    CUVIDPARSERDISPINFO info{};
    info.picture_index = picture.CurrPicIdx;
    info.progressive_frame = 1;
    info.timestamp = frame->pts;
    p.shown.push_back(info);
    const auto delay =
        std::min<size_t>(p.params.ulMaxDisplayDelay, static_cast<size_t>(control().displayDelay));
    while (p.shown.size() > delay) {
      if (!displayOldest(p)) return false;
    }
    av_frame_unref(frame.get());
  }
  return true;
}

}  // namespace
}  // namespace fake

using namespace fake;

#define FAKE_API extern "C" __attribute__((visibility("default"))) CUresult
#define FAKE_FAIL(name) \
  if (const int failed = failing(name)) return static_cast<CUresult>(failed)
constexpr auto kInvalid = static_cast<CUresult>(1);

FAKE_API cuvidGetDecoderCaps(CUVIDDECODECAPS* caps) {
  FAKE_FAIL("cuvidGetDecoderCaps");
  stats().capsAsked++;
  caps->bIsSupported = control().codecSupported && caps->eChromaFormat != cudaVideoChromaFormat_422;
  caps->nNumNVDECs = 1;
  caps->nOutputFormatMask = 0xf;
  caps->nMaxWidth = static_cast<unsigned>(control().maxWidth);
  caps->nMaxHeight = static_cast<unsigned>(control().maxHeight);
  caps->nMaxMBCount = caps->nMaxWidth * caps->nMaxHeight / 256;
  caps->nMinWidth = static_cast<unsigned short>(control().minWidth);
  caps->nMinHeight = static_cast<unsigned short>(control().minHeight);
  return CUDA_SUCCESS;
}

FAKE_API cuvidCreateDecoder(CUvideodecoder* handle, CUVIDDECODECREATEINFO* info) {
  FAKE_FAIL("cuvidCreateDecoder");
  if (info->ulWidth > info->ulMaxWidth || info->ulHeight > info->ulMaxHeight) return kInvalid;
  auto* decoder = new Decoder;
  decoder->info = *info;
  decoder->surfaces.resize(info->ulNumDecodeSurfaces);
  stats().decoders++;
  stats().decodersMade++;
  *handle = decoder;
  return CUDA_SUCCESS;
}
FAKE_API cuvidDestroyDecoder(CUvideodecoder handle) {
  auto* decoder = static_cast<Decoder*>(handle);
  if (!decoder->mapped.empty() && !contextIsBroken()) {
    misuse("a decoder was destroyed with mapped surfaces");
  }
  stats().decoders--;
  delete decoder;
  FAKE_FAIL("cuvidDestroyDecoder");
  return CUDA_SUCCESS;
}
FAKE_API cuvidReconfigureDecoder(CUvideodecoder handle, CUVIDRECONFIGUREDECODERINFO* info) {
  FAKE_FAIL("cuvidReconfigureDecoder");
  auto* decoder = static_cast<Decoder*>(handle);
  if (!decoder->mapped.empty()) misuse("a decoder was reconfigured with mapped surfaces");
  if (info->ulWidth > decoder->info.ulMaxWidth || info->ulHeight > decoder->info.ulMaxHeight ||
      info->ulNumDecodeSurfaces > decoder->surfaces.size()) {
    return kInvalid;
  }
  decoder->info.ulWidth = info->ulWidth;
  decoder->info.ulHeight = info->ulHeight;
  decoder->info.ulTargetWidth = info->ulTargetWidth;
  decoder->info.ulTargetHeight = info->ulTargetHeight;
  stats().reconfigured++;
  return CUDA_SUCCESS;
}
FAKE_API cuvidDecodePicture(CUvideodecoder handle, CUVIDPICPARAMS* picture) {
  FAKE_FAIL("cuvidDecodePicture");
  auto* decoder = static_cast<Decoder*>(handle);
  const auto index = static_cast<size_t>(picture->CurrPicIdx);
  if (index >= decoder->surfaces.size()) return kInvalid;
  stats().pictures++;
  decoder->surfaces[index] = cloneFrame(reinterpret_cast<const AVFrame*>(picture->pBitstreamData));
  return CUDA_SUCCESS;
}
FAKE_API cuvidGetDecodeStatus(CUvideodecoder handle, int index, CUVIDGETDECODESTATUS* status) {
  FAKE_FAIL("cuvidGetDecodeStatus");
  const auto& surface = static_cast<Decoder*>(handle)->surfaces[static_cast<size_t>(index)];
  const bool broken = surface && surface->pts == control().breakTimestamp;
  status->decodeStatus = broken ? cuvidDecodeStatus_Error_Concealed : cuvidDecodeStatus_Success;
  return CUDA_SUCCESS;
}
FAKE_API cuvidMapVideoFrame64(CUvideodecoder handle, int index, unsigned long long* data,
                              unsigned* pitch, CUVIDPROCPARAMS* params) {
  FAKE_FAIL("cuvidMapVideoFrame");
  auto* decoder = static_cast<Decoder*>(handle);
  if (decoder->mapped.size() >= decoder->info.ulNumOutputSurfaces) {
    misuse("more surfaces mapped than ulNumOutputSurfaces");
    return kInvalid;
  }
  const size_t bytes = decoder->info.bitDepthMinus8 > 0 ? 2 : 1;
  *pitch = static_cast<unsigned>((decoder->info.ulTargetWidth * bytes + 511) / 512 * 512);
  const size_t rows = (decoder->info.ulTargetHeight + 1) & ~size_t{1};
  auto* memory = static_cast<uint8_t*>(deviceAllocate(*pitch * rows * 3));
  if (memory == nullptr) return static_cast<CUresult>(2);
  decoder->mapped[memory] = index;
  stats().mapped++;
  stats().maps++;
  *data = reinterpret_cast<unsigned long long>(memory);
  enqueue(params->output_stream, [=, p = *pitch] { writeSurface(*decoder, index, memory, p); });
  return CUDA_SUCCESS;
}
FAKE_API cuvidUnmapVideoFrame64(CUvideodecoder handle, unsigned long long data) {
  FAKE_FAIL("cuvidUnmapVideoFrame");
  auto* memory = reinterpret_cast<void*>(data);
  if (static_cast<Decoder*>(handle)->mapped.erase(memory) == 0) {
    misuse("a surface was unmapped that is not mapped");
    return kInvalid;
  }
  stats().mapped--;
  deviceRelease(memory);
  return CUDA_SUCCESS;
}

FAKE_API cuvidCreateVideoParser(CUvideoparser* handle, CUVIDPARSERPARAMS* params) {
  FAKE_FAIL("cuvidCreateVideoParser");
  auto* parser = new Parser;
  parser->params = *params;
  const AVCodec* codec = avcodec_find_decoder(codecId(params->CodecType));
  parser->context.reset(avcodec_alloc_context3(codec));
  parser->context->thread_count = 1;
  parser->context->apply_cropping = 0;
  parser->context->has_b_frames = 4;  // NVDEC's parser knows the reordering from the start
  if (avcodec_open2(parser->context.get(), codec, nullptr) < 0) return kInvalid;
  stats().parsers++;
  *handle = reinterpret_cast<CUvideoparser>(parser);
  return CUDA_SUCCESS;
}
FAKE_API cuvidDestroyVideoParser(CUvideoparser handle) {
  stats().parsers--;
  delete reinterpret_cast<Parser*>(handle);
  FAKE_FAIL("cuvidDestroyVideoParser");
  return CUDA_SUCCESS;
}
FAKE_API cuvidParseVideoData(CUvideoparser handle, CUVIDSOURCEDATAPACKET* data) {
  FAKE_FAIL("cuvidParseVideoData");
  Parser& parser = *reinterpret_cast<Parser*>(handle);
  if (parser.failed) misuse("parsing went on after a callback failed");
  if (control().seesNothing) return CUDA_SUCCESS;
  if (parser.params.CodecType == cudaVideoCodec_H264 && data->payload_size > 0) {
    const auto* begin = reinterpret_cast<const char*>(data->payload);
    parser.gray = parser.gray || isGrayH264(std::string(begin, data->payload_size));
  }
  if (data->payload_size > 0 && !(data->flags & CUVID_PKT_TIMESTAMP)) {
    parser.headers.assign(reinterpret_cast<const char*>(data->payload), data->payload_size);
    return CUDA_SUCCESS;
  }
  bool good = true;
  if (data->payload_size > 0) {
    // Like NVDEC's parser: a copy, since the caller's packet is only lent.
    const std::string bytes =
        parser.headers +
        std::string(reinterpret_cast<const char*>(data->payload), data->payload_size);
    parser.headers.clear();
    if (parser.params.CodecType == cudaVideoCodec_HEVC) {
      noteHidden(parser, bytes, data->timestamp);
    }
    cps::UniqueAVPacket packet(av_packet_alloc());
    av_new_packet(packet.get(), static_cast<int>(bytes.size()));
    std::memcpy(packet->data, bytes.data(), bytes.size());
    packet->pts = data->timestamp;
    avcodec_send_packet(parser.context.get(), packet.get());
    good = takePictures(parser);
  }
  if (good && (data->flags & CUVID_PKT_ENDOFSTREAM)) {
    avcodec_send_packet(parser.context.get(), nullptr);
    good = takePictures(parser);
    while (good && !parser.shown.empty()) good = displayOldest(parser);
    avcodec_flush_buffers(parser.context.get());
  }
  parser.failed = !good;
  return good ? CUDA_SUCCESS : kInvalid;
}
