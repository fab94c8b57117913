// Generated from src/options/schema.ts by scripts/gen-options.cjs; do not edit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/normalize.h"
#include "core/option_values.h"
#include "core/record_visit.h"

namespace cps {

struct FpsCount {
  double fps;
  std::optional<int> min;
  std::optional<int> max;
  int multipleOf;
  CountRound round;
};
template <typename Visitor, RecordLike<FpsCount> Record>
void visitFields(Visitor&& v, Record& o) {
  v("fps", o.fps, Limits{kLeastDouble, kNoLimit});
  v("min", o.min, Limits{1, 1000000});
  v("max", o.max, Limits{1, 1000000});
  v("multipleOf", o.multipleOf, Limits{1, 1000000});
  v("round", o.round);
}
template <>
inline constexpr bool kHasFields<FpsCount> = true;

struct CountRow {
  double belowSeconds;
  int frames;
};
template <typename Visitor, RecordLike<CountRow> Record>
void visitFields(Visitor&& v, Record& o) {
  v("belowSeconds", o.belowSeconds, Limits{kLeastDouble, kNoLimit});
  v("frames", o.frames, Limits{1, 1000000});
}
template <>
inline constexpr bool kHasFields<CountRow> = true;

struct Count {
  std::variant<int, FpsCount, std::vector<CountRow>> value;
};
template <typename Visitor, RecordLike<Count> Record>
void visitValue(Visitor&& v, Record& o) {
  if (auto* p = std::get_if<0>(&o.value)) v("frames", *p, Limits{1, 1000000});
  if (auto* p = std::get_if<1>(&o.value)) v("fps", *p);
  if (auto* p = std::get_if<2>(&o.value)) v("table", *p);
}
inline bool holdKind(Count& o, std::string_view kind) {
  if (kind == "frames") return o.value.emplace<0>(), true;
  if (kind == "fps") return o.value.emplace<1>(), true;
  if (kind == "table") return o.value.emplace<2>(), true;
  return false;
}
template <>
inline constexpr bool kIsUnion<Count> = true;

struct SampleRange {
  std::optional<double> fromSec;
  std::optional<double> toSec;
  std::optional<int64_t> from;
  std::optional<int64_t> to;
};
template <typename Visitor, RecordLike<SampleRange> Record>
void visitFields(Visitor&& v, Record& o) {
  v("fromSec", o.fromSec, Limits{0, kNoLimit});
  v("toSec", o.toSec, Limits{0, kNoLimit});
  v("from", o.from, Limits{-9007199254740991, 9007199254740991});
  v("to", o.to, Limits{-9007199254740991, 9007199254740991});
}
template <>
inline constexpr bool kHasFields<SampleRange> = true;

struct CountRule {
  Count count;
  SamplePlace place;
  std::optional<SampleOnly> only;
  std::optional<SampleRange> range;
  std::optional<double> trim;
  bool unique;
  WhenShort short_;
};
template <typename Visitor, RecordLike<CountRule> Record>
void visitFields(Visitor&& v, Record& o) {
  v("count", o.count);
  v("place", o.place);
  v("only", o.only);
  v("range", o.range);
  v("trim", o.trim, Limits{0, kNoLimit});
  v("unique", o.unique);
  v("short", o.short_);
}
template <>
inline constexpr bool kHasFields<CountRule> = true;

struct ClipStart {
  std::variant<int64_t, ClipPlace> value;
};
template <typename Visitor, RecordLike<ClipStart> Record>
void visitValue(Visitor&& v, Record& o) {
  if (auto* p = std::get_if<0>(&o.value)) v("position", *p, Limits{0, 9007199254740991});
  if (auto* p = std::get_if<1>(&o.value)) v("place", *p);
}
inline bool holdKind(ClipStart& o, std::string_view kind) {
  if (kind == "position") return o.value.emplace<0>(), true;
  if (kind == "place") return o.value.emplace<1>(), true;
  return false;
}
template <>
inline constexpr bool kIsUnion<ClipStart> = true;

struct ClipRule {
  int clip;
  int stride;
  ClipStart start;
  double seed;  // 0.8537315205905371: not given
  std::optional<SampleOnly> only;
  std::optional<SampleRange> range;
  std::optional<double> trim;
  bool unique;
  WhenShort short_;
};
template <typename Visitor, RecordLike<ClipRule> Record>
void visitFields(Visitor&& v, Record& o) {
  v("clip", o.clip, Limits{1, 1000000});
  v("stride", o.stride, Limits{1, 1000000});
  v("start", o.start);
  v("seed", o.seed, Limits{-kNoLimit, kNoLimit});
  v("only", o.only);
  v("range", o.range);
  v("trim", o.trim, Limits{0, kNoLimit});
  v("unique", o.unique);
  v("short", o.short_);
}
template <>
inline constexpr bool kHasFields<ClipRule> = true;

struct IndicesRule {
  std::vector<int64_t> indices;
};
template <typename Visitor, RecordLike<IndicesRule> Record>
void visitFields(Visitor&& v, Record& o) {
  v("indices", o.indices, Limits{-9007199254740991, 9007199254740991});
}
template <>
inline constexpr bool kHasFields<IndicesRule> = true;

struct TimesRule {
  std::vector<double> timesSec;
};
template <typename Visitor, RecordLike<TimesRule> Record>
void visitFields(Visitor&& v, Record& o) {
  v("timesSec", o.timesSec, Limits{0, kNoLimit});
}
template <>
inline constexpr bool kHasFields<TimesRule> = true;

struct SampleRule {
  std::variant<CountRule, ClipRule, IndicesRule, TimesRule> value;
};
template <typename Visitor, RecordLike<SampleRule> Record>
void visitValue(Visitor&& v, Record& o) {
  if (auto* p = std::get_if<0>(&o.value)) v("count", *p);
  if (auto* p = std::get_if<1>(&o.value)) v("clip", *p);
  if (auto* p = std::get_if<2>(&o.value)) v("indices", *p);
  if (auto* p = std::get_if<3>(&o.value)) v("timesSec", *p);
}
inline bool holdKind(SampleRule& o, std::string_view kind) {
  if (kind == "count") return o.value.emplace<0>(), true;
  if (kind == "clip") return o.value.emplace<1>(), true;
  if (kind == "indices") return o.value.emplace<2>(), true;
  if (kind == "timesSec") return o.value.emplace<3>(), true;
  return false;
}
template <>
inline constexpr bool kIsUnion<SampleRule> = true;

struct HeightWidth {
  int height;
  int width;
};
template <typename Visitor, RecordLike<HeightWidth> Record>
void visitFields(Visitor&& v, Record& o) {
  v("height", o.height, Limits{1, 16384});
  v("width", o.width, Limits{1, 16384});
}
template <>
inline constexpr bool kHasFields<HeightWidth> = true;

struct ExactSize {
  HeightWidth exact;
};
template <typename Visitor, RecordLike<ExactSize> Record>
void visitFields(Visitor&& v, Record& o) {
  v("exact", o.exact);
}
template <>
inline constexpr bool kHasFields<ExactSize> = true;

struct ShortSize {
  int short_;
  int crop;  // 0: not given
};
template <typename Visitor, RecordLike<ShortSize> Record>
void visitFields(Visitor&& v, Record& o) {
  v("short", o.short_, Limits{1, 16384});
  v("crop", o.crop, Limits{0, 16384});
}
template <>
inline constexpr bool kHasFields<ShortSize> = true;

struct LongSize {
  int long_;
  bool even;
  bool pad;
};
template <typename Visitor, RecordLike<LongSize> Record>
void visitFields(Visitor&& v, Record& o) {
  v("long", o.long_, Limits{1, 16384});
  v("even", o.even);
  v("pad", o.pad);
}
template <>
inline constexpr bool kHasFields<LongSize> = true;

struct AreaBounds {
  int64_t min;
  int64_t max;
};
template <typename Visitor, RecordLike<AreaBounds> Record>
void visitFields(Visitor&& v, Record& o) {
  v("min", o.min, Limits{1, 2147483647});
  v("max", o.max, Limits{1, 2147483647});
}
template <>
inline constexpr bool kHasFields<AreaBounds> = true;

struct SizeCap {
  int64_t tokens;
  double share;
};
template <typename Visitor, RecordLike<SizeCap> Record>
void visitFields(Visitor&& v, Record& o) {
  v("tokens", o.tokens, Limits{1, 2147483647});
  v("share", o.share, Limits{kLeastDouble, 1});
}
template <>
inline constexpr bool kHasFields<SizeCap> = true;

struct AreaSize {
  AreaBounds area;
  int multipleOf;
  AreaOf of;
  int framesPerStep;
  AreaBranch branch;
  bool maxOverFrames;
  std::optional<SizeCap> cap;
};
template <typename Visitor, RecordLike<AreaSize> Record>
void visitFields(Visitor&& v, Record& o) {
  v("area", o.area);
  v("multipleOf", o.multipleOf, Limits{1, 1024});
  v("of", o.of);
  v("framesPerStep", o.framesPerStep, Limits{1, 1024});
  v("branch", o.branch);
  v("maxOverFrames", o.maxOverFrames);
  v("cap", o.cap);
}
template <>
inline constexpr bool kHasFields<AreaSize> = true;

struct PatchesSize {
  int patches;
  int patchSize;
};
template <typename Visitor, RecordLike<PatchesSize> Record>
void visitFields(Visitor&& v, Record& o) {
  v("patches", o.patches, Limits{1, 1000000});
  v("patchSize", o.patchSize, Limits{1, 1024});
}
template <>
inline constexpr bool kHasFields<PatchesSize> = true;

struct SizeRule {
  std::variant<ExactSize, ShortSize, LongSize, AreaSize, PatchesSize> value;
};
template <typename Visitor, RecordLike<SizeRule> Record>
void visitValue(Visitor&& v, Record& o) {
  if (auto* p = std::get_if<0>(&o.value)) v("exact", *p);
  if (auto* p = std::get_if<1>(&o.value)) v("short", *p);
  if (auto* p = std::get_if<2>(&o.value)) v("long", *p);
  if (auto* p = std::get_if<3>(&o.value)) v("area", *p);
  if (auto* p = std::get_if<4>(&o.value)) v("patches", *p);
}
inline bool holdKind(SizeRule& o, std::string_view kind) {
  if (kind == "exact") return o.value.emplace<0>(), true;
  if (kind == "short") return o.value.emplace<1>(), true;
  if (kind == "long") return o.value.emplace<2>(), true;
  if (kind == "area") return o.value.emplace<3>(), true;
  if (kind == "patches") return o.value.emplace<4>(), true;
  return false;
}
template <>
inline constexpr bool kIsUnion<SizeRule> = true;

struct CropScale {
  double min;
  double max;
};
template <typename Visitor, RecordLike<CropScale> Record>
void visitFields(Visitor&& v, Record& o) {
  v("min", o.min, Limits{0.0001, 1});
  v("max", o.max, Limits{0.0001, 1});
}
template <>
inline constexpr bool kHasFields<CropScale> = true;

struct CropRatio {
  double min;
  double max;
};
template <typename Visitor, RecordLike<CropRatio> Record>
void visitFields(Visitor&& v, Record& o) {
  v("min", o.min, Limits{0.01, 100});
  v("max", o.max, Limits{0.01, 100});
}
template <>
inline constexpr bool kHasFields<CropRatio> = true;

struct ResizedCrop {
  CropScale scale;
  CropRatio ratio;
};
template <typename Visitor, RecordLike<ResizedCrop> Record>
void visitFields(Visitor&& v, Record& o) {
  v("scale", o.scale);
  v("ratio", o.ratio);
}
template <>
inline constexpr bool kHasFields<ResizedCrop> = true;

struct AugmentCrop {
  std::variant<CropPlace, ResizedCrop> value;
};
template <typename Visitor, RecordLike<AugmentCrop> Record>
void visitValue(Visitor&& v, Record& o) {
  if (auto* p = std::get_if<0>(&o.value)) v("place", *p);
  if (auto* p = std::get_if<1>(&o.value)) v("scale", *p);
}
inline bool holdKind(AugmentCrop& o, std::string_view kind) {
  if (kind == "place") return o.value.emplace<0>(), true;
  if (kind == "scale") return o.value.emplace<1>(), true;
  return false;
}
template <>
inline constexpr bool kIsUnion<AugmentCrop> = true;

struct AugmentRule {
  std::optional<AugmentCrop> crop;
  double flip;
  std::vector<double> seed;
};
template <typename Visitor, RecordLike<AugmentRule> Record>
void visitFields(Visitor&& v, Record& o) {
  v("crop", o.crop);
  v("flip", o.flip, Limits{0, 1});
  v("seed", o.seed, Limits{0, 1});
}
template <>
inline constexpr bool kHasFields<AugmentRule> = true;

struct FramesBudget {
  double frames;
};
template <typename Visitor, RecordLike<FramesBudget> Record>
void visitFields(Visitor&& v, Record& o) {
  v("frames", o.frames, Limits{kLeastDouble, kNoLimit});
}
template <>
inline constexpr bool kHasFields<FramesBudget> = true;

struct RateBudget {
  double perSecond;
  std::optional<int64_t> min;
  std::optional<int64_t> max;
};
template <typename Visitor, RecordLike<RateBudget> Record>
void visitFields(Visitor&& v, Record& o) {
  v("perSecond", o.perSecond, Limits{kLeastDouble, kNoLimit});
  v("min", o.min, Limits{1, 2147483647});
  v("max", o.max, Limits{1, 2147483647});
}
template <>
inline constexpr bool kHasFields<RateBudget> = true;

struct PatchBudget {
  std::variant<int64_t, FramesBudget, RateBudget> value;
};
template <typename Visitor, RecordLike<PatchBudget> Record>
void visitValue(Visitor&& v, Record& o) {
  if (auto* p = std::get_if<0>(&o.value)) v("patches", *p, Limits{1, 2147483647});
  if (auto* p = std::get_if<1>(&o.value)) v("frames", *p);
  if (auto* p = std::get_if<2>(&o.value)) v("perSecond", *p);
}
inline bool holdKind(PatchBudget& o, std::string_view kind) {
  if (kind == "patches") return o.value.emplace<0>(), true;
  if (kind == "frames") return o.value.emplace<1>(), true;
  if (kind == "perSecond") return o.value.emplace<2>(), true;
  return false;
}
template <>
inline constexpr bool kIsUnion<PatchBudget> = true;

struct Rectangle {
  double x;
  double y;
  double width;
  double height;
};
template <typename Visitor, RecordLike<Rectangle> Record>
void visitFields(Visitor&& v, Record& o) {
  v("x", o.x, Limits{0, 1});
  v("y", o.y, Limits{0, 1});
  v("width", o.width, Limits{0.000001, 1});
  v("height", o.height, Limits{0.000001, 1});
}
template <>
inline constexpr bool kHasFields<Rectangle> = true;

struct IgnoredPart {
  std::variant<IgnoredBars, Rectangle> value;
};
template <typename Visitor, RecordLike<IgnoredPart> Record>
void visitValue(Visitor&& v, Record& o) {
  if (auto* p = std::get_if<0>(&o.value)) v("letterbox", *p);
  if (auto* p = std::get_if<1>(&o.value)) v("width", *p);
}
inline bool holdKind(IgnoredPart& o, std::string_view kind) {
  if (kind == "letterbox") return o.value.emplace<0>(), true;
  if (kind == "width") return o.value.emplace<1>(), true;
  return false;
}
template <>
inline constexpr bool kIsUnion<IgnoredPart> = true;

struct Ignore {
  std::variant<IgnoredBars, std::vector<IgnoredPart>> value;
};
template <typename Visitor, RecordLike<Ignore> Record>
void visitValue(Visitor&& v, Record& o) {
  if (auto* p = std::get_if<0>(&o.value)) v("letterbox", *p);
  if (auto* p = std::get_if<1>(&o.value)) v("parts", *p);
}
inline bool holdKind(Ignore& o, std::string_view kind) {
  if (kind == "letterbox") return o.value.emplace<0>(), true;
  if (kind == "parts") return o.value.emplace<1>(), true;
  return false;
}
template <>
inline constexpr bool kIsUnion<Ignore> = true;

// What opening and decoding a video needs.
struct SourceOptions {
  DecodeMode decodeMode;
  UniformStrategy uniformStrategy;
  std::optional<double> uniformAutoRatio;
  int decodeThreads;
  ThreadType decodeThreadType;
  int64_t readerCacheSize;
  std::string readerCacheDir;
  ColorMatrixOption colorMatrix;
  Damaged damaged;
  int64_t maxFramePixels;
  int64_t maxFrames;
  int64_t maxMemoryBytes;
};
template <typename Visitor, RecordLike<SourceOptions> Record>
void visitFields(Visitor&& v, Record& o) {
  v("decodeMode", o.decodeMode);
  v("uniformStrategy", o.uniformStrategy);
  v("uniformAutoRatio", o.uniformAutoRatio, Limits{kLeastDouble, kNoLimit});
  v("decodeThreads", o.decodeThreads, Limits{0, 1024});
  v("decodeThreadType", o.decodeThreadType);
  v("readerCacheSize", o.readerCacheSize, Limits{-2147483647, 2147483647});
  v("readerCacheDir", o.readerCacheDir);
  v("colorMatrix", o.colorMatrix);
  v("damaged", o.damaged);
  v("maxFramePixels", o.maxFramePixels, Limits{1, 2147483647});
  v("maxFrames", o.maxFrames, Limits{1, 2147483647});
  v("maxMemoryBytes", o.maxMemoryBytes, Limits{1048576, 9007199254740991});
}
template <>
inline constexpr bool kHasFields<SourceOptions> = true;

// Which frames are wanted.
struct SamplingOptions {
  SampleRule sample;
};
template <typename Visitor, RecordLike<SamplingOptions> Record>
void visitFields(Visitor&& v, Record& o) {
  v("sample", o.sample);
}
template <>
inline constexpr bool kHasFields<SamplingOptions> = true;

// Where decoding and all after it run.
struct DevicesOptions {
  Backend decodeBackend;
  Backend processBackend;
  int decodeDeviceId;
  int processDeviceId;
  int nvdecSessionPoolSize;
  bool nvdecReuseOpenDecoder;
};
template <typename Visitor, RecordLike<DevicesOptions> Record>
void visitFields(Visitor&& v, Record& o) {
  v("decodeBackend", o.decodeBackend);
  v("processBackend", o.processBackend);
  v("decodeDeviceId", o.decodeDeviceId, Limits{0, 1023});
  v("processDeviceId", o.processDeviceId, Limits{0, 1023});
  v("nvdecSessionPoolSize", o.nvdecSessionPoolSize, Limits{0, 64});
  v("nvdecReuseOpenDecoder", o.nvdecReuseOpenDecoder);
}
template <>
inline constexpr bool kHasFields<DevicesOptions> = true;

// What holds for a call as a whole.
struct CallOptions {
  int64_t timeoutMs;
};
template <typename Visitor, RecordLike<CallOptions> Record>
void visitFields(Visitor&& v, Record& o) {
  v("timeoutMs", o.timeoutMs, Limits{0, 2147483647});
}
template <>
inline constexpr bool kHasFields<CallOptions> = true;

// What becomes of the frames in patchStream.
struct PatchOptions {
  std::optional<std::vector<SizeRule>> size;
  Resample resample;
  std::optional<AugmentRule> augment;
  DType outputDtype;
  Layout layout;
  Normalize normalize;
  PatchBudget kKeep;
  KeyFramePatches keyFramePatches;
  WholeFrames wholeFrames;
  double minPerFrame;
  std::optional<double> maxPerFrame;
  Ignore ignore;
  SelectionUnit selectionUnit;
  bool staticFallback;
  double staticAbsThresh;
  double staticRelThresh;
  int staticUniformFrames;
  Energy energy;
  EnergyScope energyScope;
  IntraEnergy intraEnergy;
  GlobalMotion globalMotion;
  bool maps;
  int64_t minPixels;
  int64_t maxPixels;
  int patchSize;
  double energyPct;
};
template <typename Visitor, RecordLike<PatchOptions> Record>
void visitFields(Visitor&& v, Record& o) {
  v("size", o.size);
  v("resample", o.resample);
  v("augment", o.augment);
  v("outputDtype", o.outputDtype);
  v("layout", o.layout);
  v("normalize", o.normalize);
  v("kKeep", o.kKeep);
  v("keyFramePatches", o.keyFramePatches);
  v("wholeFrames", o.wholeFrames);
  v("minPerFrame", o.minPerFrame, Limits{0, 2147483647});
  v("maxPerFrame", o.maxPerFrame, Limits{kLeastDouble, 2147483647});
  v("ignore", o.ignore);
  v("selectionUnit", o.selectionUnit);
  v("staticFallback", o.staticFallback);
  v("staticAbsThresh", o.staticAbsThresh, Limits{-kNoLimit, kNoLimit});
  v("staticRelThresh", o.staticRelThresh, Limits{-kNoLimit, kNoLimit});
  v("staticUniformFrames", o.staticUniformFrames, Limits{0, 1000000});
  v("energy", o.energy);
  v("energyScope", o.energyScope);
  v("intraEnergy", o.intraEnergy);
  v("globalMotion", o.globalMotion);
  v("maps", o.maps);
  v("minPixels", o.minPixels, Limits{1, 2147483647});
  v("maxPixels", o.maxPixels, Limits{1, 2147483647});
  v("patchSize", o.patchSize, Limits{1, 1024});
  v("energyPct", o.energyPct, Limits{-kNoLimit, kNoLimit});
}
template <>
inline constexpr bool kHasFields<PatchOptions> = true;

// What becomes of the frames in decodeOnly.
struct FrameOptions {
  std::optional<std::vector<SizeRule>> size;
  Resample resample;
  std::optional<AugmentRule> augment;
  DType outputDtype;
  FrameLayout layout;
  Normalize normalize;
  int width;   // 0: not given
  int height;  // 0: not given
};
template <typename Visitor, RecordLike<FrameOptions> Record>
void visitFields(Visitor&& v, Record& o) {
  v("size", o.size);
  v("resample", o.resample);
  v("augment", o.augment);
  v("outputDtype", o.outputDtype);
  v("layout", o.layout);
  v("normalize", o.normalize);
  v("width", o.width, Limits{0, 16384});
  v("height", o.height, Limits{0, 16384});
}
template <>
inline constexpr bool kHasFields<FrameOptions> = true;

// The records of a call of decodeOnly.
struct DecodeOnlyOptions {
  SourceOptions source;
  SamplingOptions sampling;
  DevicesOptions devices;
  CallOptions call;
  FrameOptions frame;
};
template <typename Visitor, RecordLike<DecodeOnlyOptions> Call>
void visitRecords(Visitor&& v, Call& o) {
  v("source", o.source);
  v("sampling", o.sampling);
  v("devices", o.devices);
  v("call", o.call);
  v("frame", o.frame);
}

// The records of a call of patchStream.
struct PatchStreamOptions {
  SourceOptions source;
  SamplingOptions sampling;
  DevicesOptions devices;
  CallOptions call;
  PatchOptions patch;
};
template <typename Visitor, RecordLike<PatchStreamOptions> Call>
void visitRecords(Visitor&& v, Call& o) {
  v("source", o.source);
  v("sampling", o.sampling);
  v("devices", o.devices);
  v("call", o.call);
  v("patch", o.patch);
}

}  // namespace cps
