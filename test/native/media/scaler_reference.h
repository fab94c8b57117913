// What FFmpeg's scaler makes of a picture, driven as libavfilter's scale filter drives it for
// `-vf scale=flags=bilinear -pix_fmt rgb24`.
#pragma once

extern "C" {
#include <libavutil/frame.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <vector>

namespace scaler_reference {

// Packed RGB24, or nothing where the scaler refuses the format.
inline std::vector<uint8_t> rgbOf(const AVFrame& frame) {
  const std::unique_ptr<SwsContext, void (*)(SwsContext*)> sws(sws_alloc_context(),
                                                               sws_freeContext);
  const auto set = [&](const char* option, int64_t value) {
    if (av_opt_set_int(sws.get(), option, value, 0) < 0) throw std::runtime_error(option);
  };
  set("srcw", frame.width);
  set("srch", frame.height);
  set("dstw", frame.width);
  set("dsth", frame.height);
  set("src_format", frame.format);
  set("dst_format", AV_PIX_FMT_RGB24);
  set("sws_flags", SWS_BILINEAR);
  if (frame.color_range != AVCOL_RANGE_UNSPECIFIED) {
    set("src_range", frame.color_range == AVCOL_RANGE_JPEG);
  }
  if (frame.format == AV_PIX_FMT_YUV420P) set("src_v_chr_pos", 128);
  if (sws_init_context(sws.get(), nullptr, nullptr) < 0) return {};
  int *inverse = nullptr, *table = nullptr;
  int full = 0, outFull = 0, brightness = 0, contrast = 0, saturation = 0;
  sws_getColorspaceDetails(sws.get(), &inverse, &full, &table, &outFull, &brightness, &contrast,
                           &saturation);
  int space = frame.colorspace;
  if (space < 1 || space > 10 || space == 8) space = AVCOL_SPC_BT470BG;
  const int* coefficients = sws_getCoefficients(space);
  if (frame.color_range != AVCOL_RANGE_UNSPECIFIED) full = frame.color_range == AVCOL_RANGE_JPEG;
  sws_setColorspaceDetails(sws.get(), coefficients, full, coefficients, outFull, brightness,
                           contrast, saturation);
  const int stride = (frame.width + 63) / 64 * 64 * 3;
  std::vector<uint8_t> padded(static_cast<size_t>(stride) * static_cast<size_t>(frame.height) + 64);
  uint8_t* out[4] = {padded.data()};
  const int strides[4] = {stride};
  if (sws_scale(sws.get(), frame.data, frame.linesize, 0, frame.height, out, strides) !=
      frame.height) {
    return {};
  }
  std::vector<uint8_t> rgb;
  for (int y = 0; y < frame.height; ++y) {
    const auto row = padded.begin() + y * stride;
    rgb.insert(rgb.end(), row, row + frame.width * 3);
  }
  return rgb;
}

}  // namespace scaler_reference
