// Option `damaged` is about pictures. What cannot be read now, or changes under the reader, is an
// error with it as without it: the same frames may be there a moment later.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <functional>

#include "core/error.h"
#include "default_options.h"
#include "media/decode/cpu_source.h"
#include "pipeline/context.h"
#include "pipeline/pipeline.h"
#include "pipeline/sample_of.h"
#include "reliability/hostile/hash_sink.h"

namespace cps {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kSampled = 6;

std::string fixture(const std::string& name) {
  const char* folder = std::getenv("CPS_FIXTURES");
  if (folder == nullptr) throw std::runtime_error("set CPS_FIXTURES");
  return std::string(folder) + "/" + name;
}

// From its n-th read on a disk that does not answer.
class FailingDisk final : public ByteSource {
 public:
  FailingDisk(hostile::Bytes bytes, int reads) : bytes_(std::move(bytes)), left_(reads) {}
  int64_t size() const override { return static_cast<int64_t>(bytes_.size()); }
  std::string describe() const override { return "<failing disk>"; }
  size_t readAt(int64_t offset, uint8_t* dst, size_t n) override {
    if (left_.fetch_sub(1) <= 0) {
      throw Error(ErrorCode::Corrupt, Stage::Decode, "Reading '<failing disk>' failed: I/O error");
    }
    if (offset < 0 || offset >= size()) return 0;
    // Small steps, so that there are many places to fail at.
    const size_t count = std::min({n, bytes_.size() - static_cast<size_t>(offset), size_t{4096}});
    std::copy_n(bytes_.data() + offset, count, dst);
    return count;
  }

 private:
  const hostile::Bytes bytes_;
  std::atomic<int> left_;
};

struct LossSink final : FrameSink {
  void onFrame(SourceFrame frame) override {
    const uint64_t hash = hostile::hashOf(frame.view);
    const std::lock_guard lock(mutex);
    hashes[frame.displayIndex] = hash;
  }
  bool takesAnySize() const override { return true; }
  bool takesLosses() const override { return true; }
  void onLost(int64_t displayIndex, const Error&) override {
    const std::lock_guard lock(mutex);
    lost.push_back(displayIndex);
  }
  std::mutex mutex;
  std::map<int64_t, uint64_t> hashes;
  std::vector<int64_t> lost;
};

struct Got {
  int64_t totalFrames = 0;
  std::map<int64_t, uint64_t> hashes;
  std::vector<int64_t> lost;
  std::vector<Note> notes;
  std::string error;
};

template <typename Input>
Got decode(const Input& input, Damaged damaged, const std::function<void()>& between = {}) {
  Got got;
  const MediaServices services =
      makeMediaServices(std::make_shared<TaskPool>(2), std::make_shared<ThreadBudget>(2));
  SourceOptions options = default_options::defaultSource();
  options.damaged = damaged;
  Profile profile;
  const CallContext call{options, std::make_shared<CancelToken>(), profile};
  LossSink sink;
  try {
    const auto source = openCpuSource(input, call, services);
    got.totalFrames = source->info().totalFrames;
    if (between) between();
    std::vector<int64_t> ids;
    for (int64_t i = 0; i < kSampled; ++i)
      ids.push_back(i * (got.totalFrames - 1) / (kSampled - 1));
    source->decode(ids, sink);
  } catch (const Error& error) {
    got.error = std::string(errorCodeName(error.code())) + ": " + error.what();
  }
  got.hashes = std::move(sink.hashes);
  got.lost = std::move(sink.lost);
  got.notes = call.notes->list();
  return got;
}

class Unreadable : public ::testing::TestWithParam<const char*> {};

TEST_P(Unreadable, ADiskThatFailsInMidFileIsNoDamage) {
  const hostile::Bytes bytes = hostile::readFile(fixture(GetParam()));
  const auto disk = [&](int reads) { return std::make_shared<FailingDisk>(bytes, reads); };
  const Got whole = decode(disk(INT32_MAX), Damaged::Error);
  ASSERT_EQ(whole.error, "");
  for (const Damaged damaged : {Damaged::Skip, Damaged::Nearest}) {
    int failed = 0;
    // Up to where no read is left to fail.
    for (int reads = 0;; reads += std::max(1, reads / 8)) {
      const Got got = decode(disk(reads), damaged);
      SCOPED_TRACE("read " + std::to_string(reads));
      ASSERT_EQ(got.lost, std::vector<int64_t>());
      if (got.error.empty()) {
        EXPECT_EQ(got.totalFrames, whole.totalFrames);
        EXPECT_EQ(got.hashes, whole.hashes);
        EXPECT_EQ(got.notes.size(), whole.notes.size());
        break;
      }
      ++failed;
      ASSERT_NE(got.error.find("failing disk"), std::string::npos) << got.error;
      ASSERT_NE(got.error.find("I/O error"), std::string::npos) << got.error;
    }
    EXPECT_GT(failed, 8);
  }
}

TEST_P(Unreadable, AFileThatIsCutWhileItIsReadIsNoDamage) {
  for (const Damaged damaged : {Damaged::Skip, Damaged::Nearest}) {
    for (const double keep : {0.9, 0.5, 0.1}) {
      const fs::path path = fs::path(testing::TempDir()) /
                            ("cps_cut_" + std::to_string(::getpid()) + "_" + GetParam());
      fs::copy_file(fixture(GetParam()), path, fs::copy_options::overwrite_existing);
      VideoInput input;
      input.path = path;
      const auto size = static_cast<double>(fs::file_size(path));
      const Got got = decode(input, damaged,
                             [&] { fs::resize_file(path, static_cast<uintmax_t>(size * keep)); });
      fs::remove(path);
      SCOPED_TRACE(keep);
      EXPECT_NE(got.error.find("ERR_CPS_CORRUPT"), std::string::npos) << got.error;
      EXPECT_NE(got.error.find(path.string()), std::string::npos) << got.error;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Containers, Unreadable,
                         ::testing::Values("h264_bpyramid.mp4", "h264.mkv", "h264.ts", "mpeg4.avi",
                                           "raw.h264", "decode_times_hevc.mkv"));

}  // namespace
}  // namespace cps
