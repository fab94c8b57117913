// Generated from src/options/schema.ts by scripts/gen-options.cjs; do not edit.
#pragma once

#include "core/options.h"

// What a call on the CPU gets that gives no option. Native tests start from it.
namespace default_options {

inline cps::SourceOptions defaultSource() {
  cps::SourceOptions o = {};
  o.decodeMode = cps::DecodeMode::Throughput;
  o.uniformStrategy = cps::UniformStrategy::Auto;
  o.decodeThreads = 0;
  o.decodeThreadType = cps::ThreadType::Auto;
  o.readerCacheSize = 8;
  o.readerCacheDir = "";
  o.colorMatrix = cps::ColorMatrixOption::Auto;
  o.damaged = cps::Damaged::Error;
  o.maxFramePixels = 268435456;
  o.maxFrames = 10000000;
  o.maxMemoryBytes = 4294967296;
  return o;
}

inline cps::SamplingOptions defaultSampling() {
  cps::SamplingOptions o = {};
  o.sample = cps::SampleRule{decltype(cps::SampleRule::value)(
      std::in_place_index<0>,
      cps::CountRule{cps::Count{decltype(cps::Count::value)(std::in_place_index<0>, 16)},
                     cps::SamplePlace::Ends, std::nullopt, std::nullopt, std::nullopt, false,
                     cps::WhenShort::RepeatIds})};
  return o;
}

inline cps::DevicesOptions defaultDevices() {
  cps::DevicesOptions o = {};
  o.decodeBackend = cps::Backend::Cpu;
  o.processBackend = cps::Backend::Cpu;
  o.decodeDeviceId = 0;
  o.processDeviceId = 0;
  o.nvdecSessionPoolSize = 2;
  o.nvdecReuseOpenDecoder = true;
  return o;
}

inline cps::CallOptions defaultCall() {
  cps::CallOptions o = {};
  o.timeoutMs = 0;
  return o;
}

inline cps::PatchOptions defaultPatch() {
  cps::PatchOptions o = {};
  o.resample = cps::Resample::BilinearPlain;
  o.outputDtype = cps::DType::BF16;
  o.layout = cps::Layout::Nchw;
  o.normalize = {1, {0, 0, 0}, {1, 1, 1}};
  o.kKeep = cps::PatchBudget{decltype(cps::PatchBudget::value)(std::in_place_index<0>, 2048)};
  o.keyFramePatches = cps::KeyFramePatches::Auto;
  o.wholeFrames = cps::WholeFrames::None;
  o.minPerFrame = 0;
  o.ignore = cps::Ignore{
      decltype(cps::Ignore::value)(std::in_place_index<1>, std::vector<cps::IgnoredPart>{})};
  o.selectionUnit = cps::SelectionUnit::Patch;
  o.staticFallback = false;
  o.staticAbsThresh = 2;
  o.staticRelThresh = 0.15;
  o.staticUniformFrames = 4;
  o.energy = cps::Energy::Block;
  o.energyScope = cps::EnergyScope::Frame;
  o.intraEnergy = cps::IntraEnergy::Zero;
  o.globalMotion = cps::GlobalMotion::Keep;
  o.maps = false;
  o.minPixels = 50176;
  o.maxPixels = 50176;
  o.patchSize = 14;
  o.energyPct = 95;
  return o;
}

inline cps::FrameOptions defaultFrame() {
  cps::FrameOptions o = {};
  o.resample = cps::Resample::BilinearPlain;
  o.outputDtype = cps::DType::U8;
  o.layout = cps::FrameLayout::Thwc;
  o.normalize = {1, {0, 0, 0}, {1, 1, 1}};
  o.width = 0;
  o.height = 0;
  return o;
}

inline cps::DecodeOnlyOptions defaultDecodeOnly() {
  cps::DecodeOnlyOptions o = {};
  o.source = defaultSource();
  o.sampling = defaultSampling();
  o.devices = defaultDevices();
  o.call = defaultCall();
  o.frame = defaultFrame();
  return o;
}

inline cps::PatchStreamOptions defaultPatchStream() {
  cps::PatchStreamOptions o = {};
  o.source = defaultSource();
  o.sampling = defaultSampling();
  o.devices = defaultDevices();
  o.call = defaultCall();
  o.patch = defaultPatch();
  return o;
}

}  // namespace default_options
