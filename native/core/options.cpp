#include "core/options.h"

#include <cmath>
#include <optional>
#include <type_traits>
#include <utility>

#include "core/dtype.h"
#include "core/error.h"

namespace cps {
namespace {

[[noreturn]] void bad(const std::string& field, const std::string& what) {
  throw Error(ErrorCode::InvalidArgument, Stage::Options,
              "Options record: field " + field + " " + what);
}

// Every number is finite and within its limits, every normalisation gives finite values.
class RangeCheck {
 public:
  explicit RangeCheck(std::string holder = "") : holder_(std::move(holder)) {}

  template <typename T, typename... Bounds>
  void operator()(const char* name, const T& value, Bounds... limits) const {
    check(holder_.empty() ? name : holder_ + "." + name, value, limits...);
  }

 private:
  template <typename Number>
  requires std::is_arithmetic_v<Number>
  static void check(const std::string& field, Number value, Limits limits) {
    const auto wide = static_cast<double>(value);
    const bool inside = wide >= limits.least && wide <= limits.most;
    if (!std::isfinite(wide) || !inside) {
      bad(field, "is out of range (" + std::to_string(wide) + ")");
    }
  }
  static void check(const std::string& field, const Normalize& value) {
    const char* part = value.notFinite();
    if (part) bad(field + "." + part, "makes values that are not finite in float32");
  }
  template <typename T, typename... Bounds>
  static void check(const std::string& field, const std::optional<T>& value, Bounds... limits) {
    if (value) check(field, *value, limits...);
  }
  template <typename T, typename... Bounds>
  static void check(const std::string& field, const std::vector<T>& values, Bounds... limits) {
    for (const T& value : values) check(field, value, limits...);
  }
  template <typename T>
  requires kHasFields<T>
  static void check(const std::string& field, const T& value) {
    visitFields(RangeCheck(field), value);
  }
  template <typename T>
  requires kIsUnion<T>
  static void check(const std::string& field, const T& value) {
    visitValue([&](const char* /*kind*/, const auto& held,
                   auto... limits) { check(field, held, limits...); },
               value);
  }
  template <typename T>
  requires std::is_enum_v<T> || std::is_same_v<T, bool> || std::is_same_v<T, std::string>
  static void check(const std::string& /*field*/, const T& /*value*/) {}

  std::string holder_;
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
  if (scale != 1.0 || offset.value_or(0.0f) != 0.0f) return false;
  for (int c = 0; c < 3; ++c) {
    if (mean[c] != 0.0f || std[c] != 1.0f) return false;
  }
  return true;
}

const char* Normalize::notFinite() const {
  const auto factor = static_cast<float>(scale);
  if (!std::isfinite(255.0f * factor)) return "scale";
  if (!std::isfinite(offset.value_or(0.0f))) return "offset";
  for (int c = 0; c < 3; ++c) {
    for (const float rgb : {0.0f, 255.0f}) {
      const float v = rgb * factor - offset.value_or(0.0f) - mean[c];
      if (!std::isfinite(v)) return "mean";
      if (std[c] == 0.0f || !std::isfinite(std[c]) || !std::isfinite(v / std[c])) return "std";
    }
  }
  return nullptr;
}

void checkRanges(const PatchStreamOptions& options) {
  visitRecords([](const char* /*name*/, const auto& r) { visitFields(RangeCheck(), r); }, options);
}
void checkRanges(const DecodeOnlyOptions& options) {
  visitRecords([](const char* /*name*/, const auto& r) { visitFields(RangeCheck(), r); }, options);
}

std::string VideoInput::describe() const {
  if (opened) return opened->describe();
  if (source) return source->name();
  if (bytes) return "<memory, " + std::to_string(bytes->size()) + " bytes>";
  return path;
}

}  // namespace cps
