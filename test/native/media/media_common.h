#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/error.h"
#include "default_options.h"
#include "long_form.h"
#include "media/decode/cpu_source.h"
#include "media/decode/frame_source.h"

namespace media_test {

struct Fixture {
  std::string name;
  std::vector<std::string> features;
  bool has(const std::string& feature) const;
  std::string path() const;
};

// The folder that CPS_FIXTURES names; fails the test when it is not set.
std::string fixtureDir();
// The clips of the manifest, good or bad.
std::vector<Fixture> fixtures(bool bad = false);
std::string fixturePath(const std::string& name);

// One picture of a plain sequential libavcodec decode of the whole file: the samples of its first
// one or three components (alpha left out), hashed.
struct ReferenceFrame {
  uint64_t hash = 0;
  int width = 0, height = 0;
  double seconds = 0;
  bool hasTime = false;
};
std::vector<ReferenceFrame> decodeSequentially(const std::string& path);

// The same hash over what a FrameView shows.
uint64_t hashOf(const cps::FrameView& view);
// All samples, plane by plane.
std::vector<uint16_t> samplesOf(const cps::FrameView& view);

using default_options::defaultPatch;
using default_options::defaultSource;
// The same call, for frames as large as the video's.
inline cps::DecodeOnlyOptions framesOf(const cps::PatchStreamOptions& o) {
  return {o.source, o.sampling, o.devices, o.call, default_options::defaultFrame()};
}

class Collector final : public cps::FrameSink {
 public:
  struct Got {
    uint64_t hash;
    double seconds;
    bool key;
    int32_t width, height;
  };
  void onFrame(cps::SourceFrame frame) override;
  std::map<int64_t, Got> frames;  // by display index
  int repeats = 0;                // frames that came more than once

 private:
  std::mutex mutex_;
};

// A process-like set of services for one test.
struct Services {
  explicit Services(int threads);
  cps::MediaServices media;
};

struct Decoded {
  cps::VideoInfo info;
  Collector sink;
  std::map<std::string, double> profile;
};
// Opens and decodes these display indices; `indices` may depend on the number of frames.
void decodeWith(const std::string& path, const cps::SourceOptions& options, Services& services,
                const std::vector<int64_t>& indices, Decoded& out);
cps::VideoInfo probe(const std::string& path, Services& services);

// DESIGN section 4.1, duplicates left out.
std::vector<int64_t> sampled(int64_t total, int64_t count);

// The error that `run` throws, as "CODE: message"; "" when it throws none.
template <typename Run>
std::string errorOf(Run run) {
  try {
    run();
  } catch (const cps::Error& error) {
    return std::string(cps::errorCodeName(error.code())) + ": " + error.what();
  }
  return "";
}

}  // namespace media_test
