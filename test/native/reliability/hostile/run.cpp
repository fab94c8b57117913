#include "reliability/hostile/run.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <mutex>
#include <vector>

#include "core/error.h"
#include "default_options.h"
#include "pipeline/pipeline.h"
#include "pipeline/sample_of.h"
#include "reliability/hostile/audit.h"

namespace hostile {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kMemoryLimit = int64_t{256} << 20;
constexpr int64_t kTimeoutMs = 20'000;
constexpr int64_t kSampled = 6;

// Written in place, so that a signal handler can read it.
char g_case[512] = "(none)";

double millisSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double cpuMillis() {
  timespec t = {};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}

int64_t residentBytes(const char* field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(field, 0) == 0) return std::stoll(line.substr(std::strlen(field))) * 1024;
  }
  return 0;
}

void resetPeak() {
  std::ofstream clear("/proc/self/clear_refs");
  clear << "5";
}

int openDescriptors() {
  int count = 0;
  DIR* dir = ::opendir("/proc/self/fd");
  if (dir == nullptr) return 0;
  while (::readdir(dir) != nullptr) ++count;
  ::closedir(dir);
  return count;
}

}  // namespace

const char* currentCase() { return g_case; }

cps::SourceOptions defaultOptions() {
  cps::SourceOptions o = default_options::defaultSource();
  o.maxFramePixels = int64_t{1} << 26;
  o.maxFrames = 1'000'000;
  o.maxMemoryBytes = kMemoryLimit;
  return o;
}

struct Runner::Given {
  int64_t index;
  double seconds;
  uint64_t hash;
};

struct Runner::Outcome {
  std::vector<Given> frames;
  int64_t total = 0;
  bool failed = false;
  cps::ErrorCode code = cps::ErrorCode::Device;
  std::string message;
  std::string foreign;  // an exception that is not ours
  double ms = 0;
};

namespace {

template <typename GivenFrames>
class HashSink final : public cps::FrameSink {
 public:
  explicit HashSink(GivenFrames& out) : out_(out) {}
  void onFrame(cps::SourceFrame frame) override {
    const uint64_t hash = hashOf(frame.view);
    const std::lock_guard<std::mutex> lock(mutex_);
    out_.push_back({frame.displayIndex, frame.timestampSec, hash});
  }

 private:
  std::mutex mutex_;
  GivenFrames& out_;
};

std::vector<int64_t> sampledIds(int64_t total) {
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < kSampled; ++i) {
    const int64_t id = i * (total - 1) / (kSampled - 1);
    if (ids.empty() || ids.back() != id) ids.push_back(id);
  }
  return ids;
}

uint64_t variantOf(const std::string& name) { return mix(std::hash<std::string>{}(name)); }

cps::SourceOptions variantOptions(uint64_t variant) {
  cps::SourceOptions o = defaultOptions();
  constexpr std::array<cps::UniformStrategy, 3> kStrategies = {
      cps::UniformStrategy::Auto, cps::UniformStrategy::Seek, cps::UniformStrategy::Stream};
  o.uniformStrategy = kStrategies[variant % 3];
  o.decodeThreads = static_cast<int>(variant / 3 % 3);
  o.decodeMode = variant / 9 % 4 == 0 ? cps::DecodeMode::Latency : cps::DecodeMode::Throughput;
  o.decodeThreadType = variant / 36 % 2 == 0 ? cps::ThreadType::Auto : cps::ThreadType::Frame;
  return o;
}

}  // namespace

Runner::Runner() : context_(std::make_unique<cps::Context>(2)) {}
Runner::~Runner() = default;

// On a machine that others keep busy a call may run into its time limit without having worked; it
// is only its own fault when the processor time says so.
Runner::Outcome Runner::call(const cps::VideoInput& input, uint64_t variant) {
  for (int attempt = 0;; ++attempt) {
    const double before = cpuMillis();
    Outcome out = callOnce(input, variant);
    const bool starved = out.failed && out.code == cps::ErrorCode::TimedOut &&
                         cpuMillis() - before < static_cast<double>(kTimeoutMs) / 4;
    if (!starved || attempt == 3) return out;
  }
}

Runner::Outcome Runner::callOnce(const cps::VideoInput& input, uint64_t variant) {
  Outcome out;
  const auto started = Clock::now();
  const cps::SourceOptions options = variantOptions(variant);
  cps::Profile profile;
  const auto cancel = std::make_shared<cps::CancelToken>();
  cancel->setDeadline(started + std::chrono::milliseconds(kTimeoutMs));
  const cps::CallContext context{options, cancel, profile};
  HashSink sink(out.frames);
  try {
    cps::namingInput([&] { return input.describe(); },
                     [&] {
                       const auto source = cps::openCpuSource(input, context, context_->media());
                       out.total = source->info().totalFrames;
                       source->decode(sampledIds(out.total), sink);
                     });
  } catch (const cps::Error& error) {
    out.failed = true;
    out.code = error.code();
    out.message = error.what();
  } catch (const std::exception& error) {
    out.foreign = error.what();
  } catch (...) {
    out.foreign = "(not a std::exception)";
  }
  out.ms = millisSince(started);
  return out;
}

