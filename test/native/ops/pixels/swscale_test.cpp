// Colour against FFmpeg's scaler as it converts by default (SWS_BILINEAR, no further flags), with
// the same matrix and range: the same bytes. (Its C code, which other processors run, differs by
// one or two in the 8-bit subsampled case, so the contract's tolerance is kept as the limit there.)
extern "C" {
#include <libavutil/opt.h>
#include <libavutil/pixfmt.h>
#include <libswscale/swscale.h>
}

#include <cmath>
#include <cstdlib>
#include <memory>

#include "backend/cpu_kernels.h"
#include "ops/ops_common.h"

namespace {

using namespace ops_test;

struct Case {
  AVPixelFormat format;
  naive::PixelLayout layout;
  int bitDepth, log2ChromaW, log2ChromaH;
  cps::ColorMatrix matrix;
};

int swsMatrix(cps::ColorMatrix m) {
  switch (m) {
    case cps::ColorMatrix::Bt709:
      return SWS_CS_ITU709;
    case cps::ColorMatrix::Bt2020:
      return SWS_CS_BT2020;
    case cps::ColorMatrix::Smpte240m:
      return SWS_CS_SMPTE240M;
    case cps::ColorMatrix::Fcc:
      return SWS_CS_FCC;
    default:
      return SWS_CS_ITU601;
  }
}

// Where chroma is subsampled it is kept within a quarter of its range: the scaler's tables end.
void moderateChroma(const cps::FrameView& f) {
  if (f.color.matrix == cps::ColorMatrix::Rgb || f.log2ChromaW == 0) return;
  const int width = ((f.width - 1) >> f.log2ChromaW) + 1;
  const int height = ((f.height - 1) >> f.log2ChromaH) + 1;
  const int half = 1 << (f.bitDepth - 1);
  for (const int p : {1, 2}) {
    const cps::PlaneView& plane = f.plane[p];
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        auto* at = const_cast<uint8_t*>(plane.data) + y * plane.stride + x * plane.step;
        int v = (f.bitDepth == 8 ? at[0] : (at[0] | at[1] << 8) >> plane.shift);
        v = (half + (v - half) / 4) << plane.shift;
        at[0] = static_cast<uint8_t>(v);
        if (f.bitDepth > 8) at[1] = static_cast<uint8_t>(v >> 8);
      }
    }
  }
}

// Above 8 bits libswscale mixes chroma rows. Up to version 8 (FFmpeg 7.1) whatever lies between two
// rows, and the last row, is in the middle; version 10 (FFmpeg 9) weighs by where the rows lie.
// Told that odd rows lie on chroma rows (256), it takes the mean for the even ones, but not for the
// last.
bool weighsChromaRows(const Case& c) {
  const bool deep420 = c.bitDepth > 8 && c.log2ChromaW > 0 && c.log2ChromaH > 0;
  return deep420 && AV_VERSION_MAJOR(swscale_version()) > 8;
}

using Scaler = std::unique_ptr<SwsContext, void (*)(SwsContext*)>;

Scaler makeScaler(const Case& c, int width, int height) {
  Scaler sws(sws_alloc_context(), sws_freeContext);
  const auto set = [&](const char* option, int64_t value) {
    ASSERT_GE(av_opt_set_int(sws.get(), option, value, 0), 0) << option;
  };
  set("srcw", width);
  set("srch", height);
  set("dstw", width);
  set("dsth", height);
  set("src_format", c.format);
  set("dst_format", AV_PIX_FMT_RGB24);
  set("sws_flags", SWS_BILINEAR);
  if (weighsChromaRows(c)) set("src_v_chr_pos", 256);
  if (sws_init_context(sws.get(), nullptr, nullptr) < 0) sws.reset();
  return sws;
}

