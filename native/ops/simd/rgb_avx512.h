#pragma once

#include "ops/simd/rgb_avx2.h"

namespace cps {
namespace {

inline void rgbRowAvx512(const RgbRow& r) { rgbRowAvx2(r); }

}  // namespace
}  // namespace cps
