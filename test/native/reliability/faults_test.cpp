// A file that changes, shrinks or vanishes under the reader; a source that fails in mid-read; good
// and bad calls in every order on the same pools; many calls at once.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <limits>
#include <mutex>
#include <thread>

#include "core/error.h"
#include "default_options.h"
#include "media/decode/count_pass.h"
#include "media/decode/decoder_pool.h"
#include "media/index/frame_index.h"
#include "media/index/index_cache.h"
#include "pipeline/context.h"
#include "pipeline/pipeline.h"
#include "pipeline/sample_of.h"
#include "reliability/hostile/hash_sink.h"
#include "reliability/hostile/reference.h"

namespace cps {
namespace {

namespace fs = std::filesystem;

std::string fixture(const std::string& name) {
  const char* folder = std::getenv("CPS_FIXTURES");
  if (folder == nullptr) throw std::runtime_error("set CPS_FIXTURES");
  return std::string(folder) + "/" + name;
}

constexpr int kSampled = 6;

SourceOptions options() { return default_options::defaultSource(); }

DecodeOnlyOptions callOptions() {
  DecodeOnlyOptions o = default_options::defaultDecodeOnly();
  o.sampling.sample = sampleOf(kSampled);
  return o;
}

struct Result {
  std::map<int64_t, uint64_t> hashes;
  std::string error;  // empty: it worked
  ErrorCode code = ErrorCode::Device;
};

using Between = std::function<void()>;

Result decodeFile(const VideoInput& input, const MediaServices& services, const SourceOptions& o,
                  const Between& between = {}) {
  Result r;
  Profile profile;
  const CallContext call{o, std::make_shared<CancelToken>(), profile};
  hostile::HashSink sink;
  try {
    const auto source = openCpuSource(input, call, services);
    if (between) between();
    const int64_t n = source->info().totalFrames;
    std::vector<int64_t> ids;
    for (int64_t i = 0; i < kSampled; ++i) {
      const int64_t id = i * (n - 1) / (kSampled - 1);
      if (ids.empty() || ids.back() != id) ids.push_back(id);
    }
    source->decode(ids, sink);
  } catch (const Error& error) {
    r.error = error.what();
    r.code = error.code();
  }
  r.hashes = sink.hashes;
  return r;
}

MediaServices services(int threads = 2) {
  return makeMediaServices(std::make_shared<TaskPool>(threads),
                           std::make_shared<ThreadBudget>(threads));
}

class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& from) {
    char pattern[] = "/tmp/cps-faults-XXXXXX";
    dir_ = ::mkdtemp(pattern);
    path = dir_ + "/video" + fs::path(from).extension().string();
    fs::copy_file(from, path);
  }
  ~TemporaryFile() { fs::remove_all(dir_); }
  VideoInput input() const {
    VideoInput v;
    v.path = path;
    return v;
  }
  std::string path;

 private:
  std::string dir_;
};

const std::vector<std::string> kClips = {"h264_bpyramid.mp4", "h264.mkv", "h264.ts", "mpeg4.avi"};

// Every frame given out is the clip's; `r` may have failed.
void expectOnlyTrueFrames(const Result& r, const Result& whole, const std::string& what) {
  for (const auto& [index, hash] : r.hashes) {
    ASSERT_TRUE(whole.hashes.count(index)) << what;
    EXPECT_EQ(hash, whole.hashes.at(index)) << what << ", frame " << index;
  }
}

TEST(Faults, FileCutBetweenIndexAndDecode) {
  for (const std::string& clip : kClips) {
    for (const double keep : {0.9, 0.5, 0.1, 0.0}) {
      const auto media = services();
      TemporaryFile file(fixture(clip));
      const Result whole = decodeFile(file.input(), media, options());
      ASSERT_EQ(whole.error, "") << clip;
      const auto size = static_cast<double>(fs::file_size(file.path));
      const Result cut = decodeFile(file.input(), media, options(), [&] {
        fs::resize_file(file.path, static_cast<uintmax_t>(size * keep));
      });
      EXPECT_NE(cut.error, "") << clip << " keeps " << keep;
      EXPECT_NE(cut.error.find(file.path), std::string::npos) << cut.error;
      expectOnlyTrueFrames(cut, whole, clip);
    }
  }
}