void check(const Case& c, bool full, naive::Fill fill, int width, int height) {
  naive::FrameSpec spec;
  spec.width = width;
  spec.height = height;
  spec.layout = c.layout;
  spec.bitDepth = c.bitDepth;
  spec.log2ChromaW = c.log2ChromaW;
  spec.log2ChromaH = c.log2ChromaH;
  spec.color = {c.matrix, full};
  spec.fill = fill;
  spec.padding = 64;
  const naive::TestFrame frame(spec);
  const cps::FrameView& f = frame.view;
  moderateChroma(f);

  const Scaler sws = makeScaler(c, width, height);
  ASSERT_TRUE(sws);
  const int* table = sws_getCoefficients(swsMatrix(c.matrix));
  ASSERT_GE(sws_setColorspaceDetails(sws.get(), table, full, table, 1, 0, 1 << 16, 1 << 16), 0);
  // The scaler works in steps of 8 pixels and leaves out the last ones of a row without padding.
  const int outStride = (width + 15) / 16 * 16 * 3;
  std::vector<uint8_t> expected(size_t(outStride) * height + 64), got(size_t(width) * height * 3);
  const bool semi = c.layout == naive::PixelLayout::SemiPlanar;
  const bool packed = c.layout == naive::PixelLayout::Yuyv;
  const uint8_t* planes[4] = {f.plane[0].data, packed ? nullptr : f.plane[1].data,
                              packed || semi ? nullptr : f.plane[2].data, nullptr};
  if (c.matrix == cps::ColorMatrix::Rgb) {  // FFmpeg's order is G, B, R
    planes[0] = f.plane[1].data;
    planes[1] = f.plane[2].data;
    planes[2] = f.plane[0].data;
  }
  const int strides[4] = {int(f.plane[0].stride), int(f.plane[1].stride), int(f.plane[2].stride)};
  uint8_t* out[4] = {expected.data()};
  const int outStrides[4] = {outStride};
  ASSERT_EQ(height, sws_scale(sws.get(), planes, strides, 0, height, out, outStrides));
  cps::makeCpuKernels({})->toRgb(f, height, width, got.data());
  int worst = 0;
  double sum = 0;
  const int n = width * (weighsChromaRows(c) ? height - 1 : height) * 3;
  for (int i = 0; i < n; i++) {
    const size_t at = size_t(i / (width * 3)) * outStride + i % (width * 3);
    const int d = std::abs(int(expected[at]) - int(got[i]));
    worst = std::max(worst, d);
    sum += d;
  }
#if defined(__x86_64__)
  // Deep RGB planes: ours is rounded (255 / 1023), the scaler drops bits.
  const bool deepRgb = c.matrix == cps::ColorMatrix::Rgb && c.bitDepth > 8;
  EXPECT_LE(worst, deepRgb ? 1 : 0) << naive::describe(spec) << " mean " << sum / n;
#else
  EXPECT_LE(worst, 2) << naive::describe(spec) << " mean " << sum / n;
  EXPECT_LT(sum / n, 0.5) << naive::describe(spec);
#endif
}

TEST(OpsSwscale, MatrixRangeAndDepth) {
  using M = cps::ColorMatrix;
  using L = naive::PixelLayout;
  for (const M m : {M::Bt601, M::Bt709, M::Bt2020, M::Smpte240m, M::Fcc}) {
    for (const bool full : {false, true}) {
      for (const naive::Fill fill : {naive::Fill::Random, naive::Fill::Smooth, naive::Fill::Zero,
                                     naive::Fill::Max, naive::Fill::TwoValues}) {
        for (const auto& [w, h] : {std::pair{96, 64}, std::pair{98, 34}}) {
          check({AV_PIX_FMT_YUV420P, L::Planar, 8, 1, 1, m}, full, fill, w, h);
          check({AV_PIX_FMT_YUV422P, L::Planar, 8, 1, 0, m}, full, fill, w, h);
          check({AV_PIX_FMT_YUV444P, L::Planar, 8, 0, 0, m}, full, fill, w, h);
          check({AV_PIX_FMT_YUV420P10LE, L::Planar, 10, 1, 1, m}, full, fill, w, h);
          check({AV_PIX_FMT_YUV422P10LE, L::Planar, 10, 1, 0, m}, full, fill, w, h);
          check({AV_PIX_FMT_YUV444P12LE, L::Planar, 12, 0, 0, m}, full, fill, w, h);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST(OpsSwscale, RgbPlanes) {
  for (const naive::Fill fill : {naive::Fill::Random, naive::Fill::Max, naive::Fill::Zero}) {
    check({AV_PIX_FMT_GBRP, naive::PixelLayout::Planar, 8, 0, 0, cps::ColorMatrix::Rgb}, true, fill,
          96, 64);
    check({AV_PIX_FMT_GBRP10LE, naive::PixelLayout::Planar, 10, 0, 0, cps::ColorMatrix::Rgb}, true,
          fill, 96, 64);
  }
}

}  // namespace
