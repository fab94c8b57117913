#include "core/options.h"

#include <cmath>
#include <optional>
#include <type_traits>

#include "core/dtype.h"
#include "core/error.h"

namespace cps {
namespace {

[[noreturn]] void outOfRange(const char* name, double value) {
  throw Error(ErrorCode::InvalidArgument, Stage::Options,
              std::string("Options record: field ") + name + " is out of range (" +
                  std::to_string(value) + ")");
}

// Every number is finite and within its limits, every normalisation gives finite values.
struct RangeCheck {
  template <typename Number>
  void operator()(const char* name, const Number& value, Limits limits) const {
    if constexpr (std::is_same_v<Number, std::optional<double>>) {
      if (value) (*this)(name, *value, limits);
    } else {
      const auto wide = static_cast<double>(value);
      const bool inside = wide >= limits.least && wide <= limits.most;
      if (!std::isfinite(wide) || !inside) outOfRange(name, wide);
    }
  }
  void operator()(const char* name, const Normalize& value) const {
    if (const char* field = value.notFinite()) {
      throw Error(ErrorCode::InvalidArgument, Stage::Options,
                  std::string("Options record: field ") + name + "." + field +
                      " makes values that are not finite in float32");
    }
  }
  template <typename Other>
  void operator()(const char* /*name*/, const Other& /*value*/) const {}
};

}  // namespace

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

const char* Normalize::notFinite() const {
  if (!std::isfinite(255.0f * scale)) return "scale";
  for (int c = 0; c < 3; ++c) {
    for (const float rgb : {0.0f, 255.0f}) {
      const float v = rgb * scale - mean[c];
      if (!std::isfinite(v)) return "mean";
      if (std[c] == 0.0f || !std::isfinite(std[c]) || !std::isfinite(v / std[c])) return "std";
    }
  }
  return nullptr;
}

void checkRanges(const DecodeOptions& options) { visitFields(RangeCheck(), options); }
void checkRanges(const PatchOptions& options) { visitFields(RangeCheck(), options); }
void checkRanges(const FrameOptions& options) { visitFields(RangeCheck(), options); }

std::string VideoInput::describe() const {
  if (bytes) return "<memory, " + std::to_string(bytes->size()) + " bytes>";
  return path;
}

}  // namespace cps