TEST(Faults, FileReplacedBetweenIndexAndDecode) {
  for (const std::string& clip : kClips) {
    const auto media = services();
    TemporaryFile file(fixture(clip));
    const Result whole = decodeFile(file.input(), media, options());
    // By another file under the same name: the open descriptor still reads the old one.
    const Result renamed = decodeFile(file.input(), media, options(), [&] {
      fs::copy_file(fixture("vp9.webm"), file.path + ".new");
      fs::rename(file.path + ".new", file.path);
    });
    EXPECT_EQ(renamed.error, "") << clip;
    EXPECT_EQ(renamed.hashes, whole.hashes) << clip;
    // The next call sees the new file, not the cached index of the old one.
    const Result next = decodeFile(file.input(), media, options());
    VideoInput other;
    other.path = fixture("vp9.webm");
    EXPECT_EQ(next.error, "");
    EXPECT_EQ(next.hashes, decodeFile(other, services(), options()).hashes);
  }
}

TEST(Faults, FileWrittenOverInPlace) {
  for (const std::string& clip : kClips) {
    const auto media = services();
    TemporaryFile file(fixture(clip));
    const Result whole = decodeFile(file.input(), media, options());
    const hostile::Bytes other = hostile::readFile(fixture("hevc.mp4"));
    const Result r =
        decodeFile(file.input(), media, options(), [&] { hostile::writeFile(file.path, other); });
    EXPECT_NE(r.error, "") << clip;
    expectOnlyTrueFrames(r, whole, clip);
    VideoInput now = file.input();
    VideoInput reference;
    reference.path = fixture("hevc.mp4");
    EXPECT_EQ(decodeFile(now, media, options()).hashes,
              decodeFile(reference, services(), options()).hashes);
  }
}

// The bytes are as they were, so nothing but the look at the file itself can tell.
TEST(Faults, FileWrittenToWhileItIsReadIsNoticed) {
  for (const std::string clip : {"h264_bpyramid.mp4", "mpeg4.avi", "gray_ffv1.mkv"}) {
    const auto media = services();
    TemporaryFile file(fixture(clip));
    const hostile::Bytes bytes = hostile::readFile(file.path);
    const Result whole = decodeFile(file.input(), media, options());
    ASSERT_EQ(whole.error, "") << clip;
    const Result r = decodeFile(file.input(), media, options(), [&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the clock of file times
      hostile::writeFile(file.path, bytes);
    });
    EXPECT_EQ(r.code, ErrorCode::Corrupt) << clip;
    EXPECT_NE(r.error.find("was written to while it was read"), std::string::npos) << r.error;
    EXPECT_EQ(decodeFile(file.input(), media, options()).hashes, whole.hashes) << clip;
  }
}

TEST(Faults, SameSizeAndOtherTimeIsAnotherFile) {
  const auto media = services();
  TemporaryFile file(fixture("h264_bpyramid.mp4"));
  ASSERT_EQ(decodeFile(file.input(), media, options()).error, "");
  hostile::Bytes bytes = hostile::readFile(file.path);
  std::fill(bytes.begin() + 100, bytes.end(), uint8_t{0});
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  hostile::writeFile(file.path, bytes);
  EXPECT_NE(decodeFile(file.input(), media, options()).error, "");
}

TEST(Faults, FileDeletedBetweenIndexAndDecode) {
  const auto media = services();
  TemporaryFile file(fixture("h264_bpyramid.mp4"));
  const Result whole = decodeFile(file.input(), media, options());
  const Result r = decodeFile(file.input(), media, options(), [&] { fs::remove(file.path); });
  EXPECT_EQ(r.hashes, whole.hashes);  // the open descriptor keeps it
  const Result gone = decodeFile(file.input(), media, options());
  EXPECT_EQ(gone.code, ErrorCode::NotFound);
}

int64_t peakMiB() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::stoll(line.substr(6)) / 1024;
  }
  return 0;
}

