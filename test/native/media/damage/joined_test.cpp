// Streams that are not what one encoder wrote in one go: captures joined in mid-group, headers that
// do not fit, packets that were put in or destroyed. Every picture is compared with a plain decode
// of the same bytes, and whether it can be had must not depend on how it is asked for.
#include <algorithm>
#include <optional>
#include <utility>

#include "core/notes.h"
#include "media/decode/count_pass.h"
#include "media/index/frame_index.h"
#include "media/media_plain.h"

namespace media_test {
namespace {

// A transport stream from its middle on, at a packet.
Bytes secondHalf(const Bytes& bytes) {
  constexpr size_t kPacket = 188;
  const size_t from = bytes.size() * 37 / 100 / kPacket * kPacket;
  return Bytes(bytes.begin() + static_cast<std::ptrdiff_t>(from), bytes.end());
}

std::vector<Bytes> asItIs(int /*ordinal*/, const Bytes& packet) { return {packet}; }

// Without its first packets.
std::vector<Bytes> fromTheMiddle(int ordinal, const Bytes& packet) {
  return ordinal < 17 ? std::vector<Bytes>{} : std::vector<Bytes>{packet};
}

// In the short form the first `few`.
void expectSameLossesOfAll(const std::vector<std::pair<std::string, Bytes>>& joins, size_t few) {
  const size_t count = longForm() > 0 ? joins.size() : std::min(few, joins.size());
  for (size_t i = 0; i < count; ++i) expectSameLosses(joins[i].second, joins[i].first);
}

TEST(Joins, InMidGroupGiveTheSameInEveryWay) {
  std::vector<std::pair<std::string, Bytes>> joins;
  for (const char* name : {"h264_interlaced.ts", "raw.m2v", "h264.ts", "hevc.ts", "mpeg2.ts",
                           "mpeg2.mpg", "raw.h264", "raw.hevc"}) {
    const Bytes whole = fixtureBytes(name);
    joins.emplace_back(name, joined(whole, secondHalf(whole)));
  }
  expectSameLossesOfAll(joins, 2);
}

TEST(Joins, OfMatroskaInMidGroupGiveTheSameInEveryWay) {
  std::vector<std::pair<std::string, Bytes>> joins;
  for (const char* name :
       {"av1.mp4", "h264_opengop.mp4", "h264_intra_refresh.mp4", "vp8_altref.webm", "vp9.webm",
        "mpeg4.mp4", "h264.mkv", "hevc_opengop.mkv", "mpeg2_709.mp4"}) {
    joins.emplace_back(name, joined(withPackets(name, "matroska", asItIs),
                                    withPackets(name, "matroska", fromTheMiddle)));
  }
  expectSameLossesOfAll(joins, 2);
}

TEST(Joins, OfMatroskaWithOtherHeaders) {
  std::vector<std::pair<std::string, Bytes>> joins;
  for (const auto& [a, b] : std::vector<std::pair<const char*, const char*>>{
           {"h264_bpyramid.mp4", "h264_interlaced.mp4"},
           {"h264_intra_only.mp4", "h264_422.mp4"},
           {"h264_bpyramid.mp4", "limited_709.mp4"},
           {"h264_bpyramid.mp4", "h264_intra_refresh.mp4"},
           {"limited_709.mp4", "h264_bpyramid.mp4"},
           {"h264_long_gop.mp4", "small.mp4"},
           {"hevc.mp4", "hevc10.mp4"},
           {"theora.ogv", "theora_q2.ogv"},
           {"mpeg4.mp4", "odd_mpeg4.avi"},
           {"mpeg2_untagged.mp4", "mpeg2_709.mp4"},
           {"av1.mp4", "av1_10bit.mkv"}}) {
    joins.emplace_back(std::string(a) + " " + b, joined(withPackets(a, "matroska", asItIs),
                                                        withPackets(b, "matroska", asItIs)));
  }
  expectSameLossesOfAll(joins, 2);
}

// FFmpeg's tools end at the join, with an error.
TEST(Joins, OfMultipartJpegHaveAllPictures) {
  const Bytes once = fixtureBytes("multipart.mjpeg");
  const hostile::Reference plain = hostile::decodeReference(once, 10'000, 60);
  const size_t count = plain.frames.size();
  ASSERT_GT(count, 8u);
  const InFile file(joined(joined(once, once), once));
  for (const Way& way : kWays) {
    SCOPED_TRACE(nameOf(way));
    Services services(4);
    const Result got = decodeBytes(file.input(), way, services);
    EXPECT_EQ(got.error, "");
    EXPECT_EQ(got.frames.size(), 3 * count);
    for (const auto& [d, look] : got.frames) {
      ASSERT_EQ(look.hash, plain.frames[static_cast<size_t>(d) % count].hash) << "picture " << d;
    }
  }
}

// Without the decoder's word for it there is none.
TEST(Joins, AreNoReorderingForADecoder) {
  cps::FrameIndex index;
  for (const int64_t begin : {100, 20, 60}) {
    for (int64_t i = 0; i < 40; i += 4) {
      for (const int64_t at : {i + 3, i + 1, i, i + 2}) {  // P, B, b, b
        index.packets.emplace_back().order = begin + at;
      }
    }
  }
  index.measureReordering();
  EXPECT_EQ(index.reorderDepth, 2);
}

// With intra refresh there is no picture that refers to none; a message says where all is renewed.
TEST(Joins, DamageEndsWhereAGradualRefreshDoes) {
  const char* const name = "h264_intra_refresh.mp4";
  const hostile::Reference whole = hostile::decodeReference(fixtureBytes(name), 10'000, 60);
  const auto count = static_cast<int64_t>(whole.frames.size());
  constexpr int64_t kCut = 17, kRefreshes = 25;
  for (const char* format : {"matroska", "mp4"}) {
    // In one file the packets between the parts are missing, in the other two parts are joined.
    const bool joins = format == std::string("matroska");
    const Bytes bytes =
        joins ? joined(withPackets(name, format, asItIs), withPackets(name, format, fromTheMiddle))
              : withPackets(name, format, [](int ordinal, const Bytes& packet) {
                  return ordinal == kCut ? std::vector<Bytes>{} : std::vector<Bytes>{packet};
                });
    const std::set<int64_t> lost = expectSameLosses(bytes, format);
    // A refresh begins every 25 pictures. The one in which pictures are missing is of no use; all
    // are right behind the next one.
    const int64_t first = joins ? count : kCut;
    const int64_t behind = joins ? count - kCut : 1;  // later by so many than in the whole clip
    const int64_t most = 2 * kRefreshes + (joins ? behind : -behind);
    ASSERT_FALSE(lost.empty()) << format;
    EXPECT_EQ(*lost.begin(), first) << format;
    EXPECT_LT(*lost.rbegin(), most) << format;
    // And they are those of the clip.
    const InFile file(bytes);
    Services services(2);
    const Result got = decodeBytes(file.input(), kWays[0], services, {}, true);
    for (const auto& [d, look] : got.frames) {
      const int64_t original = d < first ? d : joins ? d - behind : d + behind;
      EXPECT_EQ(look.hash, whole.frames[static_cast<size_t>(original)].hash) << format << ' ' << d;
    }
  }
}

// HEVC whose first packets are not there, nor packet `gone`.
Bytes cutHevc(int first, int gone) {
  static int from, without;
  from = first;
  without = gone;
  return withPackets("hevc.ts", "mpegts", [](int ordinal, const Bytes& packet) {
    const bool there = ordinal >= from && ordinal != without;
    return there ? std::vector<Bytes>{packet} : std::vector<Bytes>{};
  });
}

// Whatever FFmpeg makes of the pictures before the first entry point and of its leading ones.
TEST(Cuts, OfHevcInMidGroupAreNoDamage) {
  std::vector<int> cuts = {3, 13, 18};
  if (longForm() > 0) {
    for (int first = 1; first < 40; first += 4) cuts.push_back(first);
  }
  for (const int first : cuts) {
    expectAsPlain(cutHevc(first, -1), "from packet " + std::to_string(first));
  }
}

// And what is missing behind that entry point is, up to the next one: refused, or not shown by
// FFmpeg from 8 on.
TEST(Cuts, OfHevcDoNotHideDamageBehindThem) {
  const auto givenOut = [](int gone) {
    const Bytes bytes = cutHevc(13, gone);
    const std::string what = "without packet " + std::to_string(gone);
    return hostile::decodeReference(bytes, 10'000, 60).frames.size() -
           expectSameLosses(bytes, what).size();
  };
  const size_t whole = givenOut(-1);
  int damaged = 0;
  for (const int gone : {21, 22, 26, 30}) damaged += givenOut(gone) + 1 < whole;
  EXPECT_GT(damaged, 0);
}

Bytes thatIsOneByte(uint8_t byte, const char* name, const char* format) {
  static uint8_t put;
  put = byte;
  return withPackets(name, format, [](int ordinal, const Bytes& packet) {
    return ordinal % 9 == 4 ? std::vector<Bytes>{packet, {put}} : std::vector<Bytes>{packet};
  });
}

// A picture that is shown again, or none at all.
TEST(Packets, OfOneByteInVp9) {
  std::vector<uint8_t> bytes = {0x88, 0x00, 0xC0};
  if (longForm() > 0) bytes = {0x88, 0x8B, 0x8F, 0x00, 0xC0, 0x80, 0xFF, 0xA8};
  for (const uint8_t byte : bytes) {
    expectAsPlain(thatIsOneByte(byte, "vp9.webm", "nut"), std::to_string(byte));
    // This muxer makes one packet of it and the next, where it is no picture.
    expectAsPlain(thatIsOneByte(byte, "vp9.webm", "webm"), std::to_string(byte) + " with the next");
  }
}

TEST(Packets, OfMpeg4ThatAreNotCodedAndLong) {
  for (const char* format : {"mp4", "matroska"}) {
    const Bytes bytes = withPackets("mpeg4.mp4", format, [](int ordinal, const Bytes& packet) {
      Bytes skipped = {0, 0, 1, 0xB6, 0x50, 0xC0};  // P, five bits of time, not coded
      skipped.resize(64, 0);
      return ordinal % 7 == 3 ? std::vector<Bytes>{packet, skipped} : std::vector<Bytes>{packet};
    });
    expectAsPlain(bytes, format);
  }
}

std::optional<cps::Note> missingIn(const Bytes& bytes) {
  cps::Profile profile;
  const cps::SourceOptions options = defaultSource();
  const cps::CallContext call = {options, std::make_shared<cps::CancelToken>(), profile};
  Services services(2);
  const auto source = cps::openByteSource(inMemory(bytes));
  for (const cps::Note& note : cps::buildFrameIndex(source, call, services.media)->notes.list()) {
    if (note.code.text() == "missing-frames") return note;
  }
  return std::nullopt;
}

// The first picture destroyed, and with it all that refer to it.
TEST(MissingFrames, OfARawStreamAreNoted) {
  Bytes bytes = fixtureBytes("raw.h264");
  const auto whole =
      static_cast<int64_t>(hostile::decodeReference(bytes, 10'000, 60).frames.size());
  EXPECT_FALSE(missingIn(bytes).has_value());
  const Bytes idr = {0, 0, 1, 0x65};
  const auto at = std::search(bytes.begin(), bytes.end(), idr.begin(), idr.end());
  ASSERT_NE(at, bytes.end());
  std::fill(at + 4, at + 5000, uint8_t{0xA5});
  const auto left = static_cast<int64_t>(hostile::decodeReference(bytes, 10'000, 60).frames.size());
  ASSERT_LT(left, whole);
  const std::optional<cps::Note> note = missingIn(bytes);
  ASSERT_TRUE(note.has_value());
  EXPECT_EQ(note->message.substr(0, note->message.find(' ')), std::to_string(whole - left));
  EXPECT_EQ(note->frames, std::vector<int64_t>{0});
}

}  // namespace
}  // namespace media_test
