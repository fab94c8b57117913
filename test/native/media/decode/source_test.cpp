// What goes wrong around a video: files that are none, limits, cancellation, failing reads, changes
// on disk; and that the next call works.

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <thread>

#include "media/codec/bitstream.h"
#include "media/container/byte_source.h"
#include "media/container/demuxer.h"
#include "media/index/index_cache.h"
#include "media/media_common.h"

namespace media_test {
namespace {

namespace fs = std::filesystem;

class TempDir {
 public:
  TempDir() {
    std::string name = (fs::temp_directory_path() / "cps-media-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TempDir() { fs::remove_all(path_); }
  std::string file(const std::string& name, const std::string& content) const {
    std::ofstream(path_ / name, std::ios::binary) << content;
    return (path_ / name).string();
  }
  fs::path path() const { return path_; }

 private:
  fs::path path_;
};

std::string errorOfDecoding(const std::string& path, cps::SourceOptions options = defaultSource()) {
  Services services(2);
  return errorOf([&] {
    const int64_t total = probe(path, services).totalFrames;
    Decoded out;
    decodeWith(path, options, services, sampled(total, 16), out);
  });
}

void expectError(const std::string& path, const std::string& code) {
  const std::string error = errorOfDecoding(path);
  EXPECT_EQ(error.substr(0, code.size()), code) << path << " gave: " << error;
  EXPECT_NE(error.find(path), std::string::npos) << error;
}

std::string contentOf(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void expectWorks(Services& services) {
  Decoded out;
  decodeWith(fixturePath("h264_bpyramid.mp4"), defaultSource(), services, {0, 50, 99}, out);
  EXPECT_EQ(out.sink.frames.size(), 3u);
}

TEST(MediaErrors, WhatIsNotAVideoFile) {
  const TempDir dir;
  expectError((dir.path() / "missing.mp4").string(), "ERR_CPS_NOT_FOUND");
  expectError(dir.path().string(), "ERR_CPS_INVALID_ARGUMENT");
  expectError("/dev/null", "ERR_CPS_INVALID_ARGUMENT");
  const std::string fifo = (dir.path() / "fifo.mp4").string();
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  expectError(fifo, "ERR_CPS_INVALID_ARGUMENT");
  fs::create_symlink("loop.mp4", dir.path() / "loop.mp4");
  expectError((dir.path() / "loop.mp4").string(), "ERR_CPS_INVALID_ARGUMENT");
  expectError(dir.file("empty.mp4", ""), "ERR_CPS_NO_VIDEO");
  expectError(dir.file("text.mp4", "This is not a video.\n"), "ERR_CPS_NO_VIDEO");
  expectError(dir.file("zeros.mp4", std::string(100000, '\0')), "ERR_CPS_NO_VIDEO");
  expectError(dir.file("archive.mp4", "PK\x03\x04" + std::string(5000, 'x')), "ERR_CPS_NO_VIDEO");
  expectError(fixturePath("noise.mp4"), "ERR_CPS_NO_VIDEO");
  expectError(fixturePath("audio_only.m4a"), "ERR_CPS_NO_VIDEO");
  expectError(fixturePath("no_moov.mp4"), "ERR_CPS_CORRUPT");
  expectError(fixturePath("truncated.mp4"), "ERR_CPS_CORRUPT");
  expectError(fixturePath("header_only.mp4"), "ERR_CPS_CORRUPT");
}

TEST(MediaErrors, PlaylistsNeverOpenAnotherFile) {
  const TempDir dir;
  const std::string target = fixturePath("h264_bpyramid.mp4");
  expectError(dir.file("a.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n" + target +
                                     "\n#EXT-X-ENDLIST\n"),
              "ERR_CPS_UNSUPPORTED");
  expectError(dir.file("bare.mp4", "#EXTM3U\n" + target + "\n"), "ERR_CPS_UNSUPPORTED");
  expectError(dir.file("b.mp4", "ffconcat version 1.0\nfile '" + target + "'\n"),
              "ERR_CPS_UNSUPPORTED");
  const std::string mpd =
      "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" profiles=\"x\" "
      "type=\"static\"><Period><AdaptationSet><Representation><BaseURL>" +
      target + "</BaseURL></Representation></AdaptationSet></Period></MPD>";
  const std::string dash = errorOfDecoding(dir.file("c.mpd", mpd));
  EXPECT_NE(dash, "");
  const std::string sdp =
      errorOfDecoding(dir.file("d.sdp",
                               "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\n"
                               "t=0 0\nm=video 5004 RTP/AVP 96\n"));
  EXPECT_EQ(sdp.substr(0, 19), "ERR_CPS_UNSUPPORTED") << sdp;
  for (const char* name : {"frame%d.png", "a b.mp4", "\xC3\xBC\xE6\xBC\xA2.mp4"}) {
    expectError(dir.file(name, "no video"), "ERR_CPS_NO_VIDEO");
  }
}

TEST(MediaErrors, StrangeNamesOfGoodFilesWork) {
  const TempDir dir;
  const std::string content = contentOf(fixturePath("h264_bpyramid.mp4"));
  for (const char* name : {"a b%03d.mp4", "\xC3\xBC\xE6\xBC\xA2.mp4", "concat:x|y", "video"}) {
    EXPECT_EQ(errorOfDecoding(dir.file(name, content)), "") << name;
  }
}

TEST(MediaErrors, LimitsNameTheirOption) {
  const std::string path = fixturePath("h264_bpyramid.mp4");  // 320x240, 100 frames
  const auto errorWith = [&](auto set) {
    cps::SourceOptions options = defaultSource();
    set(options);
    Services services(2);
    Decoded out;
    return errorOf([&] { decodeWith(path, options, services, {0, 99}, out); });
  };
  EXPECT_EQ(errorWith([](auto& o) { o.maxFramePixels = 320 * 240; }), "");
  const std::string pixels = errorWith([](auto& o) { o.maxFramePixels = 320 * 240 - 1; });
  EXPECT_NE(pixels.find("maxFramePixels"), std::string::npos) << pixels;
  EXPECT_EQ(pixels.substr(0, 19), "ERR_CPS_UNSUPPORTED");
  EXPECT_EQ(errorWith([](auto& o) { o.maxFrames = 100; }), "");
  const std::string frames = errorWith([](auto& o) { o.maxFrames = 99; });
  EXPECT_NE(frames.find("maxFrames"), std::string::npos) << frames;
  EXPECT_EQ(errorWith([](auto& o) { o.maxMemoryBytes = 2 * 320 * 240 * 3 / 2; }), "");
  const std::string memory =
      errorWith([](auto& o) { o.maxMemoryBytes = 2 * 320 * 240 * 3 / 2 - 1; });
  EXPECT_NE(memory.find("maxMemoryBytes"), std::string::npos) << memory;
}

// One flipped bit in the pictures' data. Entropy-coded data has no checksum, so a decoder can take
// it for another valid picture; but whatever it notices must become an error, and pictures that do
// not depend on the damage stay exactly right.
TEST(MediaErrors, AFlippedBitIsAnErrorOrUnnoticeable) {
  for (const char* name : {"h264_bpyramid.mp4", "hevc.mp4", "mpeg2.ts", "vp9.webm", "av1.mp4"}) {
    SCOPED_TRACE(name);
    const std::string path = fixturePath(name);
    const std::vector<ReferenceFrame> expected = decodeSequentially(path);
    const auto total = static_cast<int64_t>(expected.size());
    const std::string content = contentOf(path);
    int right = 0, errors = 0, unnoticed = 0;
    for (const int threads : {1, 2}) {
      Services services(threads);
      std::mt19937 random(7);
      for (int round = 0; round < (longForm() > 0 ? 12 : 6); ++round) {
        std::vector<uint8_t> bytes(content.begin(), content.end());
        const size_t at = bytes.size() / 8 + random() % (bytes.size() * 3 / 4);
        bytes[at] = static_cast<uint8_t>(bytes[at] ^ (1u << random() % 8));
        cps::VideoInput input;
        input.bytes = std::make_shared<const std::vector<uint8_t>>(std::move(bytes));
        for (const int64_t id : {int64_t{0}, total / 4, total / 2, total * 3 / 4, total - 1}) {
          const cps::SourceOptions options = defaultSource();
          cps::Profile profile;
          const cps::CallContext call = {options, std::make_shared<cps::CancelToken>(), profile};
          Collector sink;
          const std::string error = errorOf([&] {
            const auto source = cps::openCpuSource(input, call, services.media);
            if (source->info().totalFrames == total) source->decode(std::vector{id}, sink);
          });
          if (sink.frames.empty()) {
            ++errors;
          } else {
            const bool same = sink.frames.at(id).hash == expected[static_cast<size_t>(id)].hash;
            (same ? right : unnoticed)++;
          }
        }
      }
      expectWorks(services);
    }
    std::printf("%s: %d right, %d errors, %d unnoticed\n", name, right, errors, unnoticed);
    EXPECT_GT(right, 0);
  }
}

// A raw stream without one of the packets that others refer to, from `from` on.
std::vector<uint8_t> withoutReference(const std::string& name, int from) {
  cps::Demuxer demuxer(cps::openFileSource(fixturePath(name)), nullptr);
  const cps::BitstreamFormat format = cps::bitstreamFormat(demuxer.parameters());
  const cps::UniqueAVPacket packet = cps::makePacket(cps::Stage::Decode);
  std::vector<uint8_t> out;
  bool left = false;
  for (int i = 0; demuxer.read(*packet); ++i) {
    const std::span<const uint8_t> bytes(packet->data, static_cast<size_t>(packet->size));
    const bool key = (packet->flags & AV_PKT_FLAG_KEY) != 0;
    if (!left && i >= from && !key && !cps::isDroppable(bytes, format)) {
      left = true;
      continue;
    }
    out.insert(out.end(), bytes.begin(), bytes.end());
  }
  EXPECT_TRUE(left);
  return out;
}

// FFmpeg makes the missing picture up and reports no error for those that refer to it.
TEST(MediaErrors, PicturesWhoseReferencesAreMissingAreNotGivenOut) {
  for (const char* name : {"raw.h264", "raw.hevc"}) {
    std::set<uint64_t> intact;
    for (const ReferenceFrame& frame : decodeSequentially(fixturePath(name))) {
      intact.insert(frame.hash);
    }
    for (const int from : {3, 55}) {
      SCOPED_TRACE(std::string(name) + " without a packet from " + std::to_string(from));
      cps::VideoInput input;
      input.bytes = std::make_shared<const std::vector<uint8_t>>(withoutReference(name, from));
      Services services(from == 3 ? 1 : 2);
      const cps::SourceOptions options = defaultSource();
      cps::Profile profile;
      const cps::CallContext call = {options, std::make_shared<cps::CancelToken>(), profile};
      const auto source = cps::openCpuSource(input, call, services.media);
      int right = 0, errors = 0;
      for (int64_t id = 0; id < source->info().totalFrames; id += 3) {
        Collector sink;
        const std::string error = errorOf([&] { source->decode(std::vector{id}, sink); });
        if (error.empty()) {
          EXPECT_EQ(intact.count(sink.frames.at(id).hash), 1u) << "frame " << id;
          ++right;
        } else {
          EXPECT_NE(error.find("missing"), std::string::npos) << error;
          ++errors;
        }
      }
      EXPECT_GE(right, 15);
      EXPECT_GE(errors, 1);
    }
  }
}

TEST(MediaErrors, HeavyDamageIsNamedFrameByFrame) {
  Services services(2);
  for (int64_t id = 0; id < 100; id += 9) {
    Decoded out;
    const std::string error = errorOf(
        [&] { decodeWith(fixturePath("bitrot.mp4"), defaultSource(), services, {id}, out); });
    EXPECT_EQ(error.substr(0, 15), "ERR_CPS_CORRUPT") << error;
    EXPECT_NE(error.find("Frame " + std::to_string(id) + " of"), std::string::npos) << error;
  }
  expectWorks(services);
}

TEST(MediaCancel, StopsBeforeAndDuring) {
  Services services(2);
  class Stopper final : public cps::FrameSink {
   public:
    explicit Stopper(cps::CancelPtr token) : token_(std::move(token)) {}
    void onFrame(cps::SourceFrame) override {
      ++frames;
      token_->cancel();
    }
    std::atomic<int> frames{0};

   private:
    cps::CancelPtr token_;
  };
  const cps::SourceOptions options = defaultSource();
  cps::VideoInput input;
  input.path = fixturePath("h264_long_gop.mp4");
  for (const bool before : {true, false}) {
    const auto token = std::make_shared<cps::CancelToken>();
    cps::Profile profile;
    const cps::CallContext call = {options, token, profile};
    Stopper sink(token);
    if (before) token->cancel();
    const std::string error = errorOf([&] {
      const auto source = cps::openCpuSource(input, call, services.media);
      const std::vector<int64_t> ids = sampled(source->info().totalFrames, 64);
      source->decode(ids, sink);
    });
    EXPECT_EQ(error.substr(0, 9), "ABORT_ERR") << error;
    EXPECT_LT(sink.frames.load(), 16);
  }
  expectWorks(services);
}

TEST(MediaCancel, ATimeLimitEndsTheCall) {
  Services services(2);
  const cps::SourceOptions options = defaultSource();
  const auto token = std::make_shared<cps::CancelToken>();
  token->setDeadline(std::chrono::steady_clock::now());
  cps::Profile profile;
  const cps::CallContext call = {options, token, profile};
  cps::VideoInput input;
  input.path = fixturePath("h264_long_gop.mp4");
  const std::string error = errorOf([&] { cps::openCpuSource(input, call, services.media); });
  EXPECT_EQ(error.substr(0, 15), "ERR_CPS_TIMEOUT") << error;
  EXPECT_NE(error.find("timeoutMs"), std::string::npos) << error;
}

// Bytes that stop, fail or change at a chosen read.
class FaultySource final : public cps::ByteSource {
 public:
  enum class Fault { None, Throws, Ends, Garbles };
  explicit FaultySource(const std::string& path) : bytes_(contentOf(path)) {}
  int64_t size() const override { return static_cast<int64_t>(bytes_.size()); }
  std::string describe() const override { return "faulty"; }
  size_t readAt(int64_t offset, uint8_t* dst, size_t n) override {
    const int64_t read = reads_++;
    const Fault fault = read >= after ? kind : Fault::None;
    if (fault == Fault::Throws) {
      throw cps::Error(cps::ErrorCode::Corrupt, cps::Stage::Decode, "Reading 'faulty' failed.");
    }
    if (fault == Fault::Ends || offset >= size()) return 0;
    n = std::min(n, bytes_.size() - static_cast<size_t>(offset));
    std::copy_n(bytes_.data() + offset, n, dst);
    if (fault == Fault::Garbles) {
      for (size_t i = 0; i < n; i += 7) dst[i] = static_cast<uint8_t>(dst[i] ^ 0x5A);
    }
    return n;
  }
  int64_t reads() const { return reads_; }
  int64_t after = 0;
  Fault kind = Fault::None;

 private:
  std::string bytes_;
  std::atomic<int64_t> reads_{0};
};

TEST(MediaFaults, AReadThatFailsAnywhereIsAnErrorAndNothingElse) {
  Services services(2);
  for (const char* name : {"h264_bpyramid.mp4", "h264.ts", "vp9.webm", "mpeg4.avi", "raw.h264"}) {
    SCOPED_TRACE(name);
    const std::vector<ReferenceFrame> expected = decodeSequentially(fixturePath(name));
    const auto total = static_cast<int64_t>(expected.size());
    const auto decode = [&](FaultySource::Fault kind, int64_t after, Collector& sink) {
      const auto source = std::make_shared<FaultySource>(fixturePath(name));
      source->kind = kind;
      source->after = after;
      cps::SourceOptions options = defaultSource();
      cps::Profile profile;
      const cps::CallContext call = {options, std::make_shared<cps::CancelToken>(), profile};
      const std::string error = errorOf([&] {
        const auto opened = cps::openCpuSource(source, call, services.media);
        if (opened->info().totalFrames == total) opened->decode(sampled(total, 16), sink);
      });
      return std::pair<std::string, int64_t>(error, source->reads());
    };
    Collector clean;
    const auto [none, reads] = decode(FaultySource::Fault::None, 0, clean);
    ASSERT_EQ(none, "");
    const int64_t step = std::max<int64_t>(1, reads / (longForm() > 0 ? 24 : 10));
    for (int64_t after = 0; after < reads; after += step) {
      for (const auto kind : {FaultySource::Fault::Throws, FaultySource::Fault::Ends}) {
        Collector sink;
        const auto [error, done] = decode(kind, after, sink);
        // How often a call reads is not always the same: it may have come to its end before.
        if (kind == FaultySource::Fault::Throws && done > after) {
          EXPECT_NE(error, "") << after;
        }
        for (const auto& [id, frame] : sink.frames) {
          EXPECT_EQ(frame.hash, expected[static_cast<size_t>(id)].hash) << "frame " << id;
        }
      }
      Collector garbled;  // any frame or error may come of this, but no crash and no hang
      decode(FaultySource::Fault::Garbles, after, garbled);
    }
    expectWorks(services);
  }
}

TEST(MediaMemory, BytesInMemoryGiveTheSameFrames) {
  Services services(2);
  const std::string path = fixturePath("h264_bpyramid.mp4");
  const std::string content = contentOf(path);
  Decoded fromFile;
  decodeWith(path, defaultSource(), services, {0, 33, 99}, fromFile);
  cps::VideoInput input;
  input.bytes = std::make_shared<const std::vector<uint8_t>>(content.begin(), content.end());
  const cps::SourceOptions options = defaultSource();
  cps::Profile profile;
  const cps::CallContext call = {options, std::make_shared<cps::CancelToken>(), profile};
  const auto source = cps::openCpuSource(input, call, services.media);
  Collector sink;
  source->decode(std::vector<int64_t>{0, 33, 99}, sink);
  ASSERT_EQ(sink.frames.size(), 3u);
  for (const auto& [id, frame] : sink.frames) {
    EXPECT_EQ(frame.hash, fromFile.sink.frames.at(id).hash);
  }
}

// Note [Trust]
TEST(MediaIndex, DecodesOnlyWhatTheContainerDoesNotTell) {
  const std::map<std::string, bool> isDecoded = {
      {"h264_bpyramid.mp4", false}, {"h264.avi", true},  {"hevc.mp4", false},
      {"mpeg4.mp4", false},         {"mpeg4.avi", true}, {"mpeg4_packed.avi", true},
      {"vp8_altref.webm", false},   {"raw.h264", true},  {"mjpeg.avi", false}};
  for (const auto& [name, decoded] : isDecoded) {
    Services services(2);
    const cps::SourceOptions options = defaultSource();
    cps::Profile profile;
    const cps::CallContext call = {options, std::make_shared<cps::CancelToken>(), profile};
    cps::VideoInput input;
    input.path = fixturePath(name);
    cps::openCpuSource(input, call, services.media);
    EXPECT_EQ(profile.values().count("countMs"), decoded ? 1u : 0u) << name;
  }
}

TEST(MediaCache, AFileThatChangedIsIndexedAgain) {
  const TempDir dir;
  Services services(2);
  const std::string path = dir.file("v.mp4", contentOf(fixturePath("h264_bpyramid.mp4")));
  EXPECT_EQ(probe(path, services).totalFrames, 100);
  EXPECT_EQ(services.media.indexes->size(), 1u);
  EXPECT_EQ(probe(path, services).totalFrames, 100);
  EXPECT_EQ(services.media.indexes->size(), 1u);
  dir.file("v.mp4", contentOf(fixturePath("two_frames.mp4")));
  EXPECT_EQ(probe(path, services).totalFrames, 2);
  EXPECT_EQ(services.media.indexes->size(), 1u) << "the old state of the file is kept";
}

using Busy = cps::IndexCache::Busy;

TEST(MediaCache, KeepsTheMostRecentlyUsedAndBuildsOnce) {
  cps::IndexCache cache;
  std::atomic<int> built{0};
  const auto get = [&](const std::string& name, int64_t capacity = 2) {
    cps::FileIdentity identity;
    identity.path = name;
    return cache.get(identity, capacity, Busy::ComeBack, [&]() -> cps::FrameIndexPtr {
      ++built;
      return std::make_shared<cps::FrameIndex>();
    });
  };
  const cps::FrameIndexPtr a = get("a");
  get("b");
  EXPECT_EQ(get("a"), a);
  get("c");  // b is the one used longest ago
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_EQ(get("a"), a);
  EXPECT_EQ(built, 3);
  get("b");
  EXPECT_EQ(built, 4);
  get("a", 0);  // capacity 0: neither looked up nor kept
  EXPECT_EQ(built, 5);
}

TEST(MediaCache, ABuildThatFailsLeavesNothingBehind) {
  cps::IndexCache cache;
  const cps::FileIdentity identity;
  EXPECT_THROW(cache.get(identity, 4, Busy::BuildToo,
                         []() -> cps::FrameIndexPtr {
                           throw cps::Error(cps::ErrorCode::Corrupt, cps::Stage::Index, "no");
                         }),
               cps::Error);
  EXPECT_EQ(cache.size(), 0u);
  EXPECT_NE(
      cache.get(identity, 4, Busy::BuildToo, [] { return std::make_shared<cps::FrameIndex>(); }),
      nullptr);
}

TEST(MediaCache, NobodyWaitsWhileAnotherBuilds) {
  const cps::FileIdentity identity;
  for (const bool good : {true, false}) {
    cps::IndexCache cache;
    std::vector<int> woken;
    std::optional<cps::Later> early;
    const auto make = [&]() -> cps::FrameIndexPtr { return std::make_shared<cps::FrameIndex>(); };
    const auto comeBack = [&] {
      try {
        cache.get(identity, 4, Busy::ComeBack, make);
      } catch (const cps::Later& later) {
        return std::optional(later);
      }
      return std::optional<cps::Later>();
    };
    const auto build = [&]() -> cps::FrameIndexPtr {
      for (const int caller : {1, 2}) {
        const auto later = comeBack();
        EXPECT_TRUE(later);
        if (later) later->then([&, caller] { woken.push_back(caller); });
      }
      early = comeBack();
      EXPECT_TRUE(woken.empty());
      if (!good) throw cps::Error(cps::ErrorCode::Corrupt, cps::Stage::Index, "no");
      return make();
    };
    if (good) {
      const auto index = cache.get(identity, 4, Busy::ComeBack, build);
      EXPECT_EQ(cache.get(identity, 4, Busy::ComeBack, build), index);
    } else {
      EXPECT_THROW(cache.get(identity, 4, Busy::ComeBack, build), cps::Error);
      EXPECT_EQ(cache.size(), 0u);
    }
    // The last one first: each goes to the front of the queue.
    EXPECT_EQ(woken, (std::vector{2, 1}));
    ASSERT_TRUE(early);
    early->then([&] { woken.push_back(3); });  // too late to be told, so at once
    EXPECT_EQ(woken.back(), 3);
  }
}

TEST(MediaCache, WhoCannotComeBackBuildsToo) {
  cps::IndexCache cache;
  const cps::FileIdentity identity;
  const auto make = [] { return std::make_shared<cps::FrameIndex>(); };
  cps::FrameIndexPtr beside;
  EXPECT_THROW(cache.get(identity, 4, Busy::ComeBack,
                         [&]() -> cps::FrameIndexPtr {
                           beside = cache.get(identity, 4, Busy::BuildToo, make);
                           throw cps::Error(cps::ErrorCode::Corrupt, cps::Stage::Index, "no");
                         }),
               cps::Error);
  ASSERT_TRUE(beside);
  EXPECT_EQ(cache.get(identity, 4, Busy::ComeBack, make), beside);
}

}  // namespace
}  // namespace media_test
