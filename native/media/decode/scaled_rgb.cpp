#include "media/decode/scaled_rgb.h"

#include <algorithm>
#include <memory>
#include <string>

#include "ffmpeg/util.h"

extern "C" {
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

namespace cps {
namespace {

struct ScalerDeleter {
  void operator()(SwsContext* p) const noexcept { sws_freeContext(p); }
};
using UniqueScaler = std::unique_ptr<SwsContext, ScalerDeleter>;

// Rows are written in steps of several pixels.
constexpr int64_t kRowPixels = 64;
// A picture is converted in bands of so many pixels at most (about a millisecond), so that
// cancellation is heard between them.
constexpr int kBandPixels = 1 << 16;
constexpr int kBandRows = 16;  // and of so many rows at least: whole rows of every chroma

// What is taken from the samples around a pixel of another colour ends at the edges of a band.
bool inBands(const AVPixFmtDescriptor& d) { return (d.flags & AV_PIX_FMT_FLAG_BAYER) == 0; }

// What ops can do of an YCbCr format, see there; `d` has whole samples of 8 to 14 bits.
bool opsConvertYuv(const AVPixFmtDescriptor& d, int width, int height) {
  if (d.log2_chroma_w == 0 && d.log2_chroma_h == 0) return true;
  if (d.log2_chroma_w != 1 || d.log2_chroma_h > 1) return false;
  if (d.comp[0].depth > 8) return width % 2 == 0 && (d.log2_chroma_h == 0 || height % 2 == 0);
  // The scaler has a converter of its own for these, but not for the last row of an odd number.
  const bool planar = (d.flags & AV_PIX_FMT_FLAG_PLANAR) != 0 && d.comp[1].plane != d.comp[2].plane;
  const bool alpha = (d.flags & AV_PIX_FMT_FLAG_ALPHA) != 0;
  return planar && (!alpha || d.log2_chroma_h == 1) && height % 2 == 0;
}

bool opsConvert(const AVPixFmtDescriptor& d, int width, int height) {
  constexpr uint64_t kOther =
      AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_FLOAT | AV_PIX_FMT_FLAG_BAYER;
  if ((d.flags & AV_PIX_FMT_FLAG_PAL) != 0) return true;
  if ((d.flags & kOther) != 0) return false;
  int least = d.comp[0].depth, most = least;
  for (int i = 1; i < d.nb_components && i < 3; ++i) {
    least = std::min(least, d.comp[i].depth);
    most = std::max(most, d.comp[i].depth);
  }
  if ((d.flags & AV_PIX_FMT_FLAG_RGB) != 0) return least == 8 && most == 8;
  if (least < 8 || most > 14) return false;
  return d.nb_components < 3 || opsConvertYuv(d, width, height);
}

// Deep RGB goes through YCbCr in the scaler, by the picture's tag if it names a matrix.
int taggedTable(const AVFrame& frame) {
  const int64_t space = enumNumber(frame.colorspace);
  const bool named =
      space >= AVCOL_SPC_BT709 && space <= AVCOL_SPC_BT2020_CL && space != AVCOL_SPC_YCGCO;
  return named ? static_cast<int>(space) : SWS_CS_ITU601;
}

int tableOf(const AVFrame& frame, ColorMatrix matrix) {
  switch (matrix) {
    case ColorMatrix::Rgb:
      return taggedTable(frame);
    case ColorMatrix::Bt709:
      return SWS_CS_ITU709;
    case ColorMatrix::Bt2020:
      return SWS_CS_BT2020;
    case ColorMatrix::Smpte240m:
      return SWS_CS_SMPTE240M;
    case ColorMatrix::Fcc:
      return SWS_CS_FCC;
    default:
      return SWS_CS_ITU601;
  }
}

int check(int status, const std::string& where) {
  if (status >= 0) return status;
  if (status == AVERROR(ENOMEM)) checkAlloc<void>(nullptr, Stage::Decode);
  throw Error(ErrorCode::Unsupported, Stage::Decode,
              where + ": FFmpeg's scaler cannot convert it (" + avErrorText(status) + ").");
}

UniqueScaler makeScaler(const AVFrame& frame, ColorMatrix matrix, const std::string& where) {
  UniqueScaler sws(checkAlloc(sws_alloc_context(), Stage::Decode));
  const auto set = [&](const char* option, int64_t value) {
    check(av_opt_set_int(sws.get(), option, value, 0), where);
  };
  set("srcw", frame.width);
  set("srch", frame.height);
  set("dstw", frame.width);
  set("dsth", frame.height);
  set("src_format", frame.format);
  set("dst_format", AV_PIX_FMT_RGB24);
  set("sws_flags", SWS_BILINEAR);
  set("threads", 1);
  const int64_t range = enumNumber(frame.color_range);
  const bool tagged = range == AVCOL_RANGE_JPEG || range == AVCOL_RANGE_MPEG;
  if (tagged) set("src_range", range == AVCOL_RANGE_JPEG ? 1 : 0);
  check(sws_init_context(sws.get(), nullptr, nullptr), where);
  int *inverse = nullptr, *table = nullptr;
  int full = 0, outFull = 0, brightness = 0, contrast = 0, saturation = 0;
  sws_getColorspaceDetails(sws.get(), &inverse, &full, &table, &outFull, &brightness, &contrast,
                           &saturation);
  if (tagged) full = range == AVCOL_RANGE_JPEG ? 1 : 0;
  const int* coefficients = sws_getCoefficients(tableOf(frame, matrix));
  sws_setColorspaceDetails(sws.get(), coefficients, full, coefficients, outFull, brightness,
                           contrast, saturation);
  return sws;
}

}  // namespace

bool scalerConverts(AVPixelFormat format, int width, int height) {
  const AVPixFmtDescriptor* d = av_pix_fmt_desc_get(format);
  if (!d || (d->flags & AV_PIX_FMT_FLAG_HWACCEL) != 0) return false;
  const bool xyz = format == AV_PIX_FMT_XYZ12LE || format == AV_PIX_FMT_XYZ12BE;
  return (xyz || !opsConvert(*d, width, height)) && sws_isSupportedInput(format) > 0;
}

ScaledRgb scaledRgb(const AVFrame& frame, ColorMatrix matrix, const std::string& where,
                    const CancelToken* cancel) {
  const UniqueScaler sws = makeScaler(frame, matrix, where);
  const AVPixFmtDescriptor& d = *av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
  const int64_t stride = (frame.width + kRowPixels - 1) / kRowPixels * kRowPixels * 3;
  ScaledRgb out;
  out.memory = Buffer::allocate(hostMemory(), static_cast<size_t>(stride * (frame.height + 1)));
  uint8_t* data = out.memory.as<uint8_t>();
  uint8_t* const planes[4] = {data};
  const int strides[4] = {static_cast<int>(stride)};
  const int band =
      inBands(d) ? std::max(1, kBandPixels / kBandRows / frame.width) * kBandRows : frame.height;
  int rows = 0;
  for (int y = 0; y < frame.height; y += band) {
    if (cancel) cancel->check(Stage::Decode);
    const uint8_t* from[4] = {};
    for (int p = 0; p < 4 && frame.data[p]; ++p) {
      const int row = p == 1 || p == 2 ? y >> d.log2_chroma_h : y;
      from[p] = frame.data[p] + static_cast<ptrdiff_t>(row) * frame.linesize[p];
    }
    const int count = std::min(band, frame.height - y);
    rows += check(sws_scale(sws.get(), from, frame.linesize, y, count, planes, strides), where);
  }
  if (rows != frame.height) check(AVERROR_UNKNOWN, where);
  out.view.width = frame.width;
  out.view.height = frame.height;
  out.view.color = {ColorMatrix::Rgb, true};
  for (int i = 0; i < 3; ++i) out.view.plane[i] = {data + i, stride, 3, 0};
  return out;
}

}  // namespace cps
