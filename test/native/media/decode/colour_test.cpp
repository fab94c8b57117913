// Colour of whatever a decoder can give, against FFmpeg's scaler as its `scale` filter drives it
// (`-vf scale=flags=bilinear -pix_fmt rgb24`): every pixel format there is, odd sizes, every range.

extern "C" {
#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
}

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "backend/cpu_kernels.h"
#include "core/error.h"
#include "media/decode/frame_view_ffmpeg.h"
#include "media/scaler_reference.h"

namespace cps {
namespace {

struct Tags {
  AVColorRange range = AVCOL_RANGE_UNSPECIFIED;
  AVColorSpace matrix = AVCOL_SPC_UNSPECIFIED;
};

// Random samples of the depth the format says; `calm`: with moderate chroma.
UniqueAVFrame randomPicture(AVPixelFormat format, int width, int height, Tags tags, uint32_t seed) {
  const AVPixFmtDescriptor* d = av_pix_fmt_desc_get(format);
  UniqueAVFrame frame = makeFrame(Stage::Decode);
  frame->format = format;
  frame->width = width;
  frame->height = height;
  frame->color_range = tags.range;
  frame->colorspace = tags.matrix;
  if (av_frame_get_buffer(frame.get(), 0) < 0) return nullptr;
  std::mt19937 random(seed);
  for (int p = 0; p < 4 && frame->data[p] != nullptr; ++p) {
    const bool palette = p == 1 && (d->flags & AV_PIX_FMT_FLAG_PAL) != 0;
    const int rows = palette            ? 1
                     : p == 1 || p == 2 ? AV_CEIL_RSHIFT(height, d->log2_chroma_h)
                                        : height;
    const int bytes = palette ? AVPALETTE_SIZE : frame->linesize[p];
    for (int y = 0; y < rows; ++y) {
      for (int x = 0; x < bytes; ++x) {
        frame->data[p][y * frame->linesize[p] + x] = static_cast<uint8_t>(random());
      }
    }
  }
  if ((d->flags & (AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BAYER)) != 0) return frame;
  std::vector<uint32_t> line(static_cast<size_t>(width));
  for (int c = 0; c < d->nb_components; ++c) {
    const bool chroma =
        (c == 1 || c == 2) && (d->flags & AV_PIX_FMT_FLAG_RGB) == 0 && d->nb_components >= 3;
    const int w = chroma ? AV_CEIL_RSHIFT(width, d->log2_chroma_w) : width;
    const int h = chroma ? AV_CEIL_RSHIFT(height, d->log2_chroma_h) : height;
    const int depth = d->comp[c].depth;
    for (int y = 0; y < h; ++y) {
      for (int x = 0; x < w; ++x) {
        uint32_t v = random();
        if ((d->flags & AV_PIX_FMT_FLAG_FLOAT) != 0) {
          const float f = static_cast<float>(v % 100001) / 100000.0f;
          std::memcpy(&v, &f, 4);
          if ((d->flags & AV_PIX_FMT_FLAG_BE) != 0) v = __builtin_bswap32(v);
          std::memcpy(frame->data[d->comp[c].plane] + y * frame->linesize[d->comp[c].plane] +
                          x * d->comp[c].step + d->comp[c].offset,
                      &v, 4);
          continue;
        }
        v &= depth == 32 ? ~0u : (1u << depth) - 1;
        // The scaler's tables of subsampled chroma end.
        if (chroma && d->log2_chroma_w > 0) v = (v >> 2) + (3u << depth >> 3);
        line[static_cast<size_t>(x)] = v;
      }
      if ((d->flags & AV_PIX_FMT_FLAG_FLOAT) != 0) continue;
      // Samples share words: what is written is or-ed into it.
      for (int x = 0; x < w && (d->flags & AV_PIX_FMT_FLAG_BITSTREAM) == 0; ++x) {
        const AVComponentDescriptor& k = d->comp[c];
        uint8_t* at = frame->data[k.plane] + y * frame->linesize[k.plane] + x * k.step + k.offset;
        if (c == 0 || k.plane != d->comp[0].plane || d->comp[0].step != k.step || k.shift == 0) {
          const int n = std::max(1, (k.depth + k.shift + 7) / 8);
          if (c == 0 || k.plane != d->comp[c - 1].plane) std::memset(at, 0, static_cast<size_t>(n));
        }
      }
      av_write_image_line2(line.data(), frame->data, frame->linesize, d, 0, y, c, w, 4);
    }
  }
  return frame;
}

struct Difference {
  int worst = 0;
  size_t at = 0;
};

Difference difference(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b) {
  Difference out;
  for (size_t i = 0; i < a.size(); ++i) {
    const int d = std::abs(int{a[i]} - int{b[i]});
    if (d > out.worst) out = {d, i};
  }
  return out;
}

constexpr std::pair<int, int> kSizes[] = {{96, 64}, {98, 34}, {97, 34}, {98, 35}, {97, 35},
                                          {1, 1},   {2, 1},   {1, 2},   {3, 5},   {6, 7},
                                          {7, 6},   {66, 2},  {2, 66},  {161, 91}};

bool scalerTakes(AVPixelFormat format) {
  const AVPixFmtDescriptor* d = av_pix_fmt_desc_get(format);
  return (d->flags & AV_PIX_FMT_FLAG_HWACCEL) == 0 && sws_isSupportedInput(format) > 0;
}

void expectAsTheScaler(AVPixelFormat format, int width, int height, Tags tags, uint32_t seed) {
  const char* name = av_get_pix_fmt_name(format);
  const UniqueAVFrame frame = randomPicture(format, width, height, tags, seed);
  ASSERT_TRUE(frame) << name;
  const std::vector<uint8_t> expected = scaler_reference::rgbOf(*frame);
  std::vector<uint8_t> got(static_cast<size_t>(width) * static_cast<size_t>(height) * 3);
  const auto what = std::string(name) + " " + std::to_string(width) + "x" + std::to_string(height) +
                    " range " + std::to_string(tags.range);
  Notes notes;
  try {
    const ViewedFrame viewed =
        viewOf(*frame, Orientation{}, ColorMatrixOption::Auto, notes, "a picture", nullptr);
    makeCpuKernels({})->toRgb(viewed.view, height, width, got.data());
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::Unsupported) << what;
    EXPECT_TRUE(expected.empty()) << what << ": " << error.what();
    return;
  }
  ASSERT_FALSE(expected.empty()) << what;  // Bayer of one row: refused by both
  const Difference worst = difference(expected, got);
  EXPECT_EQ(worst.worst, 0) << what << ": value " << worst.at << " is " << int{got[worst.at]}
                            << " instead of " << int{expected[worst.at]};
}

TEST(Colour, OfEveryPixelFormatEqualsTheScaler) {
  int formats = 0;
  const AVPixFmtDescriptor* d = nullptr;
  while ((d = av_pix_fmt_desc_next(d)) != nullptr) {
    const AVPixelFormat format = av_pix_fmt_desc_get_id(d);
    if (!scalerTakes(format)) continue;
    ++formats;
    uint32_t seed = 1;
    for (const auto& [width, height] : kSizes) {
      for (const Tags tags : {Tags{}, Tags{AVCOL_RANGE_MPEG, AVCOL_SPC_BT709},
                              Tags{AVCOL_RANGE_JPEG, AVCOL_SPC_BT2020_NCL}}) {
        expectAsTheScaler(format, width, height, tags, seed++);
      }
    }
    // Large enough for the scaler to be called in several bands.
    expectAsTheScaler(format, 4101, 35, {}, seed);
  }
  EXPECT_GT(formats, 100);
}

double threadSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// In the middle of one large picture that the scaler converts, and of one whose palette is applied.
TEST(Colour, OfOneLargePictureHearsALimitOfTime) {
  for (const AVPixelFormat format : {AV_PIX_FMT_YUV411P, AV_PIX_FMT_PAL8, AV_PIX_FMT_GRAY10BE}) {
    SCOPED_TRACE(av_get_pix_fmt_name(format));
    const UniqueAVFrame frame = makeFrame(Stage::Decode);
    frame->format = format;
    frame->width = 8192;
    frame->height = 2048;
    ASSERT_GE(av_frame_get_buffer(frame.get(), 0), 0);
    for (int p = 0; p < 4 && frame->buf[p] != nullptr; ++p) {
      std::memset(frame->buf[p]->data, 90, frame->buf[p]->size);
    }
    Notes notes;
    const auto seconds = [&](CancelToken* cancel) {
      const double start = threadSeconds();
      viewOf(*frame, Orientation{}, ColorMatrixOption::Auto, notes, "a picture", cancel);
      return threadSeconds() - start;
    };
    const double whole = seconds(nullptr);
    CancelToken cancel;
    cancel.setDeadline(std::chrono::steady_clock::now() +
                       std::chrono::microseconds(static_cast<int64_t>(whole * 1e5)));
    const double start = threadSeconds();
    try {
      seconds(&cancel);
      ADD_FAILURE() << "ended in time";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::TimedOut);
    }
    EXPECT_LT(threadSeconds() - start, whole / 2);
  }
}

