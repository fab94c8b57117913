#pragma once

#include "core/options.h"

// The options that native tests start from: the defaults of src/options.ts on the CPU.
namespace default_options {

inline cps::DecodeOptions defaultOptions() {
  cps::DecodeOptions o = {};
  o.sequenceLength = 16;
  o.decodeBackend = o.processBackend = cps::Backend::Cpu;
  o.decodeMode = cps::DecodeMode::Throughput;
  o.uniformStrategy = cps::UniformStrategy::Auto;
  o.nvdecSessionPoolSize = 2;
  o.decodeThreadType = cps::ThreadType::Auto;
  o.readerCacheSize = 8;
  o.colorMatrix = cps::ColorMatrixOption::Auto;
  o.damaged = cps::Damaged::Error;
  o.maxFramePixels = int64_t{1} << 28;
  o.maxFrames = int64_t{1} << 24;
  o.maxMemoryBytes = int64_t{1} << 33;
  return o;
}

inline cps::PatchOptions defaultPatch() {
  cps::PatchOptions o = {};
  o.energy = cps::Energy::Block;
  o.minPixels = o.maxPixels = 224 * 224;
  o.patchSize = 14;
  o.kKeep = 2048;
  o.selectionUnit = cps::SelectionUnit::Patch;
  o.staticAbsThresh = 2.0;
  o.staticRelThresh = 0.15;
  o.staticUniformFrames = 4;
  o.energyPct = 95;
  o.outputDtype = cps::DType::BF16;
  o.layout = cps::Layout::Nchw;
  o.normalize = {1, {0, 0, 0}, {1, 1, 1}};
  return o;
}

}  // namespace default_options