// The whole chain, for its sanitizer's eyes; only that it ends in a result or an Error is checked.
void Runner::pipelineCalls(const cps::VideoInput& input, uint64_t variant,
                           const std::string& name) {
  cps::PatchStreamOptions options = default_options::defaultPatchStream();
  options.source = variantOptions(variant);
  options.sampling.sample = sampleOf(kSampled);
  cps::PatchOptions& patch = options.patch;
  patch.energy = variant % 5 == 0 ? cps::Energy::Reference : cps::Energy::Block;
  patch.minPixels = patch.maxPixels = 112 * 112;
  patch.patchSize = 14;
  patch.kKeep = {64};
  patch.staticFallback = variant % 2 == 0;
  patch.staticAbsThresh = 2;
  patch.staticRelThresh = 0.15;
  patch.staticUniformFrames = 4;
  patch.energyPct = 95;
  patch.outputDtype = cps::DType::BF16;
  patch.normalize = {1, {0, 0, 0}, {1, 1, 1}};
  const auto guard = [&](const auto& run) {
    cps::Profile profile;
    const auto cancel = std::make_shared<cps::CancelToken>();
    cancel->setDeadline(Clock::now() + std::chrono::milliseconds(kTimeoutMs));
    try {
      run(cancel, profile);
    } catch (const cps::Error& error) {
      if (std::string(error.what()).find(input.describe()) == std::string::npos) {
        violation(name, std::string("the message does not name the input: ") + error.what());
      }
    } catch (const std::exception& error) {
      violation(name, std::string("foreign exception from the pipeline: ") + error.what());
    }
  };
  guard([&](const cps::CancelPtr& cancel, cps::Profile& profile) {
    cps::runPatchStream(input, options, *context_, cancel, profile);
  });
  if (variant % 3 != 0) return;
  guard([&](const cps::CancelPtr& cancel, cps::Profile& profile) {
    cps::DecodeOnlyOptions frames{options.source, options.sampling, options.devices, options.call,
                                  default_options::defaultFrame()};
    frames.frame.width = 64;
    frames.frame.height = 48;
    cps::runDecodeOnly(input, frames, *context_, cancel, profile);
  });
}

void Runner::violation(const std::string& name, const std::string& what) {
  ++tally_.violations;
  std::fprintf(stderr, "VIOLATION %s: %s\n", name.c_str(), what.c_str());
}

void Runner::measure(const std::string& name, double ms, int64_t residentBefore) {
  if (ms > tally_.slowestMs) {
    tally_.slowestMs = ms;
    tally_.slowest = name;
  }
  const int64_t growth = residentBytes("VmHWM:") - residentBefore;
  if (growth > tally_.largestGrowth) {
    tally_.largestGrowth = growth;
    tally_.largest = name;
  }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  // Frames, result and tables each stay below the limit; decoders hold a few pictures more.
  if (growth > 2 * kMemoryLimit) {
    violation(name, "took " + std::to_string(growth >> 20) + " MiB");
  }
#endif
}

