#include "core/options.h"

#include <cmath>
#include <limits>

#include "core/dtype.h"
#include "core/error.h"

namespace cps {
namespace {

constexpr double kInt32Max = std::numeric_limits<int32_t>::max();
constexpr double kIntegerMax = 9007199254740991.0;  // Number.MAX_SAFE_INTEGER

[[noreturn]] void outOfRange(const char* name, double value) {
  throw Error(ErrorCode::InvalidArgument, Stage::Options,
              std::string("Options record: field ") + name + " is out of range (" +
                  std::to_string(value) + ")");
}

template <typename T>
void within(const char* name, T value, double least, double most) {
  const auto wide = static_cast<double>(value);
  if (!(wide >= least && wide <= most)) outOfRange(name, wide);
}

void finite(const char* name, double value) {
  if (!std::isfinite(value)) outOfRange(name, value);
}

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

void checkRanges(const DecodeOptions& o) {
  within("sequenceLength", o.sequenceLength, 1, 1'000'000);
  within("decodeDeviceId", o.decodeDeviceId, 0, 1023);
  within("processDeviceId", o.processDeviceId, 0, 1023);
  if (o.uniformAutoRatio) {
    finite("uniformAutoRatio", *o.uniformAutoRatio);
    if (!(*o.uniformAutoRatio > 0)) outOfRange("uniformAutoRatio", *o.uniformAutoRatio);
  }
  within("nvdecSessionPoolSize", o.nvdecSessionPoolSize, 0, 64);
  within("decodeThreads", o.decodeThreads, 0, 1024);
  within("readerCacheSize", o.readerCacheSize, -kInt32Max, kInt32Max);
  within("maxFramePixels", o.maxFramePixels, 1, kInt32Max);
  within("maxFrames", o.maxFrames, 1, kInt32Max);
  within("maxMemoryBytes", o.maxMemoryBytes, 1 << 20, kIntegerMax);
  within("timeoutMs", o.timeoutMs, 0, kInt32Max);
}

void checkRanges(const PatchOptions& o) {
  within("minPixels", o.minPixels, 1, kInt32Max);
  within("maxPixels", o.maxPixels, 1, kInt32Max);
  within("patchSize", o.patchSize, 1, 1024);
  within("kKeep", o.kKeep, 1, kInt32Max);
  within("staticUniformFrames", o.staticUniformFrames, 0, 1'000'000);
  finite("staticAbsThresh", o.staticAbsThresh);
  finite("staticRelThresh", o.staticRelThresh);
  finite("energyPct", o.energyPct);
  if (const char* field = o.normalize.notFinite()) {
    throw Error(ErrorCode::InvalidArgument, Stage::Options,
                std::string("Options record: field normalize.") + field +
                    " makes values that are not finite in float32");
  }
}

void checkRanges(const FrameOptions& o) {
  within("outputWidth", o.outputWidth, 0, 16384);
  within("outputHeight", o.outputHeight, 0, 16384);
}

std::string VideoInput::describe() const {
  if (bytes) return "<memory, " + std::to_string(bytes->size()) + " bytes>";
  return path;
}

}  // namespace cps