// Whatever number a file has for its matrix: FFmpeg's choice, and a note where it is one.
TEST(Colour, OfEveryMatrixNumberEqualsTheScaler) {
  for (const AVPixelFormat format : {AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV411P}) {
    for (int space = 0; space < 20; ++space) {
      const Tags tags{AVCOL_RANGE_MPEG, static_cast<AVColorSpace>(space)};
      const UniqueAVFrame frame = randomPicture(format, 64, 32, tags, 7);
      std::vector<uint8_t> got(64 * 32 * 3);
      Notes notes;
      const ViewedFrame viewed =
          viewOf(*frame, Orientation{}, ColorMatrixOption::Auto, notes, "a picture", nullptr);
      makeCpuKernels({})->toRgb(viewed.view, 32, 64, got.data());
      EXPECT_EQ(difference(scaler_reference::rgbOf(*frame), got).worst, 0) << space;
      const bool known = space == AVCOL_SPC_UNSPECIFIED || space == AVCOL_SPC_BT709 ||
                         (space >= AVCOL_SPC_FCC && space <= AVCOL_SPC_SMPTE240M) ||
                         space == AVCOL_SPC_BT2020_NCL || space == AVCOL_SPC_BT2020_CL;
      EXPECT_EQ(notes.list().size(), known ? 0u : 1u) << space;
      Notes none;
      viewOf(*frame, Orientation{}, ColorMatrixOption::Bt709, none, "a picture", nullptr);
      EXPECT_TRUE(none.list().empty()) << space;
    }
  }
}

}  // namespace
}  // namespace cps
