#include "media/decode/color.h"

#include <cstdlib>
#include <string>

#include "ffmpeg/util.h"

extern "C" {
#include <libavutil/pixdesc.h>
}

namespace cps {
namespace {

bool isFullRangeFormat(AVPixelFormat format) {
  switch (format) {
    case AV_PIX_FMT_YUVJ420P:
    case AV_PIX_FMT_YUVJ422P:
    case AV_PIX_FMT_YUVJ444P:
    case AV_PIX_FMT_YUVJ440P:
    case AV_PIX_FMT_YUVJ411P:
      return true;
    default:
      return false;
  }
}

ColorMatrix taggedMatrix(int64_t space, Notes& notes) {
  switch (space) {
    case AVCOL_SPC_BT709:
      return ColorMatrix::Bt709;
    case AVCOL_SPC_FCC:
      return ColorMatrix::Fcc;
    case AVCOL_SPC_SMPTE240M:
      return ColorMatrix::Smpte240m;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
      return ColorMatrix::Bt2020;
    case AVCOL_SPC_UNSPECIFIED:
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
      return ColorMatrix::Bt601;
    default: {
      const char* name = space >= 0 && space < AVCOL_SPC_NB
                             ? av_color_space_name(static_cast<AVColorSpace>(space))
                             : nullptr;
      const std::string tag =
          name ? std::string("'").append(name).append("'") : std::to_string(space);
      notes.add("assumed-matrix", "The colour tags name the matrix " + tag +
                                      ", which FFmpeg's scaler does not have: BT.601 was taken, as "
                                      "FFmpeg does. Set colorMatrix to take another one.");
      return ColorMatrix::Bt601;
    }
  }
}

}  // namespace

ColorSpec colorSpecOf(const AVFrame& frame, ColorMatrixOption option, Notes& notes) {
  const auto format = static_cast<AVPixelFormat>(frame.format);
  const AVPixFmtDescriptor* descriptor = av_pix_fmt_desc_get(format);
  ColorSpec spec;
  if (descriptor && (descriptor->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL))) {
    spec.matrix = ColorMatrix::Rgb;
    spec.fullRange = true;
    return spec;
  }
  const bool gray = descriptor && descriptor->nb_components <= 2;
  const int64_t range = enumNumber(frame.color_range);
  const bool untagged = range != AVCOL_RANGE_JPEG && range != AVCOL_RANGE_MPEG;
  spec.fullRange = range == AVCOL_RANGE_JPEG || (untagged && (gray || isFullRangeFormat(format)));
  // Whatever its tag: the scaler takes 8-bit gray for a palette.
  if (format == AV_PIX_FMT_GRAY8) spec.fullRange = true;
  if (gray) return spec;
  switch (option) {
    case ColorMatrixOption::Auto:
      spec.matrix = taggedMatrix(enumNumber(frame.colorspace), notes);
      break;
    case ColorMatrixOption::Bt601:
      spec.matrix = ColorMatrix::Bt601;
      break;
    case ColorMatrixOption::Bt709:
      spec.matrix = ColorMatrix::Bt709;
      break;
    case ColorMatrixOption::Bt2020:
      spec.matrix = ColorMatrix::Bt2020;
      break;
  }
  return spec;
}

}  // namespace cps
