// Indexes on disk: the same as one just built, for every clip; never one of another state of the
// file, another file, or damaged bytes.

#include "media/index/index_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>

#include "media/decode/count_pass.h"
#include "media/index/index_codec.h"
#include "media/media_common.h"

extern "C" {
#include <libavutil/crc.h>
}

namespace media_test {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / ("cps-index-" + std::to_string(::getpid()))) {
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  int files() const {
    return static_cast<int>(std::distance(fs::directory_iterator(path_), fs::directory_iterator()));
  }

 private:
  fs::path path_;
};

struct Built {
  cps::FrameIndexPtr index;
  cps::FileIdentity identity;
};

Built buildIndex(const std::string& path) {
  Services services(2);
  cps::Profile profile;
  const cps::SourceOptions options = defaultSource();
  const cps::CallContext call = {options, std::make_shared<cps::CancelToken>(), profile};
  const auto source = cps::openFileSource(path);
  return {cps::buildFrameIndex(source, call, services.media), *source->identity()};
}

void expectEqual(const cps::FrameIndex& a, const cps::FrameIndex& b) {
  EXPECT_EQ(a.info.width, b.info.width);
  EXPECT_EQ(a.info.height, b.info.height);
  EXPECT_EQ(a.info.totalFrames, b.info.totalFrames);
  EXPECT_EQ(a.info.fps, b.info.fps);
  EXPECT_EQ(a.info.durationSec, b.info.durationSec);
  EXPECT_EQ(a.info.codec, b.info.codec);
  EXPECT_EQ(a.info.format, b.info.format);
  EXPECT_EQ(a.trust, b.trust);
  EXPECT_EQ(a.seekKind, b.seekKind);
  EXPECT_EQ(a.seeks().seekable(), b.seeks().seekable());
  EXPECT_EQ(a.plain, b.plain);
  EXPECT_TRUE(a.orientation == b.orientation);
  EXPECT_EQ(a.storedWidth, b.storedWidth);
  EXPECT_EQ(a.storedHeight, b.storedHeight);
  EXPECT_EQ(a.reorderDepth, b.reorderDepth);
  EXPECT_EQ(a.display, b.display);
  EXPECT_EQ(a.keys, b.keys);
  EXPECT_EQ(a.timestampsSec, b.timestampsSec);
  EXPECT_EQ(a.bitstream.rules, b.bitstream.rules);
  EXPECT_EQ(a.bitstream.lengthBytes, b.bitstream.lengthBytes);
  EXPECT_EQ(a.bitstream.hevcSubLayers, b.bitstream.hevcSubLayers);
  ASSERT_EQ(a.packets.size(), b.packets.size());
  for (size_t i = 0; i < a.packets.size(); ++i) {
    const cps::PacketEntry &x = a.packets[i], &y = b.packets[i];
    ASSERT_TRUE(x.pts == y.pts && x.dts == y.dts && x.pos == y.pos && x.order == y.order &&
                x.duration == y.duration && x.size == y.size && x.key == y.key &&
                x.displayIndex == y.displayIndex && x.discard == y.discard)
        << "packet " << i;
  }
  EXPECT_EQ(a.x264Build, b.x264Build);
  ASSERT_EQ(a.inForce.size(), b.inForce.size());
  for (size_t i = 0; i < a.inForce.size(); ++i) {
    const cps::SideData &x = a.inForce[i], &y = b.inForce[i];
    EXPECT_TRUE(x.from == y.from && x.type == y.type && x.bytes == y.bytes) << "side data " << i;
  }
}

