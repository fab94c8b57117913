// Streams that are not what one encoder wrote in one go: captures joined in mid-group, headers that
// do not fit, packets that were put in or destroyed. Every picture is compared with a plain decode
// of the same bytes, and whether it can be had must not depend on how it is asked for.
#include <algorithm>
#include <cstdlib>

#include "core/notes.h"
#include "media/container/demuxer.h"
#include "media/decode/count_pass.h"
#include "media_plain.h"

namespace media_test {
namespace {

std::vector<cps::Note> notesOf(const Bytes& bytes) {
  cps::Profile profile;
  const cps::SourceOptions options = defaultSource();
  const cps::CallContext call = {options, std::make_shared<cps::CancelToken>(), profile};
  Services services(2);
  const auto index =
      cps::buildFrameIndex(cps::openByteSource(inMemory(bytes)), call, services.media);
  return index->notes.list();
}

// A transport stream from its middle on, at a packet.
Bytes secondHalf(const Bytes& bytes) {
  constexpr size_t kPacket = 188;
  const size_t from = bytes.size() * 37 / 100 / kPacket * kPacket;
  return Bytes(bytes.begin() + static_cast<std::ptrdiff_t>(from), bytes.end());
}

ChangePacket each(int) { return [](int, const Bytes& p) { return std::vector<Bytes>{p}; }; }

TEST(Joins, InMidGroupGiveTheSameInEveryWay) {
  for (const char* name : {"h264.ts", "hevc.ts", "mpeg2.ts", "mpeg2.mpg", "h264_interlaced.ts"}) {
    const Bytes whole = fixtureBytes(name);
    const std::set<int64_t> lost = expectSameLosses(joined(whole, secondHalf(whole)), name);
    std::string text = name;
    for (const int64_t d : lost) text += " " + std::to_string(d);
    std::puts(text.c_str());
  }
  for (const char* name : {"raw.h264", "raw.hevc", "raw.m2v"}) {
    const Bytes whole = fixtureBytes(name);
    const std::set<int64_t> lost = expectSameLosses(joined(whole, secondHalf(whole)), name);
    std::string text = name;
    for (const int64_t d : lost) text += " " + std::to_string(d);
    std::puts(text.c_str());
  }
}

// Without its first 37 packets.
std::vector<Bytes> fromTheMiddle(int ordinal, const Bytes& packet) {
  return ordinal < 17 ? std::vector<Bytes>{} : std::vector<Bytes>{packet};
}

TEST(Joins, OfMatroskaInMidGroupGiveTheSameInEveryWay) {
  for (const char* name : {"vp8_altref.webm", "vp9.webm", "av1.mp4", "mpeg4.mp4", "h264.mkv",
                           "h264_intra_refresh.mp4", "hevc_opengop.mkv", "h264_opengop.mp4", "mpeg2_709.mp4"}) {
    const Bytes whole = withPackets(name, "matroska", [](int, const Bytes& p) { return std::vector<Bytes>{p}; });
    const std::set<int64_t> lost =
        expectSameLosses(joined(whole, withPackets(name, "matroska", fromTheMiddle)), name);
    std::string text = name;
    for (const int64_t d : lost) text += " " + std::to_string(d);
    std::puts(text.c_str());
  }
}

TEST(Joins, OfMatroskaWithOtherHeaders) {
  for (const auto& [a, b] : std::vector<std::pair<const char*, const char*>>{
           {"h264_bpyramid.mp4", "limited_709.mp4"},
           {"h264_bpyramid.mp4", "h264_interlaced.mp4"},
           {"h264_bpyramid.mp4", "h264_intra_refresh.mp4"},
           {"limited_709.mp4", "h264_bpyramid.mp4"},
           {"h264_long_gop.mp4", "small.mp4"},
           {"h264_intra_only.mp4", "h264_422.mp4"},
           {"hevc.mp4", "hevc10.mp4"},
           {"theora.ogv", "theora_q2.ogv"},
           {"mpeg4.mp4", "odd_mpeg4.avi"},
           {"mpeg2_untagged.mp4", "mpeg2_709.mp4"},
           {"av1.mp4", "av1_10bit.mkv"}}) {
    const ChangePacket same = [](int, const Bytes& p) { return std::vector<Bytes>{p}; };
    const std::string what = std::string(a) + " " + b;
    const std::set<int64_t> lost = expectSameLosses(
        joined(withPackets(a, "matroska", same), withPackets(b, "matroska", same)), what);
    std::string text = what;
    for (const int64_t d : lost) text += " " + std::to_string(d);
    std::puts(text.c_str());
  }
}

TEST(Joins, OfMultipartJpeg) {
  const Bytes whole = fixtureBytes("multipart.mjpeg");
  expectAsPlain(joined(whole, whole), "twice");
}

TEST(Packets, OfOneByteInVp9) {
  for (const uint8_t byte : {0x88, 0x8B, 0x8F, 0x00, 0xC0, 0x80, 0xFF, 0xA8}) {
    static uint8_t put;
    put = byte;
    for (const char* name : {"vp9.webm", "odd_420.mp4"}) {
      const Bytes bytes = withPackets(name, "webm", [](int ordinal, const Bytes& packet) {
        return ordinal % 9 == 4 ? std::vector<Bytes>{packet, {put}} : std::vector<Bytes>{packet};
      });
      expectAsPlain(bytes, std::string(name) + ", " + std::to_string(byte));
    }
  }
}

TEST(Packets, OfMpeg4ThatAreNotCodedAndLong) {
  for (const char* format : {"mp4", "matroska", "avi"}) {
    const Bytes bytes = withPackets("mpeg4.mp4", format, [](int ordinal, const Bytes& packet) {
      Bytes skipped = {0, 0, 1, 0xB6, 0x50, 0xE1};
      skipped.resize(64, 0);
      return ordinal % 7 == 3 ? std::vector<Bytes>{packet, skipped} : std::vector<Bytes>{packet};
    });
    expectAsPlain(bytes, format);
  }
}

}  // namespace
}  // namespace media_test