// Note [Tables that lie]: 80 million samples in a file of kilobytes; FFmpeg alone takes 3.9 GB.
TEST(Limits, TablesThatLieTakeNoMemory) {
  for (const std::string clip : {"small.mp4", "fragmented.mp4"}) {
    hostile::Bytes bytes = hostile::readFile(fixture(clip));
    const std::string box = clip == "small.mp4" ? "stsz" : "trun";
    const auto put = [&](size_t at, uint32_t v) {
      for (int i = 0; i < 4; ++i)
        bytes[at + static_cast<size_t>(i)] = static_cast<uint8_t>(v >> (24 - 8 * i));
    };
    auto at = std::search(bytes.begin(), bytes.end(), box.begin(), box.end());
    ASSERT_NE(at, bytes.end());
    const auto payload = static_cast<size_t>(at - bytes.begin()) + 4;
    put(payload, 0);  // trun: nothing for each sample
    put(payload + 4, box == "stsz" ? 1 : 80'000'000);
    if (box == "stsz") put(payload + 8, 80'000'000);
    VideoInput input;
    input.bytes = std::make_shared<const hostile::Bytes>(bytes);
    const int64_t before = peakMiB();
    const Result r = decodeFile(input, services(), options());
    EXPECT_NE(r.error.find("claim 80"), std::string::npos) << r.error;
    EXPECT_EQ(r.code, ErrorCode::Corrupt);
    EXPECT_LT(peakMiB() - before, 64);
  }
}

// A video that needs more entries than maxMemoryBytes has room for.
TEST(Limits, TablesCountTowardsTheMemory) {
  VideoInput input;
  input.path = fixture("h264_bpyramid.mp4");
  SourceOptions o = options();
  o.maxMemoryBytes = 512;
  const Result r = decodeFile(input, services(), o);
  EXPECT_EQ(r.code, ErrorCode::OutOfMemory) << r.error;
  EXPECT_NE(r.error.find("maxMemoryBytes"), std::string::npos) << r.error;
}

// src/options/schema.ts never lets these through; the core refuses them all the same.
TEST(Limits, RecordsOutOfRangeAreRefused) {
  Context context(1);
  VideoInput input;
  input.path = fixture("small.mp4");
  const auto refused = [&](const DecodeOnlyOptions& o) {
    Profile profile;
    try {
      runDecodeOnly(input, o, context, std::make_shared<CancelToken>(), profile);
    } catch (const Error& error) {
      return error.code() == ErrorCode::InvalidArgument;
    }
    return false;
  };
  for (const int64_t bad : {int64_t{0}, int64_t{-1}, std::numeric_limits<int64_t>::min(),
                            std::numeric_limits<int64_t>::max()}) {
    DecodeOnlyOptions o = callOptions();
    o.sampling.sample = sampleOf(static_cast<int>(bad));
    EXPECT_TRUE(refused(o)) << bad;
    o = callOptions();
    o.source.maxFrames = bad;
    EXPECT_TRUE(refused(o)) << bad;
  }
  const auto sized = [](int width, int height) {
    DecodeOnlyOptions o = callOptions();
    o.frame.width = width;
    o.frame.height = height;
    return o;
  };
  EXPECT_TRUE(refused(sized(-1, 0)));
  EXPECT_TRUE(refused(sized(16, 1 << 30)));
  EXPECT_FALSE(refused(sized(16, 16)));
}

// A disk that fails, stutters or lies from the n-th read on.
class FailingSource final : public ByteSource {
 public:
  enum Kind { Throw, End, Zeros, Noise, OneByte };
  FailingSource(hostile::Bytes bytes, int failAfter, Kind kind)
      : bytes_(std::move(bytes)), left_(failAfter), kind_(kind) {}
  int64_t size() const override { return static_cast<int64_t>(bytes_.size()); }
  std::string describe() const override { return "<failing source>"; }
  size_t readAt(int64_t offset, uint8_t* dst, size_t n) override {
    if (offset < 0 || offset >= size()) return 0;
    size_t count = std::min(n, bytes_.size() - static_cast<size_t>(offset));
    const bool bad = left_.fetch_sub(1) <= 0;
    if (bad && kind_ == Throw) {
      throw Error(ErrorCode::Corrupt, Stage::Decode,
                  "Reading '<failing source>' failed: I/O error");
    }
    if (bad && kind_ == End) return 0;
    if (kind_ == OneByte) count = std::min<size_t>(count, 1 + static_cast<size_t>(offset % 7));
    std::copy_n(bytes_.data() + offset, count, dst);
    if (bad && kind_ == Zeros) std::fill_n(dst, count, uint8_t{0});
    if (bad && kind_ == Noise) {
      for (size_t i = 0; i < count; ++i) dst[i] ^= static_cast<uint8_t>(i * 31 + 7);
    }
    return count;
  }

