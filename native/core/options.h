#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/dtype.h"

namespace cps {

// Note [Complete options]
// src/options.ts is the only place that knows names, types, defaults and ranges. What arrives here
// is complete and checked; there are no defaults on this side, and native/napi/options_reader.cpp
// refuses a record with a field missing. Field names equal the option names.

enum class Backend { Auto, Gpu, Cpu };
enum class DecodeMode { Throughput, Latency };
enum class UniformStrategy { Auto, Seek, Stream };
enum class ThreadType { Auto, Frame, Slice };
enum class Damaged { Error, Skip, Nearest };
enum class ColorMatrixOption { Auto, Bt601, Bt709, Bt2020 };
enum class Energy { Block, Reference };
enum class SelectionUnit { Patch, Block2x2 };
enum class Layout { Nchw, Nhwc };

struct DecodeOptions {
  int64_t sequenceLength;
  Backend decodeBackend;
  Backend processBackend;
  int decodeDeviceId;
  int processDeviceId;
  DecodeMode decodeMode;
  UniformStrategy uniformStrategy;
  std::optional<double> uniformAutoRatio;
  int nvdecSessionPoolSize;
  bool nvdecReuseOpenDecoder;
  int decodeThreads;  // 0: from the process-wide budget
  ThreadType decodeThreadType;
  int64_t readerCacheSize;     // <= 0 disables
  std::string readerCacheDir;  // empty: none; "beside" (media/index_file.h)
  ColorMatrixOption colorMatrix;
  Damaged damaged;  // Note [Damaged frames] in pipeline/damage.h
  // Limits, checked before anything is allocated on a file's word.
  int64_t maxFramePixels;
  int64_t maxFrames;
  int64_t maxMemoryBytes;
  int64_t timeoutMs;  // 0: none
};

// value = (rgb * scale - mean[c]) / std[c], rgb in 0..255, applied in float32 before the cast.
struct Normalize {
  float scale;
  float mean[3];
  float std[3];
  bool isIdentity() const;
};

struct PatchOptions {
  Energy energy;
  int64_t minPixels;
  int64_t maxPixels;
  int patchSize;
  int64_t kKeep;
  SelectionUnit selectionUnit;
  bool staticFallback;
  double staticAbsThresh;
  double staticRelThresh;
  int staticUniformFrames;
  double energyPct;
  DType outputDtype;
  Layout layout;  // of one patch: [3,P,P] or [P,P,3]
  Normalize normalize;
};

// decodeOnly only: an optional fixed output size (0: the video's own).
struct FrameOptions {
  int outputWidth;
  int outputHeight;
};

// src/options.ts has checked these ranges with better messages; this keeps a record that did not
// come from there from doing harm. Throws Error(InvalidArgument) naming the field.
// test/option-ranges.test.ts compares the two.
void checkRanges(const DecodeOptions& options);
void checkRanges(const PatchOptions& options);
void checkRanges(const FrameOptions& options);

// What to open. Exactly one of the two is set.
struct VideoInput {
  std::string path;                                   // a local path, never a URL
  std::shared_ptr<const std::vector<uint8_t>> bytes;  // or the whole file in memory
  // For messages: the path, or "<memory, N bytes>".
  std::string describe() const;
};

}  // namespace cps