TEST(IndexFile, GivesBackTheIndexOfEveryClip) {
  for (const Fixture& fixture : fixtures()) {
    SCOPED_TRACE(fixture.name);
    const Built built = buildIndex(fixture.path());
    const std::vector<uint8_t> bytes = cps::encodeIndex(*built.index, built.identity);
    const cps::FrameIndexPtr read = cps::decodeIndex(bytes, built.identity);
    ASSERT_TRUE(read);
    expectEqual(*built.index, *read);
    // A few bytes per frame, the codec's own headers aside.
    size_t headers = 400 + static_cast<size_t>(built.index->parameters->extradata_size);
    for (const cps::SideData& data : built.index->inForce) headers += data.bytes.size();
    EXPECT_LT(bytes.size(), headers + 40 * built.index->packets.size());
  }
}

TEST(IndexFile, KeepsWhatBuildingTheIndexFound) {
  const Built built = buildIndex(fixtures().front().path());
  // Nobody else holds it yet.
  auto& notes = const_cast<cps::FrameIndex&>(*built.index).notes;
  notes.add("assumed-matrix", "Tags of no use.", 7);
  notes.add("assumed-matrix", "Tags of no use.", 3);
  notes.add("restarted-clock", "Somewhere.");
  const cps::FrameIndexPtr read =
      cps::decodeIndex(cps::encodeIndex(*built.index, built.identity), built.identity);
  ASSERT_TRUE(read);
  const std::vector<cps::Note> all = read->notes.list();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].code.text(), "assumed-matrix");
  EXPECT_EQ(all[0].message, "Tags of no use.");
  EXPECT_EQ(all[0].frames, (std::vector<int64_t>{3, 7}));
  EXPECT_EQ(all[1].code.text(), "restarted-clock");
  EXPECT_TRUE(all[1].frames.empty());
}

TEST(IndexFile, ASecondProcessDecodesTheSameFramesFromIt) {
  const Folder folder;
  size_t turn = 0;
  for (const Fixture& fixture : fixtures()) {
    if (longForm() == 0 && turn++ % 3 != 0) continue;
    SCOPED_TRACE(fixture.name);
    cps::SourceOptions options = defaultSource();
    options.readerCacheDir = folder / "made/when missing";
    options.decodeThreads = 1;  // so that the same packets are read
    Decoded first, second;
    {
      Services services(2);
      const int64_t total = probe(fixture.path(), services).totalFrames;
      Services fresh(2);
      decodeWith(fixture.path(), options, fresh, sampled(total, 5), first);
      EXPECT_EQ(first.profile.at("indexFromDisk"), 0);
    }
    Services services(2);
    decodeWith(fixture.path(), options, services, sampled(first.info.totalFrames, 5), second);
    EXPECT_EQ(second.profile.at("indexFromDisk"), 1);
    ASSERT_EQ(first.sink.frames.size(), second.sink.frames.size());
    EXPECT_EQ(first.profile.at("packetsRead"), second.profile.at("packetsRead"));
    for (const auto& [id, frame] : first.sink.frames) {
      ASSERT_TRUE(second.sink.frames.contains(id));
      EXPECT_EQ(frame.hash, second.sink.frames.at(id).hash) << "frame " << id;
      EXPECT_EQ(frame.seconds, second.sink.frames.at(id).seconds) << "frame " << id;
    }
  }
}

// The frames through an index that belongs to another state of the file would be an error or wrong.
TEST(IndexFile, AnotherStateOfTheFileIsAMiss) {
  const Folder folder;
  const std::string video = folder / "a.mp4";
  fs::copy_file(fixtures().front().path(), video);
  const auto fromDisk = [&](const std::string& place) {
    Services services(1);
    cps::SourceOptions options = defaultSource();
    options.readerCacheDir = place;
    Decoded out;
    decodeWith(video, options, services, {0}, out);
    return out.profile.at("indexFromDisk");
  };
  for (const std::string& place : {folder / "cache", std::string(cps::IndexFile::kBesideVideo)}) {
    SCOPED_TRACE(place);
    EXPECT_EQ(fromDisk(place), 0);
    EXPECT_EQ(fromDisk(place), 1);
    fs::last_write_time(video, fs::last_write_time(video) + std::chrono::seconds(2));
    EXPECT_EQ(fromDisk(place), 0) << "another time";
    EXPECT_EQ(fromDisk(place), 1);
    const auto time = fs::last_write_time(video);
    std::ofstream(video, std::ios::app) << "x";
    fs::last_write_time(video, time);
    EXPECT_EQ(fromDisk(place), 0) << "another size";
  }
  EXPECT_TRUE(fs::exists(video + ".cpsindex"));
  EXPECT_EQ(folder.files(), 3) << "the video, its index, the cache: nothing unfinished";
}