 private:
  hostile::Bytes bytes_;
  std::atomic<int> left_;
  Kind kind_;
};

TEST(Faults, IndexOfAFailingSource) {
  const auto media = services();
  for (const std::string& clip : kClips) {
    const hostile::Bytes bytes = hostile::readFile(fixture(clip));
    for (const auto kind : {FailingSource::Throw, FailingSource::End, FailingSource::Zeros,
                            FailingSource::Noise, FailingSource::OneByte}) {
      for (const int after : {0, 1, 2, 3, 5, 8}) {
        const SourceOptions o = options();
        Profile profile;
        const CallContext call{o, std::make_shared<CancelToken>(), profile};
        try {
          const auto source = std::make_shared<FailingSource>(bytes, after, kind);
          const FrameIndexPtr index = buildFrameIndex(source, call, media);
          if (kind == FailingSource::OneByte) {
            EXPECT_GT(index->info.totalFrames, 40) << clip;
          }
        } catch (const Error& error) {
          EXPECT_NE(kind, FailingSource::OneByte) << clip << ": " << error.what();
          EXPECT_NE(std::string(error.what()).find("failing source"), std::string::npos)
              << error.what();
        }
      }
    }
  }
}

// A call may succeed although its decoder met damage, where no target depends on it.
TEST(Faults, DecoderThatMetDamageIsNotKept) {
  const hostile::Bytes intact = hostile::readFile(fixture("h264.ts"));
  hostile::Bytes damaged = intact;
  for (size_t packet = 40; packet < 60; ++packet) {
    for (size_t i = 60; i < 120; ++i) damaged[packet * 188 + i] ^= 0x5a;  // payload only
  }
  SourceOptions o = options();
  o.uniformStrategy = UniformStrategy::Stream;
  o.decodeThreads = 1;
  const auto lastFrame = [&](const hostile::Bytes& bytes, const MediaServices& media) {
    VideoInput input;
    input.bytes = std::make_shared<const hostile::Bytes>(bytes);
    Profile profile;
    const CallContext call{o, std::make_shared<CancelToken>(), profile};
    hostile::HashSink sink;
    const auto source = openCpuSource(input, call, media);
    source->decode(std::vector{source->info().totalFrames - 1}, sink);
    return sink.hashes;
  };
  const auto good = services(1), bad = services(1);
  EXPECT_EQ(lastFrame(intact, good), lastFrame(damaged, bad));
  EXPECT_EQ(good.decoders->idle(), 1u);
  EXPECT_EQ(bad.decoders->idle(), 0u);
}

TEST(Faults, GoodAndBadCallsInEveryOrder) {
  const auto media = services();
  std::vector<VideoInput> inputs(5);
  inputs[0].path = fixture("h264_bpyramid.mp4");
  inputs[1].path = fixture("bitrot.mp4");
  inputs[2].path = fixture("truncated.mp4");
  inputs[3].path = "/nowhere/none.mp4";
  inputs[4].bytes =
      std::make_shared<const hostile::Bytes>(hostile::readFile(fixture("h264_bpyramid.mp4")));
  const Result whole = decodeFile(inputs[0], services(), options());
  ASSERT_EQ(whole.error, "");
  // Every three of them in every order, repetitions too: a de Bruijn sequence.
  std::vector<int> order;
  std::vector<bool> seen(125, false);
  for (int last = 0; !seen[static_cast<size_t>(last)];) {
    seen[static_cast<size_t>(last)] = true;
    order.push_back(last / 25);
    int next = last % 25 * 5 + 4;
    while (next % 5 != 0 && seen[static_cast<size_t>(next)]) --next;
    last = next;
  }
  ASSERT_EQ(order.size(), 125u);
  std::vector<std::string> errors(5);
  for (const int i : order) {
    const Result r = decodeFile(inputs[static_cast<size_t>(i)], media, options());
    if (i == 0 || i == 4) {
      ASSERT_EQ(r.error, "");
      ASSERT_EQ(r.hashes, whole.hashes);
      continue;
    }
    ASSERT_NE(r.error, "");
    std::string& before = errors[static_cast<size_t>(i)];
    if (i == 3) {
      ASSERT_TRUE(before.empty() || before == r.error);
    }
    before = r.error;
  }
}

