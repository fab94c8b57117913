// NVDEC's source over NVIDIA's own parser (Note [Real parser] in fake_driver/real_parser.cpp):
// every fixture gives the CPU's frames or is refused, whatever is asked for. CPS_NVCUVID names the
// library (scripts/nvcuvid.mjs); left out without.

#include <cstdlib>
#include <iostream>
#include <set>

#include "cuda/cuda_device.h"
#include "media/media_common.h"

namespace cps {
namespace {

using media_test::Fixture;

constexpr int kShards = 4;
constexpr long kFewestFrames = 12500;  // of each: 50,000 in all

// Hashes of frames, and what cannot be had.
class Hashes final : public FrameSink {
 public:
  explicit Hashes(const GpuBackend& gpu, bool takesLosses = false)
      : gpu_(gpu), takesLosses_(takesLosses) {}
  void onFrame(SourceFrame frame) override {
    const uint64_t hash = media_test::hashOf(gpu_.transfer(frame, Device::cpu()).view);
    std::lock_guard lock(mutex_);
    EXPECT_TRUE(frames.emplace(frame.displayIndex, hash).second) << frame.displayIndex;
  }
  size_t keepsFrames(size_t) const override { return 0; }
  bool takesLosses() const override { return takesLosses_; }
  void onLost(int64_t, const Error& why) override {
    if (!takesLosses_) throw why;
  }
  std::map<int64_t, uint64_t> frames;

 private:
  const GpuBackend& gpu_;
  bool takesLosses_;
  std::mutex mutex_;
};

class RealParser : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    const char* library = std::getenv("CPS_NVCUVID");
    if (library == nullptr || *library == 0) {
      GTEST_SKIP() << "CPS_NVCUVID names no libnvcuvid (scripts/nvcuvid.mjs)";
    }
    fake::reset();
    fake::control().nvcuvid = library;
    gpu_.emplace(cuda_test::backend());
    ASSERT_EQ(gpu_->whyNotDecode(0), "");
  }
  void TearDown() override {
    if (!gpu_) return;
    std::cout << "  " << compared_ << " frames of " << clips_
              << " clips compared; the parser decoded " << fake::stats().parsedPictures
              << " pictures, " << fake::stats().lateDecodes << " of them late, and showed "
              << fake::stats().displayed << ", " << fake::stats().shiftedTimes
              << " with another one's timestamp\n";
    gpu_.reset();
    cuda_test::expectNothingLeft();
  }

  std::map<int64_t, uint64_t> onCpu(const VideoInput& input) {
    SourceOptions options = media_test::defaultSource();
    options.damaged = Damaged::Skip;
    Profile profile;
    const CallContext call{options, std::make_shared<CancelToken>(), profile};
    Hashes sink(*gpu_, true);
    const auto source = openCpuSource(input, call, services_.media);
    std::vector<int64_t> all(static_cast<size_t>(source->info().totalFrames));
    for (size_t i = 0; i < all.size(); i++) all[i] = static_cast<int64_t>(i);
    source->decode(all, sink);
    total_ = source->info().totalFrames;
    return std::move(sink.frames);
  }

  // Empty, or why the clip is left to the CPU. `good`: nothing else may fail.
  std::string compare(const VideoInput& input, int64_t frames, UniformStrategy strategy,
                      DecodeMode mode, const std::map<int64_t, uint64_t>& expected, bool good) {
    SourceOptions options = media_test::defaultSource();
    options.uniformStrategy = strategy;
    options.decodeMode = mode;
    DevicesOptions devices = default_options::defaultDevices();
    devices.nvdecReuseOpenDecoder = true;
    Profile profile;
    const CallContext call{options, std::make_shared<CancelToken>(), profile};
    Hashes sink(*gpu_);
    std::string refused;
    const auto ids = media_test::sampled(total_, frames);
    try {
      const auto source = gpu_->openSource(input, call, services_.media, devices);
      source->decode(ids, sink);
      EXPECT_EQ(sink.frames.size(), ids.size());
    } catch (const Error& error) {
      refused = error.what();
      if (error.code() != ErrorCode::BackendUnavailable) {
        EXPECT_FALSE(good) << error.what();
      } else {
        EXPECT_TRUE(sink.frames.empty()) << "refused after frames were given out: " << refused;
      }
    }
    for (const auto& [id, hash] : sink.frames) {
      const auto it = expected.find(id);
      EXPECT_TRUE(it != expected.end() && it->second == hash) << "frame " << id;
      compared_++;
    }
    return refused;
  }

  void compareAll(const Fixture& fixture, bool good) {
    VideoInput input;
    input.path = fixture.path();
    std::map<int64_t, uint64_t> expected;
    try {
      expected = onCpu(input);
    } catch (const Error& error) {
      EXPECT_FALSE(good) << error.what();
      return;
    }
    std::set<std::string> reasons;
    bool used = false;
    for (const int64_t frames : {int64_t{1}, int64_t{2}, int64_t{3}, int64_t{5}, int64_t{8},
                                 int64_t{16}, int64_t{64}, total_}) {
      for (const auto strategy : {UniformStrategy::Seek, UniformStrategy::Stream}) {
        for (const auto mode : {DecodeMode::Throughput, DecodeMode::Latency}) {
          SCOPED_TRACE(std::to_string(frames) + " frames, " +
                       (strategy == UniformStrategy::Seek ? "seek" : "stream") +
                       (mode == DecodeMode::Latency ? ", latency" : ""));
          const std::string why = compare(input, frames, strategy, mode, expected, good);
          if (why.empty())
            used = true;
          else
            reasons.insert(why);
          EXPECT_EQ(fake::stats().misuses, 0) << fake::stats().misuse;
          fake::stats().misuses = 0;
          fake::stats().misuse.clear();
        }
      }
    }
    clips_ += used ? 1 : 0;
    std::cout << (used ? "  gpu  " : "  cpu  ") << fixture.name;
    for (const std::string& why : reasons) std::cout << ": " << why;
    std::cout << std::endl;
  }

  std::optional<GpuBackend> gpu_;
  media_test::Services services_{2};
  int64_t total_ = 0;
  long compared_ = 0, clips_ = 0;
};

TEST_P(RealParser, EveryFixtureIsRightOrRefused) {
  // A part of the names: only those.
  const char* given = std::getenv("CPS_CLIP");
  const std::string only = given != nullptr ? given : "";
  int number = 0;
  for (const bool bad : {false, true}) {
    for (const Fixture& fixture : media_test::fixtures(bad)) {
      if (number++ % kShards != GetParam()) continue;
      if (fixture.name.find(only) == std::string::npos) continue;
      SCOPED_TRACE(fixture.name);
      compareAll(fixture, !bad);
    }
  }
  if (only.empty()) EXPECT_GE(compared_, kFewestFrames);
}

INSTANTIATE_TEST_SUITE_P(Part, RealParser, ::testing::Range(0, kShards));

}  // namespace
}  // namespace cps
