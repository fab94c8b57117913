#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "backend/kernels.h"
#include "core/options.h"
#include "cuda/check/json.h"
#include "cuda/driver/registry.h"

// The parts of gpu_check. Each writes members of one open JSON object.
namespace cps {

using Clock = std::chrono::steady_clock;
inline double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

inline DevicesOptions checkDevices(int sessions = 16) {
  DevicesOptions o{};
  o.decodeBackend = o.processBackend = Backend::Gpu;
  o.nvdecSessionPoolSize = sessions;
  o.nvdecReuseOpenDecoder = true;
  return o;
}
inline SourceOptions checkOptions() {
  SourceOptions o{};
  o.uniformStrategy = UniformStrategy::Stream;
  o.decodeThreads = 1;
  o.readerCacheSize = 8;
  o.maxFramePixels = o.maxFrames = o.maxMemoryBytes = int64_t{1} << 40;
  return o;
}

// Driver, devices, what NVDEC decodes.
void reportFacts(Json& json, GpuRegistry& registry);
// Pictures per second with 1 to 16 streams against a bare NVDEC loop, and NVDEC's utilisation.
// Each measurement takes `seconds`.
void benchDecoding(Json& json, GpuRegistry& registry, const std::string& clip, double seconds);
// Milliseconds of every stage after decode.
void benchStages(Json& json, GpuRegistry& registry, int32_t width, int32_t height, int32_t frames);
// Memory that leaks, memory that runs out, an error that breaks the CUDA context. Returns how many
// of the checks failed. `breakContext` is the last: nothing may follow in this process.
using BreakContext = std::function<void(Kernels& kernels)>;
int checkFaults(Json& json, GpuRegistry& registry, const std::string& clip, int calls,
                const BreakContext& breakContext);

// What differs between a GPU (real_gpu.cpp) and the fake driver
// (test/native/cuda/check/check_fake.cpp).
struct CheckSetup {
  DriverPaths driver;
  double seconds;  // of each measurement
  int calls;       // after which as much memory is in use as after a few
  std::vector<std::pair<int32_t, int32_t>> sizes;  // of the pictures that stages are timed with
  std::vector<int32_t> frames;                     // and how many
  BreakContext breakContext;
};
CheckSetup checkSetup();

}  // namespace cps