TEST(Concurrency, PipelineCallsOnOneContext) {
  Context context(2);
  const std::vector<std::string> clips = {"h264_bpyramid.mp4", "small.mp4", "h264_bpyramid.mp4",
                                          "bitrot.mp4",        "small.mp4", "text.mp4"};
  PatchStreamOptions usual = default_options::defaultPatchStream();
  usual.sampling.sample = sampleOf(kSampled);
  usual.patch.minPixels = usual.patch.maxPixels = 112 * 112;
  usual.patch.kKeep = {64};
  std::mutex mutex;
  std::map<std::string, std::string> results;
  std::atomic<int> different{0}, aborted{0};
  std::atomic<int> left{48};
  for (int call = 0; call < 48; ++call) {
    context.media().pool->submit([&, call] {
      const std::string& clip = clips[static_cast<size_t>(call) % clips.size()];
      VideoInput input;
      input.path = fixture(clip);
      PatchStreamOptions o = usual;
      o.source.readerCacheSize = call % 3;
      Profile profile;
      const auto cancel = std::make_shared<CancelToken>();
      std::thread stopper;
      if (call % 8 == 7) {
        stopper = std::thread([cancel] {
          std::this_thread::sleep_for(std::chrono::milliseconds(3));
          cancel->cancel();
        });
      }
      std::string text;
      try {
        const PatchResult r = runPatchStream(input, o, context, cancel, profile);
        text.assign(r.patches.as<char>(), r.patches.bytes());
      } catch (const Error& error) {
        text = error.code() == ErrorCode::Aborted ? "" : errorCodeName(error.code());
      }
      if (stopper.joinable()) stopper.join();
      if (text.empty()) {
        ++aborted;
      } else {
        const std::lock_guard<std::mutex> lock(mutex);
        const auto [it, fresh] = results.emplace(clip, text);
        if (!fresh && it->second != text) ++different;
      }
      --left;
    });
  }
  while (left > 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(different, 0);
  EXPECT_EQ(results.size(), 4u);
}

TEST(Concurrency, IndexCacheUnderManyThreads) {
  IndexCache cache;
  std::atomic<int> built{0}, failures{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 400; ++i) {
        FileIdentity identity;
        identity.path = "video" + std::to_string((t + i) % 5);
        identity.mtimeNs = i / 100;
        try {
          const auto index = cache.get(identity, 3, IndexCache::Busy::BuildToo, [&] {
            if (++built % 7 == 0) throw Error(ErrorCode::Corrupt, Stage::Index, "on purpose");
            auto made = std::make_shared<FrameIndex>();
            made->info.codec = identity.path;
            return made;
          });
          if (index->info.codec != identity.path) ++failures;
        } catch (const Error& error) {
          if (std::string(error.what()) != "on purpose") ++failures;
        }
        if (i % 97 == 0) cache.clear();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  EXPECT_LE(cache.size(), 3u + 8u);
}

TEST(Concurrency, TaskPoolLoopsInsideJobs) {
  TaskPool pool(3);
  std::atomic<int64_t> sum{0};
  std::atomic<int> left{200};
  for (int job = 0; job < 200; ++job) {
    pool.submit([&, job] {
      try {
        pool.parallelFor(17, 4, [&](size_t i) {
          if (job % 10 == 9 && i == 11) throw std::runtime_error("on purpose");
          pool.parallelFor(3, 2, [&](size_t j) { sum += static_cast<int64_t>(j); });
        });
      } catch (const std::runtime_error&) {
      }
      --left;
    });
  }
  while (left > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_GE(sum, int64_t{180} * 17 * 3);
}

}  // namespace
}  // namespace cps
