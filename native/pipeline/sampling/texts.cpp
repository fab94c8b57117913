#include "pipeline/sampling/texts.h"

#include <array>
#include <cstdio>

namespace cps {

Error badSample(const std::string& expected, const std::string& name, const std::string& received) {
  return {ErrorCode::InvalidArgument, Stage::Options,
          "Expected " + expected + " for " + name + " but received " + received};
}

std::string frameText(int64_t frames) {
  return std::to_string(frames) + (frames == 1 ? " frame" : " frames");
}

std::string numberText(double value) {
  std::array<char, 32> text = {};
  std::snprintf(text.data(), text.size(), "%.10g", value);
  return text.data();
}

}  // namespace cps
