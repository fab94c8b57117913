// Generated from src/options/schema.ts by scripts/gen-options.cjs; do not edit.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>

#include "core/dtype.h"
#include "core/normalize.h"

namespace cps {

enum class Backend { Auto, Gpu, Cpu };
enum class DecodeMode { Throughput, Latency };
enum class UniformStrategy { Auto, Seek, Stream };
enum class ThreadType { Auto, Frame, Slice };
enum class ColorMatrixOption { Auto, Bt601, Bt709, Bt2020 };
enum class Damaged { Error, Skip, Nearest };
enum class Energy { Block, Reference };
enum class SelectionUnit { Patch, Block2x2 };
enum class Layout { Nchw, Nhwc };

// How the values of an enumeration are written in a record.
template <typename E>
struct Spelling {
  const char* name;
  E value;
};
template <typename E>
struct Spelled;
template <>
struct Spelled<Backend> {
  static constexpr Spelling<Backend> all[] = {
      {"auto", Backend::Auto}, {"gpu", Backend::Gpu}, {"cpu", Backend::Cpu}};
};
template <>
struct Spelled<DecodeMode> {
  static constexpr Spelling<DecodeMode> all[] = {{"throughput", DecodeMode::Throughput},
                                                 {"latency", DecodeMode::Latency}};
};
template <>
struct Spelled<UniformStrategy> {
  static constexpr Spelling<UniformStrategy> all[] = {{"auto", UniformStrategy::Auto},
                                                      {"seek", UniformStrategy::Seek},
                                                      {"stream", UniformStrategy::Stream}};
};
template <>
struct Spelled<ThreadType> {
  static constexpr Spelling<ThreadType> all[] = {
      {"auto", ThreadType::Auto}, {"frame", ThreadType::Frame}, {"slice", ThreadType::Slice}};
};
template <>
struct Spelled<ColorMatrixOption> {
  static constexpr Spelling<ColorMatrixOption> all[] = {{"auto", ColorMatrixOption::Auto},
                                                        {"bt601", ColorMatrixOption::Bt601},
                                                        {"bt709", ColorMatrixOption::Bt709},
                                                        {"bt2020", ColorMatrixOption::Bt2020}};
};
template <>
struct Spelled<Damaged> {
  static constexpr Spelling<Damaged> all[] = {
      {"error", Damaged::Error}, {"skip", Damaged::Skip}, {"nearest", Damaged::Nearest}};
};
template <>
struct Spelled<Energy> {
  static constexpr Spelling<Energy> all[] = {{"block", Energy::Block},
                                             {"reference", Energy::Reference}};
};
template <>
struct Spelled<SelectionUnit> {
  static constexpr Spelling<SelectionUnit> all[] = {{"patch", SelectionUnit::Patch},
                                                    {"block2x2", SelectionUnit::Block2x2}};
};
template <>
struct Spelled<DType> {
  static constexpr Spelling<DType> all[] = {{"bfloat16", DType::BF16},
                                            {"float16", DType::F16},
                                            {"float32", DType::F32},
                                            {"uint8", DType::U8}};
};
template <>
struct Spelled<Layout> {
  static constexpr Spelling<Layout> all[] = {{"nchw", Layout::Nchw}, {"nhwc", Layout::Nhwc}};
};

// What a number may be; both ends count.
struct Limits {
  double least, most;
};
inline constexpr double kNoLimit = std::numeric_limits<double>::infinity();
inline constexpr double kLeastDouble = std::numeric_limits<double>::denorm_min();

template <typename T, typename Record>
concept RecordLike = std::same_as<std::remove_const_t<T>, Record>;

// visitFields calls v(name, field) for every field, with Limits for numbers.

// What both calls need.
struct DecodeOptions {
  int sequenceLength;
  Backend decodeBackend;
  Backend processBackend;
  int decodeDeviceId;
  int processDeviceId;
  DecodeMode decodeMode;
  UniformStrategy uniformStrategy;
  std::optional<double> uniformAutoRatio;
  int nvdecSessionPoolSize;
  bool nvdecReuseOpenDecoder;
  int decodeThreads;
  ThreadType decodeThreadType;
  int64_t readerCacheSize;
  std::string readerCacheDir;
  ColorMatrixOption colorMatrix;
  Damaged damaged;
  int64_t maxFramePixels;
  int64_t maxFrames;
  int64_t maxMemoryBytes;
  int64_t timeoutMs;
};
template <typename Visitor, RecordLike<DecodeOptions> Record>
void visitFields(Visitor&& v, Record& o) {
  v("sequenceLength", o.sequenceLength, Limits{1, 1000000});
  v("decodeBackend", o.decodeBackend);
  v("processBackend", o.processBackend);
  v("decodeDeviceId", o.decodeDeviceId, Limits{0, 1023});
  v("processDeviceId", o.processDeviceId, Limits{0, 1023});
  v("decodeMode", o.decodeMode);
  v("uniformStrategy", o.uniformStrategy);
  v("uniformAutoRatio", o.uniformAutoRatio, Limits{kLeastDouble, kNoLimit});
  v("nvdecSessionPoolSize", o.nvdecSessionPoolSize, Limits{0, 64});
  v("nvdecReuseOpenDecoder", o.nvdecReuseOpenDecoder);
  v("decodeThreads", o.decodeThreads, Limits{0, 1024});
  v("decodeThreadType", o.decodeThreadType);
  v("readerCacheSize", o.readerCacheSize, Limits{-2147483647, 2147483647});
  v("readerCacheDir", o.readerCacheDir);
  v("colorMatrix", o.colorMatrix);
  v("damaged", o.damaged);
  v("maxFramePixels", o.maxFramePixels, Limits{1, 2147483647});
  v("maxFrames", o.maxFrames, Limits{1, 2147483647});
  v("maxMemoryBytes", o.maxMemoryBytes, Limits{1048576, 9007199254740991});
  v("timeoutMs", o.timeoutMs, Limits{0, 2147483647});
}

// What patchStream needs.
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
  Layout layout;
  Normalize normalize;
};
template <typename Visitor, RecordLike<PatchOptions> Record>
void visitFields(Visitor&& v, Record& o) {
  v("energy", o.energy);
  v("minPixels", o.minPixels, Limits{1, 2147483647});
  v("maxPixels", o.maxPixels, Limits{1, 2147483647});
  v("patchSize", o.patchSize, Limits{1, 1024});
  v("kKeep", o.kKeep, Limits{1, 2147483647});
  v("selectionUnit", o.selectionUnit);
  v("staticFallback", o.staticFallback);
  v("staticAbsThresh", o.staticAbsThresh, Limits{-kNoLimit, kNoLimit});
  v("staticRelThresh", o.staticRelThresh, Limits{-kNoLimit, kNoLimit});
  v("staticUniformFrames", o.staticUniformFrames, Limits{0, 1000000});
  v("energyPct", o.energyPct, Limits{-kNoLimit, kNoLimit});
  v("outputDtype", o.outputDtype);
  v("layout", o.layout);
  v("normalize", o.normalize);
}

// What decodeOnly needs.
struct FrameOptions {
  int width;   // 0: not given
  int height;  // 0: not given
};
template <typename Visitor, RecordLike<FrameOptions> Record>
void visitFields(Visitor&& v, Record& o) {
  v("width", o.width, Limits{0, 16384});
  v("height", o.height, Limits{0, 16384});
}

}  // namespace cps
