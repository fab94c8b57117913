#pragma once

namespace cps {

// value = (rgb * scale - mean[c]) / std[c], rgb in 0..255, applied in float32 before the cast.
struct Normalize {
  float scale;
  float mean[3];
  float std[3];
  bool isIdentity() const;
  // What makes a value infinite or undefined: "scale", "mean", "std"; null: nothing does.
  const char* notFinite() const;
};

}  // namespace cps
