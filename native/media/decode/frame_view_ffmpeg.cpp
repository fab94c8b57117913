#include "media/decode/frame_view_ffmpeg.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/buffer.h"
#include "core/error.h"
#include "media/decode/color.h"
#include "media/decode/scaled_rgb.h"

extern "C" {
#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
}

namespace cps {
namespace {

constexpr int kMaxDepth = 16;

// Whether every sample of the first `count` components is a byte or a 16-bit little-endian word of
// its own that gives the sample by a right shift.
bool mapsDirectly(const AVPixFmtDescriptor& d, int count) {
  constexpr uint64_t kNever = AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BITSTREAM |
                              AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_FLOAT;
  if (d.flags & kNever) return false;
  const int depth = d.comp[0].depth;
  if (depth > kMaxDepth || depth < 8) return false;
  if (depth > 8 && (d.flags & AV_PIX_FMT_FLAG_BE)) return false;
  for (int i = 0; i < count; ++i) {
    const AVComponentDescriptor& c = d.comp[i];
    if (c.depth != depth) return false;
    if (depth == 8) {
      if (c.shift != 0) return false;
      continue;
    }
    if (c.offset % 2 != 0 || c.step % 2 != 0) return false;
    // The word may hold nothing above the sample.
    const bool highAligned = c.depth + c.shift == 16;
    if (!highAligned && c.shift != 0) return false;
    if (c.shift == 0 && depth < 16 && (d.flags & AV_PIX_FMT_FLAG_PLANAR) == 0 && c.step > 2 &&
        c.step != 2 * d.nb_components) {
      return false;
    }
  }
  return true;
}

int wantedComponents(const AVPixFmtDescriptor& d) { return d.nb_components >= 3 ? 3 : 1; }

float floatSample(uint32_t bits) {
  const float value = std::bit_cast<float>(bits);
  return std::isfinite(value) ? std::clamp(value, 0.0f, 1.0f) : 0.0f;
}

// Unpacked planes of a format that cannot be mapped: the first `wanted` components.
ViewedFrame unpack(const AVFrame& frame, const AVPixFmtDescriptor& d, int wanted,
                   const CancelToken* cancel) {
  const bool palette = (d.flags & AV_PIX_FMT_FLAG_PAL) != 0;
  const bool isFloat = (d.flags & AV_PIX_FMT_FLAG_FLOAT) != 0;
  const int count = palette ? 3 : wanted;
  int depth = 8;
  if (isFloat) depth = 16;
  for (int i = 0; i < count && !palette && !isFloat; ++i) depth = std::max(depth, d.comp[i].depth);
  depth = std::min(depth, kMaxDepth);
  ViewedFrame out;
  FrameView& view = out.view;
  view.planes = count;
  view.bitDepth = depth;
  const int bytes = depth > 8 ? 2 : 1;
  size_t offsets[3] = {};
  int64_t strides[3] = {};
  size_t total = 0;
  for (int i = 0; i < count; ++i) {
    const bool chroma = i > 0 && !(d.flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL));
    const int width = chroma ? AV_CEIL_RSHIFT(frame.width, d.log2_chroma_w) : frame.width;
    const int height = chroma ? AV_CEIL_RSHIFT(frame.height, d.log2_chroma_h) : frame.height;
    strides[i] = (int64_t{width} * bytes + 63) / 64 * 64;
    offsets[i] = total;
    total += static_cast<size_t>(strides[i]) * static_cast<size_t>(height);
  }
  auto buffer = std::make_shared<Buffer>(Buffer::allocate(hostMemory(), total));
  std::vector<uint32_t> line(static_cast<size_t>(frame.width));
  for (int i = 0; i < count; ++i) {
    const bool chroma = i > 0 && !(d.flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL));
    const int width = chroma ? AV_CEIL_RSHIFT(frame.width, d.log2_chroma_w) : frame.width;
    const int height = chroma ? AV_CEIL_RSHIFT(frame.height, d.log2_chroma_h) : frame.height;
    uint8_t* plane = buffer->as<uint8_t>() + offsets[i];
    const int stored = palette ? 8 : d.comp[i].depth;
    for (int y = 0; y < height; ++y) {
      if (cancel && y % 16 == 0) cancel->check(Stage::Decode);
      av_read_image_line2(line.data(), const_cast<const uint8_t**>(frame.data), frame.linesize, &d,
                          0, y, palette ? 0 : i, width, 0, 4);
      for (int x = 0; x < width; ++x) {
        uint32_t v = line[static_cast<size_t>(x)];
        if (palette) {  // entries are 0xAARRGGBB in the machine's byte order
          uint32_t entry = 0;
          std::memcpy(&entry, frame.data[1] + 4 * (v & 0xff), sizeof(entry));
          v = entry >> (16 - 8 * i) & 0xff;
        } else if (isFloat) {
          v = static_cast<uint32_t>(std::lround(floatSample(v) * 65535.0f));
        } else if (stored < depth) {  // 5-6-5 and the like: stretch to the full range
          const uint32_t from = (1u << stored) - 1, to = (1u << depth) - 1;
          v = (v * to + from / 2) / from;
        } else if (stored > depth) {
          v >>= stored - depth;
        }
        uint8_t* p = plane + y * strides[i] + int64_t{x} * bytes;
        p[0] = static_cast<uint8_t>(v);
        if (bytes == 2) p[1] = static_cast<uint8_t>(v >> 8);
      }
    }
    view.plane[i] = {plane, strides[i], bytes, 0};
  }
  out.owner = std::shared_ptr<const void>(buffer, buffer->data());
  return out;
}

