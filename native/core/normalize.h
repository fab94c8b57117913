#pragma once

#include <optional>

namespace cps {

// value = (rgb * scale - offset - mean[c]) / std[c], rgb in 0..255, in float32 before the cast.
// What is known to be 8-bit is normalised by Note [Value tables] (ops/pixels/values.h).
struct Normalize {
  double scale;  // as it was given: its inverse is what 8-bit values are normalised with
  float mean[3];
  float std[3];
  std::optional<float> offset = std::nullopt;
  bool isIdentity() const;
  // What makes a value infinite or undefined: "scale", "mean", "std"; null: nothing does.
  const char* notFinite() const;
};

}  // namespace cps
