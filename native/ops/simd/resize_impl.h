#pragma once

#include "ops/simd/rows_math.h"

// The resize, cast and reference-match loops over vectors of V (vec_avx2.h, vec_avx512.h). One text
// for every width; the same arithmetic, lane by lane, as geometry_math.h, color_math.h and
// gather_math.h.
namespace cps {
namespace {

enum class ResizeColor { Yuv, YuvFloor, YuvTable, Gray, Rgb };

template <class V>
struct ResizeConstants {
  typename V::I mask, lumaRed, lumaBlue, lumaGreenU, greenV, luma, red, green, blue;
  typename V::I uBits, vBits;
  // Way Floor: every product on its own.
  typename V::I cy, rv, gu, gv, bu, cyBase, rvBase, guBase, gvBase, buBase;
  // Way Table: samples to 8 bits, chroma to steps, steps to values.
  typename V::I roundLuma, roundMean, stepRv, stepGu, stepGv, stepBu, zeroRv, zeroGu, zeroGv;
  typename V::I zeroBu, tableCy, tableBase;
  int32_t shift, extra;

  explicit ResizeConstants(const ResizePlan& p) {
    const ColorCoeffs& c = p.coeffs;
    const int32_t round = 1 << (c.shift - 1), base = round - c.cy * c.yOffset;
    mask = V::set1(static_cast<int32_t>(p.mask));
    lumaRed = pair(c.cy, c.rv);
    lumaBlue = pair(c.cy, c.bu);
    lumaGreenU = pair(c.cy, c.gu);
    greenV = pair(c.gv, 0);
    luma = V::set1(base);
    red = V::set1(base - c.rv * c.half);
    green = V::set1(base - (c.gu + c.gv) * c.half);
    blue = V::set1(base - c.bu * c.half);
    uBits = V::set1(p.chromaBits[0]);
    vBits = V::set1(p.chromaBits[1]);
    shift = c.shift;
    cy = pair(c.cy, 0), rv = pair(c.rv, 0), gu = pair(c.gu, 0), gv = pair(c.gv, 0);
    bu = pair(c.bu, 0);
    cyBase = V::set1(-c.cy * c.yOffset);
    rvBase = V::set1(-c.rv * c.half), guBase = V::set1(-c.gu * c.half);
    gvBase = V::set1(-c.gv * c.half), buBase = V::set1(-c.bu * c.half);
    if (c.way != ColorWay::Table) return;
    extra = p.frame.bitDepth - 8;
    roundLuma = V::set1(1 << (extra - 1)), roundMean = V::set1(1 << extra);
    stepRv = V::set1(c.tableRv), zeroRv = V::set1(c.tableRv >> 9);
    stepGu = V::set1(c.tableGu), zeroGu = V::set1(c.tableGu >> 9);
    stepGv = V::set1(c.tableGv), zeroGv = V::set1(c.tableGv >> 9);
    stepBu = V::set1(c.tableBu), zeroBu = V::set1(c.tableBu >> 9);
    tableCy = V::set1(c.tableCy), tableBase = V::set1(c.tableBase + 32768);
  }
  static typename V::I pair(int32_t low, int32_t high) {
    return V::set1(static_cast<int32_t>(static_cast<uint32_t>(low) & 0xffffu) |
                   static_cast<int32_t>(static_cast<uint32_t>(high) << 16));
  }
};

template <class V>
struct RgbLanes {
  typename V::F r, g, b;
};

template <class V, ResizeColor kColor>
inline RgbLanes<V> toRgbLanes(const ResizeConstants<V>& k, typename V::I y, typename V::I u,
                              typename V::I v) {
  const auto finish = [&](typename V::I sum) {
    return V::toFloat(V::clip255(V::shiftRightSigned(sum, k.shift)));
  };
  if constexpr (kColor == ResizeColor::YuvFloor) {
    const auto product = [&](typename V::I x, typename V::I coefficient, typename V::I base) {
      return V::shiftRightSigned(V::add(V::multiplyAdd16(x, coefficient), base), 13);
    };
    const auto clipped = [](typename V::I sum) { return V::toFloat(V::clip255(sum)); };
    const auto luma = product(y, k.cy, k.cyBase);
    const auto green = V::add(product(u, k.gu, k.guBase), product(v, k.gv, k.gvBase));
    return {clipped(V::add(luma, product(v, k.rv, k.rvBase))), clipped(V::add(luma, green)),
            clipped(V::add(luma, product(u, k.bu, k.buBase)))};
  } else if constexpr (kColor == ResizeColor::YuvTable) {
    const auto step = [](typename V::I x, typename V::I coefficient, typename V::I zero) {
      return V::sub(V::shiftRightSigned(V::mul(x, coefficient), 16), zero);
    };
    const auto value = [&](typename V::I index) {
      const auto sum = V::add(V::mul(index, k.tableCy), k.tableBase);
      return V::toFloat(V::clip255(V::shiftRightSigned(sum, 16)));
    };
    const auto green = V::add(step(u, k.stepGu, k.zeroGu), step(v, k.stepGv, k.zeroGv));
    return {value(V::add(y, step(v, k.stepRv, k.zeroRv))), value(V::add(y, green)),
            value(V::add(y, step(u, k.stepBu, k.zeroBu)))};
  } else if constexpr (kColor == ResizeColor::Yuv) {
    const auto yv = V::or_(y, V::shiftLeft16(v)), yu = V::or_(y, V::shiftLeft16(u));
    const auto green = V::add(V::multiplyAdd16(yu, k.lumaGreenU), V::multiplyAdd16(v, k.greenV));
    const auto wrapped = [&](typename V::I sum) {  // Note [Wrapped sums]
      return V::toFloat(V::clip255(V::shiftRightSigned(V::shiftLeft(sum, 22 - k.shift), 22)));
    };
    return {wrapped(V::add(V::multiplyAdd16(yv, k.lumaRed), k.red)),
            wrapped(V::add(green, k.green)),
            wrapped(V::add(V::multiplyAdd16(yu, k.lumaBlue), k.blue))};
  } else {
    const auto first = finish(V::add(V::multiplyAdd16(y, k.lumaRed), k.luma));
    if constexpr (kColor == ResizeColor::Gray) return {first, first, first};
    return {first, finish(V::add(V::multiplyAdd16(u, k.lumaRed), k.luma)),
            finish(V::add(V::multiplyAdd16(v, k.lumaRed), k.luma))};
  }
}

// Columns of one vector: the same for all rows.
template <class V>
struct ResizeColumns {
  typename V::I offset[3][2], shift[3][2];
  typename V::F w0, w1;