TEST(IndexFile, AnIndexInMemoryIsWrittenWhenThereIsAFolder) {
  const Folder folder;
  Services services(1);
  const std::string video = fixtures().front().path();
  Decoded out;
  decodeWith(video, defaultSource(), services, {0}, out);
  cps::SourceOptions options = defaultSource();
  options.readerCacheDir = folder / "cache";
  decodeWith(video, options, services, {0}, out);
  Services other(1);
  Decoded second;
  decodeWith(video, options, other, {0}, second);
  EXPECT_EQ(second.profile.at("indexFromDisk"), 1);
}

TEST(IndexFile, WhatAnEndedProcessLeftIsRemovedAndNothingElse) {
  const Folder folder;
  fs::create_directories(folder / "cache");
  const auto make = [&](const std::string& name, int hours) {
    const std::string path = folder / ("cache/" + name);
    std::ofstream(path) << "x";
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(hours));
    return path;
  };
  const std::string hex = "0123456789abcdef";
  const std::string left = make("a.mp4." + hex + ".cpsindex." + hex + ".part", 2);
  const std::vector<std::string> others = {
      make("b.mp4." + hex + ".cpsindex." + hex + ".part", 0),
      make("c.mp4." + hex + ".cpsindex." + hex.substr(1) + ".part", 2),
      make("d.mp4." + hex + "." + hex + ".part", 2),
      make("e.part", 2),
      make("f.cpsindex", 2),
  };
  Services services(1);
  cps::SourceOptions options = defaultSource();
  options.readerCacheDir = folder / "cache";
  Decoded out;
  decodeWith(fixtures().front().path(), options, services, {0}, out);
  EXPECT_FALSE(fs::exists(left));
  for (const std::string& other : others) EXPECT_TRUE(fs::exists(other)) << other;
}

// Somebody who may not write the video must not say what is in it.
TEST(IndexFile, OnlyTheUsersRootsOrTheVideosOwnersFilesCount) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  const Folder folder;
  const std::string video = folder / "a.mp4";
  fs::copy_file(fixtures().front().path(), video);
  cps::SourceOptions options = defaultSource();
  options.readerCacheDir = cps::IndexFile::kBesideVideo;
  const auto fromDisk = [&] {
    Services services(1);
    Decoded out;
    decodeWith(video, options, services, {0}, out);
    return out.profile.at("indexFromDisk");
  };
  const std::string index = video + ".cpsindex";
  EXPECT_EQ(fromDisk(), 0);
  EXPECT_EQ(fromDisk(), 1);
  ASSERT_EQ(::chown(index.c_str(), 12345, 12345), 0);
  EXPECT_EQ(fromDisk(), 0);
  EXPECT_EQ(fromDisk(), 1) << "written anew";
  ASSERT_EQ(::chown(index.c_str(), 12345, 12345), 0);
  ASSERT_EQ(::chown(video.c_str(), 12345, 12345), 0);
  EXPECT_EQ(fromDisk(), 1);
  ASSERT_EQ(::chmod(index.c_str(), 0666), 0);
  EXPECT_EQ(fromDisk(), 0);
}

void makeChecksumRight(std::vector<uint8_t>& bytes) {
  const size_t body = bytes.size() - 4;
  const uint32_t sum = av_crc(av_crc_get_table(AV_CRC_32_IEEE), 0xffffffff, bytes.data(), body);
  for (size_t i = 0; i < 4; ++i) bytes[body + i] = static_cast<uint8_t>(sum >> (8 * i));
}

