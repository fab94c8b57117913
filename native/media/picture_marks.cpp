#include "media/picture_marks.h"

#include <algorithm>
#include <cstring>

extern "C" {
#include <libavutil/pixdesc.h>
}

namespace cps {
namespace {

constexpr uint64_t kMark = 0x9d3bc1e57a204f68;
constexpr int kBlock = 16;     // rows from mark to mark
constexpr int kDistance = 64;  // samples from mark to mark in a row

int bytesPerSample(const AVFrame& frame) {
  const AVPixFmtDescriptor* d = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
  if (!d || (d->flags & AV_PIX_FMT_FLAG_HWACCEL) != 0) return 0;
  return d->comp[0].step;
}

// Calls fn(address) for every mark inside a picture whose data[0] lies (x0, y0) samples into the
// decoder's own. Stops when fn returns false.
template <typename Fn>
void forEachMark(const AVFrame& frame, int x0, int y0, int step, const Fn& fn) {
  const int room = static_cast<int>(sizeof(kMark)) / step;
  const int last = (x0 + frame.width - 1) / kBlock * kBlock;  // the last block of each row
  for (int row = (y0 + kBlock - 1) / kBlock; row * kBlock + (row & 1) < y0 + frame.height; ++row) {
    // Odd lines in odd rows: each field of an interlaced picture has marks in all its blocks' rows.
    const int y = row * kBlock + (row & 1) - y0;
    uint8_t* line = frame.data[0] + static_cast<ptrdiff_t>(y) * frame.linesize[0];
    for (int x = (x0 + kDistance - 1) / kDistance * kDistance; x < last; x += kDistance) {
      if (x - x0 + room <= frame.width && !fn(line + static_cast<ptrdiff_t>(x - x0) * step)) return;
    }
    if (last >= x0 && last - x0 + room <= frame.width &&
        !fn(line + static_cast<ptrdiff_t>(last - x0) * step)) {
      return;
    }
  }
}

}  // namespace

bool usesMarks(AVCodecID codec) {
  switch (codec) {
    case AV_CODEC_ID_H264:
    case AV_CODEC_ID_HEVC:
    case AV_CODEC_ID_MJPEG:
    case AV_CODEC_ID_MPEG1VIDEO:
    case AV_CODEC_ID_MPEG2VIDEO:
    case AV_CODEC_ID_FFV1:
    case AV_CODEC_ID_QTRLE:
    case AV_CODEC_ID_MSRLE:
    case AV_CODEC_ID_MSVIDEO1:
    case AV_CODEC_ID_CINEPAK:
    case AV_CODEC_ID_RPZA:
    case AV_CODEC_ID_SMC:
      return true;
    default:
      return false;
  }
}

void setMarks(AVFrame& frame) {
  const int step = bytesPerSample(frame);
  if (step == 0 || !frame.data[0]) return;
  forEachMark(frame, 0, 0, step, [](uint8_t* at) {
    std::memcpy(at, &kMark, sizeof(kMark));
    return true;
  });
}

bool hasMark(const AVFrame& frame) {
  const int step = bytesPerSample(frame);
  if (step == 0 || !frame.buf[0] || frame.linesize[0] <= 0) return false;
  // Cropping has moved data[0]; the blocks begin where the memory does.
  const ptrdiff_t moved = frame.data[0] - frame.buf[0]->data;
  if (moved < 0) return false;
  const auto x0 = static_cast<int>(moved % frame.linesize[0]) / step;
  const auto y0 = static_cast<int>(moved / frame.linesize[0]);
  bool found = false;
  forEachMark(frame, x0, y0, step, [&](const uint8_t* at) {
    uint64_t value = 0;
    std::memcpy(&value, at, sizeof(value));
    found = value == kMark;
    return !found;
  });
  return found;
}

}  // namespace cps