ViewedFrame map(const AVFrame& frame, const AVPixFmtDescriptor& d, int wanted) {
  AVFrame* reference = checkAlloc(av_frame_clone(&frame), Stage::Decode);
  ViewedFrame out;
  out.owner = SharedAVFrame(reference, FrameDeleter());
  FrameView& view = out.view;
  view.planes = wanted;
  view.bitDepth = d.comp[0].depth;
  for (int i = 0; i < view.planes; ++i) {
    const AVComponentDescriptor& c = d.comp[i];
    view.plane[i] = {reference->data[c.plane] + c.offset, reference->linesize[c.plane], c.step,
                     c.shift};
  }
  return out;
}

// The first one or three components as they were decoded.
ViewedFrame componentsOf(const AVFrame& frame, const AVPixFmtDescriptor& d, int wanted,
                         const CancelToken* cancel) {
  ViewedFrame out =
      mapsDirectly(d, wanted) ? map(frame, d, wanted) : unpack(frame, d, wanted, cancel);
  FrameView& view = out.view;
  view.width = frame.width;
  view.height = frame.height;
  constexpr uint64_t kWhole = AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL;
  const bool subsampled = view.planes == 3 && !(d.flags & kWhole);
  view.log2ChromaW = subsampled ? d.log2_chroma_w : 0;
  view.log2ChromaH = subsampled ? d.log2_chroma_h : 0;
  return out;
}

bool hasLuma(const AVPixFmtDescriptor& d, AVPixelFormat format) {
  constexpr uint64_t kNone = AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BAYER;
  const bool xyz = format == AV_PIX_FMT_XYZ12LE || format == AV_PIX_FMT_XYZ12BE;
  return !xyz && !(d.flags & kNone) && d.comp[0].depth >= 8;
}

// As RGB, with the luma beside it: two owners, for luma is let go first.
ViewedFrame convertedBy(const AVFrame& frame, const AVPixFmtDescriptor& d, const ColorSpec& color,
                        const std::string& where, const CancelToken* cancel) {
  ScaledRgb rgb = scaledRgb(frame, color.matrix, where, cancel);
  ViewedFrame out;
  out.view = rgb.view;
  auto memory = std::make_shared<Buffer>(std::move(rgb.memory));
  out.owner = std::shared_ptr<const void>(memory, memory->data());
  if (hasLuma(d, static_cast<AVPixelFormat>(frame.format))) {
    ViewedFrame luma = componentsOf(frame, d, 1, cancel);
    luma.view.color = color;
    out.luma = LumaView{std::move(luma.owner), luma.view};
  }
  return out;
}

}  // namespace

ViewedFrame viewOf(const AVFrame& frame, const Orientation& orientation, ColorMatrixOption matrix,
                   Notes& notes, const std::string& where, const CancelToken* cancel) {
  const auto format = static_cast<AVPixelFormat>(frame.format);
  const AVPixFmtDescriptor* d = av_pix_fmt_desc_get(format);
  const ColorSpec color = colorSpecOf(frame, matrix, notes);
  const bool converts = scalerConverts(format, frame.width, frame.height);
  constexpr uint64_t kNoPixels = AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_BAYER;
  if (!d || (!converts && (d->flags & kNoPixels) != 0)) {
    throw Error(ErrorCode::Unsupported, Stage::Decode,
                where + ": pixel format '" + (d ? d->name : "unknown") + "' is not supported.");
  }
  ViewedFrame out;
  if (converts) {
    out = convertedBy(frame, *d, color, where, cancel);
  } else {
    out = componentsOf(frame, *d, wantedComponents(*d), cancel);
    out.view.color = color;
  }
  out.view.orientation = orientation;
  if (out.luma) out.luma->view.orientation = orientation;
  return out;
}

int64_t pictureBytes(int format, int64_t width, int64_t height) {
  const AVPixFmtDescriptor* d =
      format >= 0 ? av_pix_fmt_desc_get(static_cast<AVPixelFormat>(format)) : nullptr;
  const int64_t bits = d ? av_get_padded_bits_per_pixel(d) : 12;
  return width * height * bits / 8;
}

int64_t keptPictureBytes(int format, int32_t width, int32_t height) {
  const bool rgb = format >= 0 && scalerConverts(static_cast<AVPixelFormat>(format), width, height);
  return rgb ? int64_t{3} * width * height : pictureBytes(format, width, height);
}

}  // namespace cps
