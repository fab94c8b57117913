#pragma once

#include "ops/pixels/gather_math.h"

namespace cps {
namespace {

// One lane, in the words resize_impl.h uses.
struct Scalar {
  static constexpr int32_t kLanes = 1;
  using I = int32_t;
  using F = float;

  static I set1(int32_t v) { return v; }
  static I load(const int32_t* p) { return *p; }
  static I gather(const uint8_t* base, I offset) {
    const uint8_t* p = base + offset;
    return static_cast<I>(p[0] | p[1] << 8 | p[2] << 16 | static_cast<uint32_t>(p[3]) << 24);
  }
  static I add(I a, I b) { return a + b; }
  static I sub(I a, I b) { return a - b; }
  static I mul(I a, I b) { return a * b; }
  static I and_(I a, I b) { return a & b; }
  static I or_(I a, I b) { return a | b; }
  static I shiftRight(I a, I bits) { return static_cast<I>(static_cast<uint32_t>(a) >> bits); }
  static I shiftLeft16(I a) { return static_cast<I>(static_cast<uint32_t>(a) << 16); }
  static I multiplyAdd16(I a, I b) {
    return static_cast<int16_t>(a) * static_cast<int16_t>(b) + (a >> 16) * (b >> 16);
  }
  static I shiftLeft(I a, int32_t bits) { return static_cast<I>(static_cast<uint32_t>(a) << bits); }
  static I shiftRightSigned(I a, int32_t bits) { return a >> bits; }
  static I min255(I a) { return minInt(a, 255); }
  static I clip255(I a) { return clampInt(a, 0, 255); }
  static F toFloat(I a) { return static_cast<F>(a); }

  static F set1(float v) { return v; }
  static F load(const float* p) { return *p; }
  static void store(float* p, F v) { *p = v; }
  static F add(F a, F b) { return a + b; }
  static F sub(F a, F b) { return a - b; }
  static F mul(F a, F b) { return a * b; }
  static F fma(F a, F b, F c) { return fmaf(a, b, c); }
  static F div(F a, F b) { return a / b; }
  static F abs(F a) { return fabsf(a); }
  static void takeSmaller(F d, F v, F* best, F* value) {
    if (!(d < *best)) return;
    *best = d;
    *value = v;
  }

  static void storeU8(uint8_t* p, F v) { *p = floatToU8(v); }
  static void storeF16(uint16_t* p, F v) { *p = floatToF16(v); }
  static void storeBf16(uint16_t* p, F v) { *p = floatToBf16(v); }
};

}  // namespace
}  // namespace cps
