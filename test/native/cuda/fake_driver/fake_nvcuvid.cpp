// The libnvcuvid half of the fake driver (Note [Fake driver]): libavcodec decodes, a parser says
// which packet each surface is of, and surfaces are filled by work on the stream that maps them.

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "cuda/driver/driver_api.h"
#include "cuda/fake_driver/fake_driver.h"
#include "cuda/fake_driver/parsers.h"

extern "C" {
#include <libavutil/pixdesc.h>
}

namespace fake {

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

namespace {

struct Surface : Origin {
  int asked = 0;  // how often its status was, while it was not known
  int turn = 0;   // counts what the decoder was given
};

struct Decoder {
  CUVIDDECODECREATEINFO info{};
  std::vector<Surface> surfaces;
  std::map<void*, int> mapped;
  int turns = 0;
  std::mutex mutex;  // of surfaces: enqueued work reads them on any thread
};

// Rows of one plane in the surface's layout: samples at the top of 16 bits, chroma interleaved.
// Where the surface is larger (padded to whole blocks) the last ones are repeated.
void writePlane(const AVFrame& frame, int plane, int component, int count, uint8_t* out,
                size_t pitch, int width, int height) {
  const AVPixFmtDescriptor* d = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
  const int depth = d->comp[0].depth, bytes = depth > 8 ? 2 : 1;
  const int cols = plane ? AV_CEIL_RSHIFT(frame.width, d->log2_chroma_w) : frame.width;
  const int rows = plane ? AV_CEIL_RSHIFT(frame.height, d->log2_chroma_h) : frame.height;
  for (int y = 0; y < height; y++) {
    const uint8_t* row = frame.data[plane] + std::min(y, rows - 1) * frame.linesize[plane];
    for (int x = 0; x < width; x++) {
      const uint8_t* from = row + std::min(x, cols - 1) * bytes;
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

void writeSurface(Decoder& decoder, int index, uint8_t* out, size_t pitch) {
  const std::lock_guard lock(decoder.mutex);
  const Origin& surface = decoder.surfaces[static_cast<size_t>(index)];
  const AVFrame* frame = surface.bank ? surface.bank->picture(surface.packet) : nullptr;
  if (frame == nullptr) return misuse("a surface that was never decoded was mapped");
  const int width = static_cast<int>(decoder.info.ulTargetWidth);
  const int height = static_cast<int>(decoder.info.ulTargetHeight);
  const size_t rows = static_cast<size_t>(height + 1) & ~size_t{1};
  const int mostPadding = control().nvcuvid.empty() ? 1 : 63;
  if (width < frame->width || width > frame->width + mostPadding || height < frame->height ||
      height > frame->height + mostPadding) {
    return misuse("a decoder of " + std::to_string(width) + "x" + std::to_string(height) +
                  " got a picture of " + std::to_string(frame->width) + "x" +
                  std::to_string(frame->height));
  }
  // The picture is there, and so is everything that was decoded before it.
  const int turn = decoder.surfaces[static_cast<size_t>(index)].turn;
  for (Surface& known : decoder.surfaces) {
    if (known.turn <= turn) known.asked = INT32_MAX;
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

thread_local Origin origin;  // of the picture that a parser calls back for

}  // namespace

WithOrigin::WithOrigin(Origin now) : before_(std::exchange(origin, std::move(now))) {}
WithOrigin::~WithOrigin() { origin = std::move(before_); }

}  // namespace fake

using namespace fake;

#define FAKE_API extern "C" __attribute__((visibility("default"))) CUresult
#define FAKE_FAIL(name) \
  if (const int failed = failing(name)) return static_cast<CUresult>(failed)
constexpr auto kInvalid = static_cast<CUresult>(1);

FAKE_API cuvidGetDecoderCaps(CUVIDDECODECAPS* caps) {
  FAKE_FAIL("cuvidGetDecoderCaps");
  count(stats().capsAsked);
  caps->bIsSupported = control().codecSupported && caps->eChromaFormat != cudaVideoChromaFormat_422;
  caps->nNumNVDECs = static_cast<unsigned char>(control().engines);
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
  if (stats().decoders >= control().mostDecoders) return static_cast<CUresult>(2);
  if (info->ulTargetWidth % 2 != 0 || info->ulTargetHeight % 2 != 0) misuse("an odd target size");
  if (info->ulTargetWidth != info->ulWidth || info->ulTargetHeight != info->ulHeight) {
    misuse("a decoder that scales");
  }
  stats().surfacePixels =
      static_cast<long>(info->ulMaxWidth * info->ulMaxHeight * info->ulNumDecodeSurfaces);
  auto* decoder = new Decoder;
  decoder->info = *info;
  decoder->surfaces.resize(info->ulNumDecodeSurfaces);
  count(stats().decoders);
  count(stats().decodersMade);
  *handle = decoder;
  return CUDA_SUCCESS;
}
FAKE_API cuvidDestroyDecoder(CUvideodecoder handle) {
  auto* decoder = static_cast<Decoder*>(handle);
  if (!decoder->mapped.empty() && !contextIsBroken()) {
    misuse("a decoder was destroyed with mapped surfaces");
  }
  count(stats().decoders, -1);
  delete decoder;
  FAKE_FAIL("cuvidDestroyDecoder");
  return CUDA_SUCCESS;
}
FAKE_API cuvidReconfigureDecoder(CUvideodecoder handle, CUVIDRECONFIGUREDECODERINFO* info) {
  FAKE_FAIL("cuvidReconfigureDecoder");
  auto* decoder = static_cast<Decoder*>(handle);
  if (!decoder->mapped.empty()) misuse("a decoder was reconfigured with mapped surfaces");
  if (info->ulTargetWidth % 2 != 0 || info->ulTargetHeight % 2 != 0) misuse("an odd target size");
  if (info->ulWidth > decoder->info.ulMaxWidth || info->ulHeight > decoder->info.ulMaxHeight ||
      info->ulNumDecodeSurfaces > decoder->surfaces.size()) {
    return kInvalid;
  }
  decoder->info.ulWidth = info->ulWidth;
  decoder->info.ulHeight = info->ulHeight;
  decoder->info.ulTargetWidth = info->ulTargetWidth;
  decoder->info.ulTargetHeight = info->ulTargetHeight;
  count(stats().reconfigured);
  return CUDA_SUCCESS;
}
FAKE_API cuvidDecodePicture(CUvideodecoder handle, CUVIDPICPARAMS* picture) {
  FAKE_FAIL("cuvidDecodePicture");
  auto* decoder = static_cast<Decoder*>(handle);
  const auto index = static_cast<size_t>(picture->CurrPicIdx);
  if (index >= decoder->surfaces.size()) return kInvalid;
  count(stats().pictures);
  const std::lock_guard lock(decoder->mutex);
  // Both fields of a picture are of the first one's packet.
  if (picture->second_field == 0) decoder->surfaces[index] = {origin, 0, decoder->turns++};
  return CUDA_SUCCESS;
}
FAKE_API cuvidGetDecodeStatus(CUvideodecoder handle, int index, CUVIDGETDECODESTATUS* status) {
  FAKE_FAIL("cuvidGetDecodeStatus");
  auto* decoder = static_cast<Decoder*>(handle);
  const std::lock_guard lock(decoder->mutex);
  auto& surface = decoder->surfaces[static_cast<size_t>(index)];
  if (surface.asked < control().statusAfter) {
    surface.asked++;
    status->decodeStatus = cuvidDecodeStatus_InProgress;
    return CUDA_SUCCESS;
  }
  const bool broken = surface.bank && (surface.packet == control().breakPacket ||
                                       surface.bank->isDamaged(surface.packet));
  status->decodeStatus = broken ? cuvidDecodeStatus_Error_Concealed : cuvidDecodeStatus_Success;
  return CUDA_SUCCESS;
}
FAKE_API cuvidMapVideoFrame64(CUvideodecoder handle, int index, unsigned long long* data,
                              unsigned* pitch, CUVIDPROCPARAMS* params) {
  FAKE_FAIL("cuvidMapVideoFrame");
  auto* decoder = static_cast<Decoder*>(handle);
  // A packet of AV1 may show what another one decoded.
  const bool shows = decoder->info.CodecType == cudaVideoCodec_AV1 && origin.bank;
  if (shows) {
    const std::lock_guard lock(decoder->mutex);
    decoder->surfaces[static_cast<size_t>(index)] = {origin, INT32_MAX, 0};
  }
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
  count(stats().mapped);
  count(stats().maps);
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
  count(stats().mapped, -1);
  deviceRelease(memory);
  return CUDA_SUCCESS;
}

FAKE_API cuvidCreateVideoParser(CUvideoparser* handle, CUVIDPARSERPARAMS* params) {
  FAKE_FAIL("cuvidCreateVideoParser");
  const std::string& real = control().nvcuvid;
  auto parser = real.empty() ? makeFakeParser(*params) : makeRealParser(*params, real);
  if (!parser) return kInvalid;
  count(stats().parsers);
  *handle = reinterpret_cast<CUvideoparser>(parser.release());
  return CUDA_SUCCESS;
}
FAKE_API cuvidDestroyVideoParser(CUvideoparser handle) {
  count(stats().parsers, -1);
  delete reinterpret_cast<Parser*>(handle);
  FAKE_FAIL("cuvidDestroyVideoParser");
  return CUDA_SUCCESS;
}
FAKE_API cuvidParseVideoData(CUvideoparser handle, CUVIDSOURCEDATAPACKET* data) {
  FAKE_FAIL("cuvidParseVideoData");
  return reinterpret_cast<Parser*>(handle)->parse(*data);
}
