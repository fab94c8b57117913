// Generated from src/options/schema.ts by scripts/gen-options.cjs; do not edit.
#pragma once

#include "core/dtype.h"
#include "core/record_visit.h"

namespace cps {

enum class DecodeMode { Throughput, Latency };
enum class UniformStrategy { Auto, Seek, Stream };
enum class ThreadType { Auto, Frame, Slice };
enum class ColorMatrixOption { Auto, Bt601, Bt709, Bt2020 };
enum class Damaged { Error, Skip, Nearest };
enum class CountRound { Floor, Nearest };
enum class SamplePlace { Ends, EndsRound, Linspace, Starts, Middles, Every, Times };
enum class SampleOnly { KeyFrames };
enum class WhenShort { RepeatIds, All, RepeatLast, Error };
enum class ClipPlace { Centre, Random };
enum class Backend { Auto, Gpu, Cpu };
enum class AreaOf { Frame, Video };
enum class AreaBranch { Rounded, Original, FactorFirst };
enum class Resample { BilinearPlain, Bilinear, Bicubic, Lanczos, Area };
enum class CropPlace { Random };
enum class Layout { Nchw, Nhwc };
enum class KeyFramePatches { Auto, BeforeOthers, Compete, None };
enum class WholeFrames { None, First };
enum class IgnoredBars { Letterbox };
enum class SelectionUnit { Patch, Block2x2 };
enum class Energy { Block, Adjacent, Accumulated, Codec, Reference };
enum class EnergyScope { Frame, Video };
enum class IntraEnergy { Zero, Texture };
enum class GlobalMotion { Keep, Subtract };
enum class FrameLayout { Thwc, Tchw, Cthw };

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
struct Spelled<CountRound> {
  static constexpr Spelling<CountRound> all[] = {{"floor", CountRound::Floor},
                                                 {"nearest", CountRound::Nearest}};
};
template <>
struct Spelled<SamplePlace> {
  static constexpr Spelling<SamplePlace> all[] = {
      {"ends", SamplePlace::Ends},         {"ends-round", SamplePlace::EndsRound},
      {"linspace", SamplePlace::Linspace}, {"starts", SamplePlace::Starts},
      {"middles", SamplePlace::Middles},   {"every", SamplePlace::Every},
      {"times", SamplePlace::Times}};
};
template <>
struct Spelled<SampleOnly> {
  static constexpr Spelling<SampleOnly> all[] = {{"key-frames", SampleOnly::KeyFrames}};
};
template <>
struct Spelled<WhenShort> {
  static constexpr Spelling<WhenShort> all[] = {{"repeat-ids", WhenShort::RepeatIds},
                                                {"all", WhenShort::All},
                                                {"repeat-last", WhenShort::RepeatLast},
                                                {"error", WhenShort::Error}};
};
template <>
struct Spelled<ClipPlace> {
  static constexpr Spelling<ClipPlace> all[] = {{"centre", ClipPlace::Centre},
                                                {"random", ClipPlace::Random}};
};
template <>
struct Spelled<Backend> {
  static constexpr Spelling<Backend> all[] = {
      {"auto", Backend::Auto}, {"gpu", Backend::Gpu}, {"cpu", Backend::Cpu}};
};
template <>
struct Spelled<AreaOf> {
  static constexpr Spelling<AreaOf> all[] = {{"frame", AreaOf::Frame}, {"video", AreaOf::Video}};
};
template <>
struct Spelled<AreaBranch> {
  static constexpr Spelling<AreaBranch> all[] = {{"rounded", AreaBranch::Rounded},
                                                 {"original", AreaBranch::Original},
                                                 {"factor-first", AreaBranch::FactorFirst}};
};
template <>
struct Spelled<Resample> {
  static constexpr Spelling<Resample> all[] = {{"bilinear-plain", Resample::BilinearPlain},
                                               {"bilinear", Resample::Bilinear},
                                               {"bicubic", Resample::Bicubic},
                                               {"lanczos", Resample::Lanczos},
                                               {"area", Resample::Area}};
};
template <>
struct Spelled<CropPlace> {
  static constexpr Spelling<CropPlace> all[] = {{"random", CropPlace::Random}};
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
template <>
struct Spelled<KeyFramePatches> {
  static constexpr Spelling<KeyFramePatches> all[] = {
      {"auto", KeyFramePatches::Auto},
      {"before-others", KeyFramePatches::BeforeOthers},
      {"compete", KeyFramePatches::Compete},
      {"none", KeyFramePatches::None}};
};
template <>
struct Spelled<WholeFrames> {
  static constexpr Spelling<WholeFrames> all[] = {{"none", WholeFrames::None},
                                                  {"first", WholeFrames::First}};
};
template <>
struct Spelled<IgnoredBars> {
  static constexpr Spelling<IgnoredBars> all[] = {{"letterbox", IgnoredBars::Letterbox}};
};
template <>
struct Spelled<SelectionUnit> {
  static constexpr Spelling<SelectionUnit> all[] = {{"patch", SelectionUnit::Patch},
                                                    {"block2x2", SelectionUnit::Block2x2}};
};
template <>
struct Spelled<Energy> {
  static constexpr Spelling<Energy> all[] = {{"block", Energy::Block},
                                             {"adjacent", Energy::Adjacent},
                                             {"accumulated", Energy::Accumulated},
                                             {"codec", Energy::Codec},
                                             {"reference", Energy::Reference}};
};
template <>
struct Spelled<EnergyScope> {
  static constexpr Spelling<EnergyScope> all[] = {{"frame", EnergyScope::Frame},
                                                  {"video", EnergyScope::Video}};
};
template <>
struct Spelled<IntraEnergy> {
  static constexpr Spelling<IntraEnergy> all[] = {{"zero", IntraEnergy::Zero},
                                                  {"texture", IntraEnergy::Texture}};
};
template <>
struct Spelled<GlobalMotion> {
  static constexpr Spelling<GlobalMotion> all[] = {{"keep", GlobalMotion::Keep},
                                                   {"subtract", GlobalMotion::Subtract}};
};
template <>
struct Spelled<FrameLayout> {
  static constexpr Spelling<FrameLayout> all[] = {
      {"thwc", FrameLayout::Thwc}, {"tchw", FrameLayout::Tchw}, {"cthw", FrameLayout::Cthw}};
};

}  // namespace cps
