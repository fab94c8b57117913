#include "media/damage/picture_marks.h"

#include <algorithm>
#include <cstring>

extern "C" {
#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
}

namespace cps {
namespace {

constexpr uint64_t kMark = 0x9d3bc1e57a204f68;
constexpr int kBlock = 16;     // rows from mark to mark
constexpr int kDistance = 64;  // samples from mark to mark in a row

// The first plane's rows, in bits: samples may be smaller than a byte.
struct Rows {
  int sampleBits = 0;  // 0: not memory that can be marked
  int64_t bytes = 0;   // of a row's samples
};

Rows rowsOf(const AVFrame& frame) {
  const auto format = static_cast<AVPixelFormat>(frame.format);
  const AVPixFmtDescriptor* d = av_pix_fmt_desc_get(format);
  if (!d || (d->flags & AV_PIX_FMT_FLAG_HWACCEL) != 0) return {};
  const int bytes = av_image_get_linesize(format, frame.width, 0);
  if (bytes < 0) return {};
  const int unit = (d->flags & AV_PIX_FMT_FLAG_BITSTREAM) != 0 ? 1 : 8;
  return {d->comp[0].step * unit, bytes};
}

// Calls fn(address) for every mark inside a picture whose data[0] lies (x0, y0) samples into the
// decoder's own. Stops when fn returns false.
template <typename Fn>
void forEachMark(const AVFrame& frame, int x0, int y0, const Rows& rows, const Fn& fn) {
  const int last = (x0 + frame.width - 1) / kBlock * kBlock;  // the last block of each row
  const auto offset = [&](int x) { return int64_t{x - x0} * rows.sampleBits / 8; };
  const auto fits = [&](int x) {
    return x >= x0 && offset(x) + static_cast<int64_t>(sizeof(kMark)) <= rows.bytes;
  };
  for (int row = (y0 + kBlock - 1) / kBlock; row * kBlock + (row & 1) < y0 + frame.height; ++row) {
    // Odd lines in odd rows: each field of an interlaced picture has marks in all its blocks' rows.
    const int y = row * kBlock + (row & 1) - y0;
    uint8_t* line = frame.data[0] + static_cast<ptrdiff_t>(y) * frame.linesize[0];
    for (int x = (x0 + kDistance - 1) / kDistance * kDistance; x < last; x += kDistance) {
      if (fits(x) && !fn(line + offset(x))) return;
    }
    if (fits(last) && !fn(line + offset(last))) return;
  }
}

}  // namespace

void setMarks(AVFrame& frame) {
  const Rows rows = rowsOf(frame);
  if (rows.sampleBits == 0 || !frame.data[0]) return;
  forEachMark(frame, 0, 0, rows, [](uint8_t* at) {
    std::memcpy(at, &kMark, sizeof(kMark));
    return true;
  });
}

bool hasMark(const AVFrame& frame) {
  const Rows rows = rowsOf(frame);
  if (rows.sampleBits == 0 || !frame.buf[0] || frame.linesize[0] <= 0) return false;
  // Cropping has moved data[0]; the blocks begin where the memory does.
  const ptrdiff_t moved = frame.data[0] - frame.buf[0]->data;
  if (moved < 0) return false;
  const auto x0 = static_cast<int>(moved % frame.linesize[0] * 8 / rows.sampleBits);
  const auto y0 = static_cast<int>(moved / frame.linesize[0]);
  bool found = false;
  forEachMark(frame, x0, y0, rows, [&](const uint8_t* at) {
    uint64_t value = 0;
    std::memcpy(&value, at, sizeof(value));
    found = value == kMark;
    return !found;
  });
  return found;
}

}  // namespace cps
