#pragma once

#include <sys/resource.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "core/options.h"
#include "core/profile.h"
#include "media/decode/cpu_source.h"
#include "media/index/frame_index.h"
#include "pipeline/sampling/sampling.h"

namespace cps::bench {

// The defaults of src/options.ts that concern decoding on the CPU, with every limit open.
inline SourceOptions sourceOptions() {
  SourceOptions o{};
  o.decodeMode = DecodeMode::Throughput;
  o.uniformStrategy = UniformStrategy::Auto;
  o.decodeThreadType = ThreadType::Auto;
  o.colorMatrix = ColorMatrixOption::Auto;
  o.maxFramePixels = o.maxFrames = o.maxMemoryBytes = int64_t{1} << 50;
  return o;
}

struct Usage {
  double wallMs = 0;
  double cpuMs = 0;
};

inline double processCpuMs() {
  rusage u{};
  getrusage(RUSAGE_SELF, &u);
  const auto ms = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_usec) / 1e3;
  };
  return ms(u.ru_utime) + ms(u.ru_stime);
}

// Wall and processor time of fn().
template <typename F>
Usage measure(const F& fn) {
  const double cpu = processCpuMs();
  const auto start = std::chrono::steady_clock::now();
  fn();
  const auto end = std::chrono::steady_clock::now();
  return {std::chrono::duration<double, std::milli>(end - start).count(), processCpuMs() - cpu};
}

}  // namespace cps::bench
