#include "core/options.h"

#include "core/dtype.h"

namespace cps {

const char* dtypeName(DType t) noexcept {
  switch (t) {
    case DType::U8:
      return "uint8";
    case DType::I32:
      return "int32";
    case DType::F16:
      return "float16";
    case DType::BF16:
      return "bfloat16";
    case DType::F32:
      return "float32";
  }
  return "float32";
}

bool Normalize::isIdentity() const {
  if (scale != 1.0f) return false;
  for (int c = 0; c < 3; ++c) {
    if (mean[c] != 0.0f || std[c] != 1.0f) return false;
  }
  return true;
}

std::string VideoInput::describe() const {
  if (bytes) return "<memory, " + std::to_string(bytes->size()) + " bytes>";
  return path;
}

}  // namespace cps
