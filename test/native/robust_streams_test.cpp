// Streams that are whole but not what their container says: flags that lie, pictures that share a
// packet. Made from the fixtures by libavformat's muxers; every picture is compared with a plain
// decode of the same bytes.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <numeric>
#include <string>
#include <vector>

#include "core/error.h"
#include "default_options.h"
#include "hostile/mutate.h"
#include "media/cpu_source.h"

namespace cps {
namespace {

using hostile::Bytes;

Bytes fixture(const std::string& name) {
  const char* folder = std::getenv("CPS_FIXTURES");
  if (folder == nullptr) throw std::runtime_error("set CPS_FIXTURES");
  return hostile::readFile(std::string(folder) + "/" + name);
}

Bytes mutated(const Bytes& clip, const Bytes& other, const std::string& name) {
  for (const hostile::Mutation& mutation : hostile::packetMutations(clip, other)) {
    if (mutation.name == name) return mutation.make();
  }
  throw std::runtime_error("no mutation " + name);
}

struct Sink final : FrameSink {
  void onFrame(SourceFrame frame) override {
    const uint64_t hash = hostile::hashOf(frame.view);
    const std::lock_guard<std::mutex> lock(mutex);
    hashes[frame.displayIndex] = hash;
  }
  std::mutex mutex;
  std::map<int64_t, uint64_t> hashes;
};

struct Decoded {
  std::map<int64_t, uint64_t> hashes;
  std::string error;
  std::map<std::string, double> profile;
};

// `wanted` empty: all.
Decoded decode(const Bytes& bytes, UniformStrategy strategy, int threads,
               const MediaServices& services, std::vector<int64_t> wanted = {}) {
  Decoded out;
  DecodeOptions options = default_options::defaultOptions();
  options.uniformStrategy = strategy;
  options.decodeThreads = threads;
  Profile profile;
  const CallContext call{options, std::make_shared<CancelToken>(), profile};
  VideoInput input;
  input.bytes = std::make_shared<const Bytes>(bytes);
  Sink sink;
  try {
    const auto source = openCpuSource(input, call, services);
    if (wanted.empty()) {
      wanted.resize(static_cast<size_t>(source->info().totalFrames));
      std::iota(wanted.begin(), wanted.end(), 0);
    }
    source->decode(wanted, sink);
  } catch (const Error& error) {
    out.error = std::string(errorCodeName(error.code())) + ": " + error.what();
  }
  out.hashes = sink.hashes;
  out.profile = profile.values();
  return out;
}

MediaServices services(int threads) {
  return makeMediaServices(std::make_shared<TaskPool>(threads),
                           std::make_shared<ThreadBudget>(threads));
}

struct Remuxed {
  const char* clip;
  const char* container;
};

// MP4 without a table of key frames says that every picture is one.
TEST(KeyFlagsThatLie, EveryPictureAloneIsTheRightOne) {
  const Bytes other = fixture("small.mp4");
  for (const Remuxed& r : std::vector<Remuxed>{{"mpeg4.mp4", "mp4"},
                                               {"odd_mpeg4.avi", "mp4"},
                                               {"mpeg4_packed.avi", "mp4"},
                                               {"mpeg2.ts", "mp4"},
                                               {"mpeg2.ts", "matroska"},
                                               {"vp8_altref.webm", "matroska"},
                                               {"vp9.webm", "mp4"},
                                               {"vp9_10bit.webm", "matroska"},
                                               {"av1.mp4", "mp4"},
                                               {"av1_10bit.mkv", "matroska"},
                                               {"h264_opengop.mp4", "mp4"},
                                               {"hevc_opengop.mkv", "mp4"}}) {
    const std::string what = std::string(r.clip) + " in " + r.container;
    const Bytes bytes =
        mutated(fixture(r.clip), other, "mux-" + std::string(r.container) + "-all-key-flags");
    ASSERT_FALSE(bytes.empty()) << what;
    const hostile::Reference plain = hostile::decodeReference(bytes, 10'000, 60);
    const auto media = services(2);
    const auto count = static_cast<int64_t>(plain.frames.size());
    ASSERT_GT(count, 8) << what;
    for (int64_t d = 0; d < count; d += std::max<int64_t>(1, count / 12)) {
      const Decoded got = decode(bytes, UniformStrategy::Seek, 1, media, {d});
      EXPECT_EQ(got.error, "") << what << ", picture " << d;
      ASSERT_EQ(got.hashes.size(), got.error.empty() ? 1u : 0u) << what << ", picture " << d;
      if (!got.error.empty()) continue;
      EXPECT_EQ(got.hashes.at(d), plain.frames[static_cast<size_t>(d)].hash)
          << what << ", picture " << d;
    }
  }
}

}  // namespace
}  // namespace cps
