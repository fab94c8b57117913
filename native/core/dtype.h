#pragma once

#include <cstddef>

namespace cps {

enum class DType { U8, I32, F16, BF16, F32 };

constexpr size_t dtypeSize(DType t) {
  switch (t) {
    case DType::U8:
      return 1;
    case DType::F16:
    case DType::BF16:
      return 2;
    default:
      return 4;
  }
}
const char* dtypeName(DType t) noexcept;  // "uint8", "int32", "float16", "bfloat16", "float32"

}  // namespace cps
