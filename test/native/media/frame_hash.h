// What the references of the tests make of a decoded picture; independent of native/ but for which
// pictures become RGB where they are decoded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

extern "C" {
#include <libavutil/frame.h>
#include <libavutil/intreadwrite.h>
#include <libavutil/pixdesc.h>
}

#include "media/decode/scaled_rgb.h"
#include "media/scaler_reference.h"

namespace frame_hash {

// FNV-1a over whole samples.
class Hash {
 public:
  void add(uint32_t v) { value_ = (value_ ^ v) * 1099511628211ull; }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 14695981039346656037ull;
};

// RGB of a picture that the package has converted (Note [Pictures of the scaler]).
inline uint64_t hashOfRgb(const AVFrame& frame) {
  const std::vector<uint8_t> rgb = scaler_reference::rgbOf(frame);
  Hash hash;
  for (size_t c = 0; c < 3; ++c) {
    for (size_t i = c; i < rgb.size(); i += 3) hash.add(rgb[i]);
  }
  return hash.value();
}

// The samples of the first one or three components (alpha left out), as FFmpeg's own accessor gives
// them, row by row.
inline uint64_t hashOfFrame(const AVFrame& frame) {
  const auto format = static_cast<AVPixelFormat>(frame.format);
  if (cps::scalerConverts(format, frame.width, frame.height)) return hashOfRgb(frame);
  const AVPixFmtDescriptor* d = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
  const bool palette = (d->flags & AV_PIX_FMT_FLAG_PAL) != 0;
  const bool rgb = palette || (d->flags & AV_PIX_FMT_FLAG_RGB) != 0;
  const int count = palette || d->nb_components >= 3 ? 3 : 1;
  std::vector<uint16_t> line(static_cast<size_t>(frame.width));
  Hash hash;
  for (int c = 0; c < count; ++c) {
    const bool chroma = c > 0 && !rgb;
    const int width = chroma ? AV_CEIL_RSHIFT(frame.width, d->log2_chroma_w) : frame.width;
    const int height = chroma ? AV_CEIL_RSHIFT(frame.height, d->log2_chroma_h) : frame.height;
    for (int y = 0; y < height; ++y) {
      av_read_image_line(line.data(), const_cast<const uint8_t**>(frame.data), frame.linesize, d, 0,
                         y, palette ? 0 : c, width, 0);
      for (int x = 0; x < width; ++x) {
        const size_t value = line[static_cast<size_t>(x)];
        // An entry is a 32-bit word 0xAARRGGBB: red first, as for every other picture.
        hash.add(palette ? AV_RN32(frame.data[1] + 4 * value) >> (16 - 8 * c) & 0xff
                         : static_cast<uint32_t>(value));
      }
    }
  }
  return hash.value();
}

}  // namespace frame_hash