  ResizeColumns(const ResizePlan& p, int32_t x) {
    for (int kind = 0; kind < 3; kind++) {
      for (int tap = 0; tap < 2; tap++) {
        offset[kind][tap] = V::load(p.offset[kind][tap] + x);
        shift[kind][tap] = V::load(p.shift[kind][tap] + x);
      }
    }
    w0 = V::load(p.w0 + x);
    w1 = V::load(p.w1 + x);
  }
};

// One sample through its own window.
template <class V>
inline typename V::I fetchSample(const ResizePlan& p, const ResizeConstants<V>& k,
                                 const ResizeColumns<V>& c, const ResizeLine& line, int tap,
                                 int side, int plane, int kind) {
  const auto window =
      V::gather(p.frame.plane[plane].data + line.offset[kind][tap], c.offset[kind][side]);
  const auto bits = V::add(c.shift[kind][side], V::set1(line.shift[kind][tap]));
  return V::and_(V::shiftRight(window, bits), k.mask);
}

// The two neighbours in one stored row, as they are stored: s[plane][side].
template <class V, ResizeColor kColor, ResizeFetch kFetch>
inline void fetchSamples(const ResizePlan& p, const ResizeConstants<V>& k,
                         const ResizeColumns<V>& c, const ResizeLine& line, int tap, int chroma,
                         typename V::I s[3][2]) {
  using I = typename V::I;
  if constexpr (kFetch == ResizeFetch::Split) {
    constexpr int kPlanes = kColor == ResizeColor::Gray ? 1 : 3;
    for (int plane = chroma == 1 ? 0 : 1; plane < 3; plane++) {
      for (int side = 0; side < 2; side++) {
        s[plane][side] = plane >= kPlanes
                             ? s[0][side]
                             : fetchSample<V>(p, k, c, line, tap, side, plane, plane ? chroma : 0);
      }
    }
    return;
  }
  if (chroma == 1) {
    const I y = V::gather(p.frame.plane[0].data + line.offset[0][tap], c.offset[0][0]);
    for (int side = 0; side < 2; side++) {
      s[0][side] = V::and_(V::shiftRight(y, c.shift[0][side]), k.mask);
    }
  }
  if constexpr (kFetch == ResizeFetch::Semi) {
    const I uv = V::gather(p.chroma + line.offset[1][tap], c.offset[1][0]);
    for (int side = 0; side < 2; side++) {
      const I both = V::shiftRight(uv, c.shift[1][side]);
      s[1][side] = V::and_(V::shiftRight(both, k.uBits), k.mask);
      s[2][side] = V::and_(V::shiftRight(both, k.vBits), k.mask);
    }
  } else {
    for (int plane = 1; plane < 3; plane++) {
      const I both =
          V::gather(p.frame.plane[plane].data + line.offset[chroma][tap], c.offset[chroma][0]);
      for (int side = 0; side < 2; side++) {
        s[plane][side] = V::and_(V::shiftRight(both, c.shift[chroma][side]), k.mask);
      }
    }
  }
}

// The two neighbours in one stored row, as RGB.
template <class V, ResizeColor kColor, ResizeFetch kFetch>
inline void fetchRow(const ResizePlan& p, const ResizeConstants<V>& k, const ResizeColumns<V>& c,
                     const ResizeLine& line, int tap, RgbLanes<V>* left, RgbLanes<V>* right) {
  using I = typename V::I;
  I s[3][2];
  fetchSamples<V, kColor, kFetch>(p, k, c, line, tap, 1, s);
  if constexpr (kColor == ResizeColor::YuvTable) {
    // The mean of a sample with itself is the sample rounded, so only rows that differ are read.
    I above[3][2] = {{s[0][0], s[0][1]}, {s[1][0], s[1][1]}, {s[2][0], s[2][1]}};
    if (p.frame.orientation.swapXY || line.offset[1][tap] != line.offset[2][tap]) {
      fetchSamples<V, kColor, kFetch>(p, k, c, line, tap, 2, above);
    }
    for (int side = 0; side < 2; side++) {
      s[0][side] = V::shiftRightSigned(V::add(s[0][side], k.roundLuma), k.extra);
      for (int plane = 1; plane < 3; plane++) {
        const I sum = V::add(V::add(s[plane][side], above[plane][side]), k.roundMean);
        s[plane][side] = V::min255(V::shiftRightSigned(sum, k.extra + 1));
      }
    }
  }
  *left = toRgbLanes<V, kColor>(k, s[0][0], s[1][0], s[2][0]);
  *right = toRgbLanes<V, kColor>(k, s[0][1], s[1][1], s[2][1]);
}

template <class V>
inline typename V::F lerpLanes(typename V::F a, typename V::F b, typename V::F w0,
                               typename V::F w1) {
  return V::fma(b, w1, V::mul(a, w0));
}

template <class V>
inline typename V::F lumaLanes(const RgbLanes<V>& p) {
  return V::add(V::add(V::mul(V::set1(0.299f), p.r), V::mul(V::set1(0.587f), p.g)),
                V::mul(V::set1(0.114f), p.b));
}

template <class V, ResizeColor kColor, ResizeFetch kFetch, bool kLuma>
void resizeLoop(const ResizePlan& p, int32_t y, int32_t rows, int32_t x, int32_t count,
                float* const* out, int64_t outStride) {
  using F = typename V::F;
  const ResizeConstants<V> k(p);
  // Row by row, so that a row's surplus lanes are overwritten by the next row, never the reverse.
  for (int32_t i = 0; i < rows; i++) {
    const ResizeLine& line = p.lines[y + i];
    const F wy0 = V::set1(line.w0), wy1 = V::set1(line.w1);
    for (int32_t j = 0; j < count; j += V::kLanes) {
      const ResizeColumns<V> c(p, x + j);
      RgbLanes<V> a, b, d, e;
      fetchRow<V, kColor, kFetch>(p, k, c, line, 0, &a, &b);
      fetchRow<V, kColor, kFetch>(p, k, c, line, 1, &d, &e);
      const auto mix = [&](F topLeft, F topRight, F bottomLeft, F bottomRight) {
        return lerpLanes<V>(lerpLanes<V>(topLeft, topRight, c.w0, c.w1),
                            lerpLanes<V>(bottomLeft, bottomRight, c.w0, c.w1), wy0, wy1);
      };
      const int64_t at = i * outStride + j;
      if constexpr (kLuma) {
        V::store(out[0] + at,
                 mix(lumaLanes<V>(a), lumaLanes<V>(b), lumaLanes<V>(d), lumaLanes<V>(e)));
      } else {
        V::store(out[0] + at, mix(a.r, b.r, d.r, e.r));
        V::store(out[1] + at, mix(a.g, b.g, d.g, e.g));
        V::store(out[2] + at, mix(a.b, b.b, d.b, e.b));
      }
    }
  }
}

template <class V, ResizeColor kColor, bool kLuma>
void resizeYuv(const ResizePlan& p, int32_t y, int32_t rows, int32_t x, int32_t count,
               float* const* out, int64_t outStride) {
  if (p.fetch == ResizeFetch::Joint) {
    resizeLoop<V, kColor, ResizeFetch::Joint, kLuma>(p, y, rows, x, count, out, outStride);
  } else if (p.fetch == ResizeFetch::Semi) {
    resizeLoop<V, kColor, ResizeFetch::Semi, kLuma>(p, y, rows, x, count, out, outStride);
  } else {
    resizeLoop<V, kColor, ResizeFetch::Split, kLuma>(p, y, rows, x, count, out, outStride);
  }
}

template <class V, bool kLuma>
void resizeAny(const ResizePlan& p, int32_t y, int32_t rows, int32_t x, int32_t count,
               float* const* out, int64_t outStride) {
  if (p.coeffs.planar3 == 0) {
    resizeLoop<V, ResizeColor::Gray, ResizeFetch::Split, kLuma>(p, y, rows, x, count, out,
                                                                outStride);
  } else if (p.coeffs.planar3 == 2) {
    resizeLoop<V, ResizeColor::Rgb, ResizeFetch::Split, kLuma>(p, y, rows, x, count, out,
                                                               outStride);
  } else if (p.coeffs.way == ColorWay::Floor) {
    resizeYuv<V, ResizeColor::YuvFloor, kLuma>(p, y, rows, x, count, out, outStride);
  } else if (p.coeffs.way == ColorWay::Table) {
    resizeYuv<V, ResizeColor::YuvTable, kLuma>(p, y, rows, x, count, out, outStride);
  } else {
    resizeYuv<V, ResizeColor::Yuv, kLuma>(p, y, rows, x, count, out, outStride);
  }
}

template <class V>
void resizeRowsWide(const ResizePlan& p, int32_t y, int32_t rows, int32_t x, int32_t count,
                    float* const out[3], int64_t outStride) {
  if (p.fetch == ResizeFetch::Direct) {
    resizeRowsPlain(p, y, rows, x, count, out, outStride);
  } else {
    resizeAny<V, false>(p, y, rows, x, count, out, outStride);
  }
}

template <class V>
void resizeLumaWide(const ResizePlan& p, int32_t y, int32_t rows, int32_t x, int32_t count,
                    float* out, int64_t outStride) {
  if (p.fetch == ResizeFetch::Direct) {
    resizeLumaPlain(p, y, rows, x, count, out, outStride);
  } else {
    resizeAny<V, true>(p, y, rows, x, count, &out, outStride);
  }
}

template <class V>
void castValuesWide(const float* in, int64_t count, float scale, float mean, float std, DType dtype,
                    void* out) {
  const bool identity = scale == 1.0f && mean == 0.0f && std == 1.0f;
  const auto vScale = V::set1(scale), vMean = V::set1(mean), vStd = V::set1(std);
  int64_t i = 0;
  for (; i + V::kLanes <= count; i += V::kLanes) {
    auto v = V::load(in + i);
    if (!identity) v = V::div(V::sub(V::mul(v, vScale), vMean), vStd);
    if (dtype == DType::F16) {
      V::storeF16(static_cast<uint16_t*>(out) + i, v);
    } else if (dtype == DType::BF16) {
      V::storeBf16(static_cast<uint16_t*>(out) + i, v);
    } else if (dtype == DType::U8) {
      V::storeU8(static_cast<uint8_t*>(out) + i, v);
    } else {
      V::store(static_cast<float*>(out) + i, v);
    }
  }
  castValuesPlain(in, i, count, scale, mean, std, dtype, out);
}

template <class V>
void referenceMatchRowWide(const float* cur, const float* prev, int64_t prevStride, int32_t radius,
                           int32_t cols, float* motion, float* residual) {
  // Displacements by dy, then dx; at most 9 x 9 of them.
  float lengths[81];
  float* length = lengths;
  for (int32_t dy = -radius; dy <= radius; dy++) {
    for (int32_t dx = -radius; dx <= radius; dx++) *length++ = referenceMotionLength(dy, dx);
  }
  for (int32_t x = 0; x < cols; x += V::kLanes) {
    const auto value = V::load(cur + x);
    auto best = V::set1(INFINITY), motionBest = V::set1(0.0f);
    length = lengths;
    for (int32_t dy = -radius; dy <= radius; dy++) {
      const float* row = prev - dy * prevStride + x;
      for (int32_t dx = -radius; dx <= radius; dx++) {
        const auto d = V::abs(V::sub(value, V::load(row - dx)));
        V::takeSmaller(d, V::set1(*length++), &best, &motionBest);
      }
    }
    V::store(motion + x, motionBest);
    V::store(residual + x, best);
  }
}

}  // namespace
}  // namespace cps
