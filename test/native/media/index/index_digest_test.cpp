// What indexes say of files, against what they said when index_digest.txt was written: a file in a
// reader's cache is believed by every later version of the package that has the same kIndexVersion.
// Where something else comes out on purpose, raise kIndexVersion (index_codec.h) and write the file
// anew: CPS_INDEX_DIGEST=write. That refuses as long as the number is the old one.
//
// Encoders of another build make other clips, which are not compared; nor is anything under other
// versions of FFmpeg, whose index files are not believed here.
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "media/decode/count_pass.h"
#include "media/index/index_codec.h"
#include "media/media_plain.h"

extern "C" {
#include <libavutil/crc.h>
}

namespace media_test {
namespace {

const std::string kFile = CPS_INDEX_DIGEST_FILE;

std::string hexOf(const Bytes& bytes) {
  const AVCRC* table = av_crc_get_table(AV_CRC_32_IEEE);
  const uint32_t sum = bytes.empty() ? 0 : av_crc(table, 0, bytes.data(), bytes.size());
  std::ostringstream text;
  text << std::hex << sum << '.' << bytes.size();
  return text.str();
}

// What an index file of these bytes holds, or the error that says why there is none.
std::string contentOf(const Bytes& bytes) {
  cps::SourceOptions options = defaultSource();
  options.damaged = cps::Damaged::Skip;
  cps::Profile profile;
  const cps::CallContext call = {options, std::make_shared<cps::CancelToken>(), profile};
  Services services(2);
  std::string content;
  const std::string error = errorOf([&] {
    const auto source = cps::openByteSource(inMemory(bytes));
    const cps::FrameIndexPtr index = cps::buildFrameIndex(source, call, services.media);
    content = hexOf(cps::encodeIndex(*index, {}));
  });
  return error.empty() ? content : error.substr(0, error.find(':'));
}

struct Clip {
  std::string name;
  Bytes bytes;
};

std::vector<Bytes> asItIs(int /*ordinal*/, const Bytes& packet) { return {packet}; }

// Whose counts depend on more than packets and their times.
std::vector<Clip> madeClips() {
  std::vector<Clip> clips;
  const auto fromTheMiddle = [](int ordinal, const Bytes& packet) {
    return ordinal < 17 ? std::vector<Bytes>{} : std::vector<Bytes>{packet};
  };
  for (const char* name : {"h264_bpyramid.mp4", "h264_opengop.mp4", "hevc.mp4", "mpeg2_709.mp4",
                           "h264_intra_refresh.mp4", "mpeg4.mp4"}) {
    clips.push_back({std::string("joined in mid-group: ") + name,
                     joined(withPackets(name, "matroska", asItIs),
                            withPackets(name, "matroska", fromTheMiddle))});
  }
  clips.push_back({"packets of one byte", withPackets("vp9.webm", "nut", [](int n, const Bytes& p) {
                     return n % 9 == 4 ? std::vector<Bytes>{p, {0x00}} : std::vector<Bytes>{p};
                   })});
  clips.push_back({"shown again", withPackets("vp9.webm", "nut", [](int n, const Bytes& p) {
                     return n % 9 == 4 ? std::vector<Bytes>{p, {0x88}} : std::vector<Bytes>{p};
                   })});
  clips.push_back({"not coded", withPackets("mpeg4.mp4", "matroska", [](int n, const Bytes& p) {
                     Bytes skipped = {0, 0, 1, 0xB6, 0x50, 0xC0};
                     skipped.resize(64, 0);
                     return n % 7 == 3 ? std::vector<Bytes>{p, skipped} : std::vector<Bytes>{p};
                   })});
  Bytes broken = fixtureBytes("raw.h264");
  const Bytes idr = {0, 0, 1, 0x65};
  const auto at = std::search(broken.begin(), broken.end(), idr.begin(), idr.end());
  std::fill(at + 4, at + 5000, uint8_t{0xA5});
  clips.push_back({"first picture destroyed", broken});
  for (const char* name : {"sizes_h264.ts", "sizes_hevc.ts", "sizes_mpeg2.ts"}) {
    clips.push_back({name, fixtureBytes(name)});
  }
  return clips;
}

struct Said {
  std::string bytes, content;
};

struct Recorded {
  std::string libraries;
  int64_t version = 0;
  std::map<std::string, Said> rows;
};

std::string librariesNow() {
  return std::to_string(avformat_version()) + " " + std::to_string(avcodec_version());
}

// The version, the libraries, then lines of bytes, content and name.
Recorded readRecorded() {
  Recorded recorded;
  std::ifstream in(kFile);
  std::string line;
  std::getline(in, line);  // says what the file is
  in >> recorded.version >> std::ws;
  std::getline(in, recorded.libraries);
  for (Said said; in >> said.bytes >> said.content >> std::ws;) {
    std::getline(in, line);
    recorded.rows[line] = said;
  }
  return recorded;
}

void write(const std::map<std::string, Said>& rows) {
  std::ofstream out(kFile);
  out << "kIndexVersion; FFmpeg's libraries; bytes of a file, what its index says, name\n"
      << cps::kIndexVersion << '\n'
      << librariesNow() << '\n';
  for (const auto& [name, said] : rows) {
    out << said.bytes << ' ' << said.content << ' ' << name << '\n';
  }
}

TEST(IndexDigest, IndexesSayWhatTheySaidUnderThisVersion) {
  const char* mode = std::getenv("CPS_INDEX_DIGEST");
  const bool writes = mode != nullptr && std::string(mode) == "write";
  const Recorded recorded = readRecorded();
  if (!writes && recorded.libraries != librariesNow()) {
    GTEST_SKIP() << "recorded with other versions of FFmpeg's libraries";
  }
  std::vector<Clip> clips = madeClips();
  for (const bool bad : {false, true}) {
    for (const Fixture& fixture : fixtures(bad)) {
      clips.push_back({fixture.name, fixtureBytes(fixture.name)});
    }
  }
  std::map<std::string, Said> now;
  std::string others;
  size_t compared = 0;
  for (const Clip& clip : clips) {
    const Said said = {hexOf(clip.bytes), contentOf(clip.bytes)};
    now[clip.name] = said;
    const auto before = recorded.rows.find(clip.name);
    if (before == recorded.rows.end()) {
      EXPECT_TRUE(writes) << clip.name << " is new: write the file anew";
    } else if (before->second.bytes == said.bytes) {
      ++compared;
      if (before->second.content != said.content) others += " " + clip.name;
    }
  }
  if (recorded.version == cps::kIndexVersion && recorded.libraries == librariesNow()) {
    ASSERT_EQ(others, "") << "indexes say something else of these files: raise kIndexVersion";
  }
  if (writes) return write(now);
  EXPECT_EQ(recorded.version, cps::kIndexVersion) << "write the file anew";
  EXPECT_GT(compared, clips.size() / 2);
}

}  // namespace
}  // namespace media_test
