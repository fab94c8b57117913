#pragma once

#include "ops/simd/rows_math.h"

// The resize, cast and reference-match loops over vectors of V (vec_avx2.h, vec_avx512.h). One text
// for every width; the same arithmetic, lane by lane, as geometry_math.h, color_math.h and
// gather_math.h.
namespace cps {
namespace {

enum class ResizeColor { Yuv, YuvFloor, Gray, Rgb };

template <class V>
struct ResizeConstants {
  typename V::I mask, lumaRed, lumaBlue, lumaGreenU, greenV, luma, red, green, blue;
  typename V::I uBits, vBits;
  // Way Floor: every product on its own.
  typename V::I cy, rv, gu, gv, bu, cyBase, rvBase, guBase, gvBase, buBase;
  int32_t shift;

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
  } else if constexpr (kColor == ResizeColor::Yuv) {
    const auto yv = V::or_(y, V::shiftLeft16(v)), yu = V::or_(y, V::shiftLeft16(u));
    const auto green = V::add(V::multiplyAdd16(yu, k.lumaGreenU), V::multiplyAdd16(v, k.greenV));
    return {finish(V::add(V::multiplyAdd16(yv, k.lumaRed), k.red)), finish(V::add(green, k.green)),
            finish(V::add(V::multiplyAdd16(yu, k.lumaBlue), k.blue))};
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
  typename V::I offset[2][2], shift[2][2];
  typename V::F w0, w1;

  ResizeColumns(const ResizePlan& p, int32_t x) {
    for (int kind = 0; kind < 2; kind++) {
      for (int tap = 0; tap < 2; tap++) {
        offset[kind][tap] = V::load(p.offset[kind][tap] + x);
        shift[kind][tap] = V::load(p.shift[kind][tap] + x);
      }
    }
    w0 = V::load(p.w0 + x);
    w1 = V::load(p.w1 + x);
  }
};

// The two neighbours in one stored row, as RGB.
template <class V, ResizeColor kColor, ResizeFetch kFetch>
inline void fetchRow(const ResizePlan& p, const ResizeConstants<V>& k, const ResizeColumns<V>& c,
                     const ResizeLine& line, int tap, RgbLanes<V>* left, RgbLanes<V>* right) {
  using I = typename V::I;
  I s[3][2];
  if constexpr (kFetch == ResizeFetch::Split) {
    constexpr int kPlanes = kColor == ResizeColor::Gray ? 1 : 3;
    for (int plane = 0; plane < 3; plane++) {
      const int kind = plane > 0 ? 1 : 0;
      for (int side = 0; side < 2; side++) {
        if (plane >= kPlanes) {
          s[plane][side] = s[0][side];
          continue;
        }
        const I window =
            V::gather(p.frame.plane[plane].data + line.offset[kind][tap], c.offset[kind][side]);
        const I bits = V::add(c.shift[kind][side], V::set1(line.shift[kind][tap]));
        s[plane][side] = V::and_(V::shiftRight(window, bits), k.mask);
      }
    }
  } else {
    const I y = V::gather(p.frame.plane[0].data + line.offset[0][tap], c.offset[0][0]);
    I u[2], v[2];
    if constexpr (kFetch == ResizeFetch::Semi) {
      const I uv = V::gather(p.chroma + line.offset[1][tap], c.offset[1][0]);
      for (int side = 0; side < 2; side++) {
        const I both = V::shiftRight(uv, c.shift[1][side]);
        u[side] = V::shiftRight(both, k.uBits);
        v[side] = V::shiftRight(both, k.vBits);
      }
    } else {
      const I uu = V::gather(p.frame.plane[1].data + line.offset[1][tap], c.offset[1][0]);
      const I vv = V::gather(p.frame.plane[2].data + line.offset[1][tap], c.offset[1][0]);
      for (int side = 0; side < 2; side++) {
        u[side] = V::shiftRight(uu, c.shift[1][side]);
        v[side] = V::shiftRight(vv, c.shift[1][side]);
      }
    }
    for (int side = 0; side < 2; side++) {
      s[0][side] = V::and_(V::shiftRight(y, c.shift[0][side]), k.mask);
      s[1][side] = V::and_(u[side], k.mask);
      s[2][side] = V::and_(v[side], k.mask);
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
  for (int32_t x = 0; x < cols; x += V::kLanes) {
    const auto value = V::load(cur + x);
    auto best = V::set1(INFINITY), length = V::set1(0.0f);
    for (int32_t dy = -radius; dy <= radius; dy++) {
      for (int32_t dx = -radius; dx <= radius; dx++) {
        const auto d = V::abs(V::sub(value, V::load(prev - dy * prevStride - dx + x)));
        V::takeSmaller(d, V::set1(referenceMotionLength(dy, dx)), &best, &length);
      }
    }
    V::store(motion + x, length);
    V::store(residual + x, best);
  }
}

}  // namespace
}  // namespace cps