void writeFile(const std::string& path, const std::vector<uint8_t>& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

// All frames with whatever index is there, in the order of the file, so that every packet is read.
struct Whole {
  cps::VideoInfo info;
  Collector sink;
  std::string error;
  bool stored = false;
};
void decodeWhole(const std::string& path, const std::string& place, Services& services,
                 Whole& out) {
  cps::Profile profile;
  cps::SourceOptions options = defaultSource();
  options.readerCacheDir = place;
  options.uniformStrategy = cps::UniformStrategy::Stream;
  const cps::CallContext call = {options, std::make_shared<cps::CancelToken>(), profile};
  cps::VideoInput input;
  input.path = path;
  out.error = errorOf([&] {
    const auto source = cps::openCpuSource(input, call, services.media);
    out.info = source->info();
    out.stored = profile.values()["indexFromDisk"] == 1;
    std::vector<int64_t> ids(static_cast<size_t>(out.info.totalFrames));
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int64_t>(i);
    try {
      source->decode(ids, out.sink);
    } catch (const cps::Error&) {
      EXPECT_EQ(source->forgetStoredIndex(), out.stored);
      throw;
    }
  });
}

// What the file itself says wins, whatever the index says of it.
TEST(IndexFile, WhatOpeningTheVideoTellsMustBeTheSame) {
  const Folder folder;
  const std::string video = fixturePath("h264_bpyramid.mp4");
  const auto identity = *cps::openFileSource(video)->identity();
  const cps::IndexFile file(folder / "cache", identity);
  const std::vector<std::function<void(cps::FrameIndex&)>> lies = {
      [](auto& i) { i.storedWidth = 1, i.storedHeight = 1; },
      [](auto& i) { i.storedWidth *= 2; },
      [](auto& i) { i.parameters->format = AV_PIX_FMT_YUV444P; },
      [](auto& i) { i.parameters->width = 16; },
      [](auto& i) { i.parameters->codec_id = AV_CODEC_ID_HEVC; },
      [](auto& i) { i.parameters->extradata[i.parameters->extradata_size - 1] ^= 1; },
      [](auto& i) { i.timeBase.den *= 2; },
      [](auto& i) { i.orientation.swapXY = true; },
      [](auto& i) { i.stream.streamIndex = 3; },
      [](auto& i) { i.plain = false; },
      [](auto& i) { i.packets.pop_back(), i.display.pop_back(), i.timestampsSec.pop_back(); },
  };
  for (size_t lie = 0; lie < lies.size(); ++lie) {
    SCOPED_TRACE(lie);
    const Built built = buildIndex(video);
    auto& index = const_cast<cps::FrameIndex&>(*built.index);
    lies[lie](index);
    cps::FileIdentity stored = built.identity;
    stored.path = fs::absolute(stored.path).lexically_normal().string();
    writeFile(file.path(), cps::encodeIndex(index, stored));
    Services services(1);
    Decoded out;
    cps::SourceOptions options = defaultSource();
    options.readerCacheDir = folder / "cache";
    decodeWith(video, options, services, {0, 20}, out);
    EXPECT_EQ(out.profile.at("indexFromDisk"), 0);
    EXPECT_EQ(out.info.width, 320);
    EXPECT_EQ(out.info.totalFrames, 100);
  }
}

// Equal to the true frames, or an error that the next call does not have.
TEST(IndexFile, WhatAMutatedFileSaysIsFoundOut) {
  std::mt19937 random(11);
  int taken = 0, errors = 0;
  for (const char* name : {"h264_bpyramid.mp4", "vfr.mkv", "mpeg2.ts", "mpeg4.avi", "vp9.webm"}) {
    const Folder folder;
    const std::string video = fixturePath(name), place = folder / "cache";
    const std::vector<ReferenceFrame> truth = decodeSequentially(video);
    Services first(2);
    Whole good;
    decodeWhole(video, place, first, good);
    ASSERT_EQ(good.error, "");
    const std::string path = cps::IndexFile(place, *cps::openFileSource(video)->identity()).path();
    std::ifstream in(path, std::ios::binary);
    const std::vector<uint8_t> bytes((std::istreambuf_iterator<char>(in)), {});
    for (int round = 0; round < (longForm() > 0 ? 12 : 5); ++round) {
      SCOPED_TRACE(std::string(name) + " round " + std::to_string(round));
      std::vector<uint8_t> mutated = bytes;
      for (uint32_t flips = random() % 2 + 1; flips > 0; --flips) {
        mutated[random() % (mutated.size() - 4)] ^= static_cast<uint8_t>(1u << random() % 8);
      }
      makeChecksumRight(mutated);
      writeFile(path, mutated);
      Services services(2);
      for (int call = 0; call < 2; ++call) {
        Whole out;
        decodeWhole(video, place, services, out);
        taken += out.stored;
        errors += !out.error.empty();
        EXPECT_TRUE(call == 0 || out.error.empty()) << out.error;
        for (const auto& [d, frame] : out.sink.frames) {
          ASSERT_LT(static_cast<size_t>(d), truth.size());
          ASSERT_EQ(frame.hash, truth[static_cast<size_t>(d)].hash) << "frame " << d;
        }
        ASSERT_TRUE(!out.error.empty() || out.sink.frames.size() == truth.size());
      }
    }
  }
  EXPECT_GT(taken, 0);
  EXPECT_GT(errors, 0);
}

// Headers of damaged files may hold anything: then there is no file, and no error.
TEST(IndexFile, ValuesThatTheFormatDoesNotHoldAreNotWritten) {
  const Folder folder;
  const Built built = buildIndex(fixtures().front().path());
  built.index->parameters->field_order = static_cast<AVFieldOrder>(7);
  EXPECT_TRUE(cps::encodeIndex(*built.index, built.identity).empty());
  EXPECT_FALSE(cps::IndexFile(folder / "cache", built.identity).save(*built.index, nullptr));
  EXPECT_TRUE(fs::is_empty(folder / "cache"));
}

// With the checksum made right again, so that the checks of the values themselves are reached.
TEST(IndexFile, DamagedBytesAreAMissOrHarmless) {
  std::mt19937 random(7);
  int misses = 0, taken = 0;
  for (const Fixture& fixture : fixtures()) {
    const Built built = buildIndex(fixture.path());
    const std::vector<uint8_t> good = cps::encodeIndex(*built.index, built.identity);
    for (int round = 0; round < 60; ++round) {
      std::vector<uint8_t> bytes = good;
      if (round % 3 == 0) bytes.resize(random() % bytes.size());
      for (uint32_t flips = random() % 4 + 1; flips > 0 && bytes.size() > 4; --flips) {
        bytes[random() % (bytes.size() - 4)] ^= static_cast<uint8_t>(1u << random() % 8);
      }
      EXPECT_FALSE(bytes != good && cps::decodeIndex(bytes, built.identity)) << "checksum";
      if (bytes.size() < 4) continue;
      makeChecksumRight(bytes);
      const cps::FrameIndexPtr index = cps::decodeIndex(bytes, built.identity);
      ++(index ? taken : misses);
      if (!index) continue;
      const auto packets = static_cast<int32_t>(index->packets.size());
      for (const int32_t ordinal : index->display) ASSERT_TRUE(ordinal >= 0 && ordinal < packets);
      for (int32_t i = 0; i < packets; ++i) ASSERT_LE(index->seeks().startFor(i), i);
      ASSERT_EQ(index->timestampsSec.size(), index->display.size());
    }
  }
  EXPECT_GT(misses, 0);
  EXPECT_GT(taken, 0);
}

}  // namespace
}  // namespace media_test