void Runner::compare(const Clip& clip, const std::string& name, const Bytes& broken,
                     const Outcome& got) {
  const auto sameTime = [](const ReferenceFrame& r, const Given& g) {
    return r.hasTime && std::abs(r.seconds - g.seconds) < 1e-6;
  };
  const auto inIntact = [&](const Given& g) {
    const auto& frames = clip.reference.frames;
    if (got.total == static_cast<int64_t>(frames.size()) && g.index < got.total &&
        frames[static_cast<size_t>(g.index)].hash == g.hash) {
      return true;
    }
    for (const ReferenceFrame& r : frames) {
      if (r.hash == g.hash && sameTime(r, g)) return true;
    }
    return false;
  };
  Reference plain, anew;
  bool havePlain = false, haveAnew = false;
  const auto inAnew = [&](const Given& g) {
    if (!haveAnew) anew = decodeReference(broken, 20'000, 20, true);
    haveAnew = true;
    return std::any_of(anew.frames.begin(), anew.frames.end(),
                       [&](const ReferenceFrame& r) { return r.hash == g.hash && sameTime(r, g); });
  };
  for (const Given& g : got.frames) {
    ++tally_.framesGiven;
    if (inIntact(g)) continue;
    if (!havePlain) {
      plain = decodeReference(broken, 20'000, 20);
      havePlain = true;
    }
    bool found = g.index < static_cast<int64_t>(plain.frames.size()) &&
                 plain.frames[static_cast<size_t>(g.index)].hash == g.hash;
    for (size_t i = 0; !found && i < plain.frames.size(); ++i) {
      found = plain.frames[i].hash == g.hash && sameTime(plain.frames[i], g);
    }
    // Damage that nothing reports may outlive a key frame in a decoder that goes on.
    if (!found && !inAnew(g)) {
      std::string elsewhere = "nowhere";
      for (size_t i = 0; i < plain.frames.size(); ++i) {
        if (plain.frames[i].hash == g.hash) elsewhere = "at " + std::to_string(i);
      }
      if (plain.missingReferences && elsewhere == "nowhere") {
        ++tally_.framesUnreferenced;
        continue;
      }
      violation(name, "frame " + std::to_string(g.index) + " of " + std::to_string(got.total) +
                          " at " + std::to_string(g.seconds) +
                          " s is neither the intact clip's nor a plain decode's (" +
                          std::to_string(plain.frames.size()) + " frames), which has it " +
                          elsewhere + "; strategy " + std::to_string(variantOf(name) % 3) +
                          ", threads " + std::to_string(variantOf(name) / 3 % 3));
      return;
    }
    ++tally_.framesChanged;
  }
}

void Runner::runBytes(const Clip& clip, const std::string& name, const Bytes& broken) {
  std::snprintf(g_case, sizeof(g_case), "%s", name.c_str());
  ++tally_.cases;
  const uint64_t variant = variantOf(name);
  cps::VideoInput input;
  input.bytes = std::make_shared<const Bytes>(broken);
  const int files = openDescriptors();
  resetPeak();
  const int64_t resident = residentBytes("VmRSS:");
  Audit::begin("");
  const Outcome got = call(input, variant);
  const double ms = got.ms;
  if (variant / 7 % 4 == 0) pipelineCalls(input, variant, name);
  for (const std::string& opened : Audit::end()) violation(name, "opened " + opened);
  measure(name, ms, resident);
  if (openDescriptors() != files) violation(name, "leaves a file open");
  if (!got.foreign.empty()) violation(name, "foreign exception: " + got.foreign);
  if (got.failed) {
    ++tally_.rejected;
    if (got.message.find(input.describe()) == std::string::npos) {
      violation(name, "the message does not name the input: " + got.message);
    }
    // Memory is there: what a file claims is the file's fault, unless a limit says so.
    const bool lacksMemory = got.code == cps::ErrorCode::OutOfMemory &&
                             got.message.find("maxMemoryBytes") == std::string::npos;
    if (got.code == cps::ErrorCode::Device || got.code == cps::ErrorCode::Aborted || lacksMemory) {
      violation(name, std::string("code ") + cps::errorCodeName(got.code) + ": " + got.message);
    }
    if (got.message.find("timeoutMs") != std::string::npos) {
      violation(name, "only the time limit ended it");
    }
  } else if (got.foreign.empty()) {
    ++tally_.decoded;
    if (got.frames.size() != sampledIds(got.total).size()) violation(name, "frames are missing");
  }
  compare(clip, name, broken, got);

  // The intact clip on the same pools, with the same options.
  cps::VideoInput intact;
  intact.bytes = std::shared_ptr<const Bytes>(std::shared_ptr<const Bytes>(), &clip.bytes);
  const Outcome after = call(intact, variant);
  if (after.failed || !after.foreign.empty()) {
    violation(name, "the intact clip fails afterwards: " + after.message + after.foreign);
  }
  for (const Given& g : after.frames) {
    if (clip.reference.frames[static_cast<size_t>(g.index)].hash != g.hash) {
      violation(name,
                "the intact clip has another frame " + std::to_string(g.index) + " afterwards");
    }
  }
}

void Runner::runPath(const std::string& path, const std::string& name, bool mayDecode) {
  std::snprintf(g_case, sizeof(g_case), "%s", name.c_str());
  ++tally_.cases;
  cps::VideoInput input;
  input.path = path;
  const int files = openDescriptors();
  const double before = cpuMillis();
  Audit::begin(path);
  const Outcome got = call(input, variantOf(name));
  for (const std::string& opened : Audit::end()) violation(name, "opened " + opened);
  if (openDescriptors() != files) violation(name, "leaves a file open");
  if (!got.foreign.empty()) violation(name, "foreign exception: " + got.foreign);
  const double worked = cpuMillis() - before;
  if (got.ms > 2000 && (worked > 1500 || got.ms > 30'000)) {  // not: waited for the processor
    violation(name, "took " + std::to_string(got.ms) + " ms");
  }
  if (got.failed) {
    ++tally_.rejected;
    if (got.message.find(path) == std::string::npos) {
      violation(name, "the message does not name the file: " + got.message);
    }
  } else {
    ++tally_.decoded;
  }
  if (got.failed == mayDecode) {
    violation(name, got.failed ? "is refused: " + got.message : "was decoded");
  }
}

}  // namespace hostile
