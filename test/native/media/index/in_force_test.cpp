// What packets say once and means until further notice, where there is much of it: it counts
// against maxMemoryBytes, and finding what is in force takes no longer the more there is.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/call_context.h"
#include "media/container/demuxer.h"
#include "media/decode/count_pass.h"
#include "media/decode/held_video.h"
#include "media/index/packet_reader.h"
#include "media/media_common.h"

namespace media_test {
namespace {

// RIFF: little endian, a chunk's size before its contents.
struct Riff {
  std::vector<uint8_t> bytes;
  void text(const char* four) { bytes.insert(bytes.end(), four, four + 4); }
  void number(uint32_t value, int n = 4) {
    for (int i = 0; i < n; ++i) bytes.push_back(static_cast<uint8_t>(value >> (8 * i)));
  }
  void zeros(size_t n) { bytes.resize(bytes.size() + n); }
  size_t begin(const char* four, const char* kind = nullptr) {
    text(four);
    number(0);
    const size_t at = bytes.size();
    if (kind) text(kind);
    return at;
  }
  void end(size_t at) {
    const auto size = static_cast<uint32_t>(bytes.size() - at);
    for (size_t i = 0; i < 4; ++i) bytes[at - 4 + i] = static_cast<uint8_t>(size >> (8 * i));
  }
};

constexpr uint32_t kSide = 4;  // pixels, a multiple of four

// The colour that the palette has at `at` in picture `i`: one changes with each.
uint32_t colourOf(uint32_t i, uint32_t at) {
  const uint32_t last = i / 256 * 256 + at;  // that changed it
  return 0xff000000 | (last <= i ? last : last < 256 ? 0 : last - 256);
}

// An AVI of 8-bit pictures, each with a change of one colour of the palette: 40 bytes a picture,
// of which FFmpeg makes palettes of a KiB.
std::shared_ptr<const std::vector<uint8_t>> changingPalettes(uint32_t pictures) {
  Riff out;
  const size_t riff = out.begin("RIFF", "AVI ");
  const size_t headers = out.begin("LIST", "hdrl");
  size_t chunk = out.begin("avih");
  for (const uint32_t value : {40'000u, 0u, 0u, 0x10u, pictures, 0u, 1u, 0u, kSide, kSide}) {
    out.number(value);
  }
  out.zeros(16);
  out.end(chunk);
  const size_t stream = out.begin("LIST", "strl");
  chunk = out.begin("strh");
  out.text("vids");
  // Handler, flags (palettes change), priority, first, scale, rate, start, length, buffer,
  // quality, sample size.
  for (const uint32_t value : {0u, 0x10000u, 0u, 0u, 1u, 25u, 0u, pictures, 0u, 0u, 0u}) {
    out.number(value);
  }
  out.zeros(4);
  out.number(kSide, 2);
  out.number(kSide, 2);
  out.end(chunk);
  chunk = out.begin("strf");
  for (const uint32_t value : {40u, kSide, kSide}) out.number(value);
  out.number(1, 2);
  out.number(8, 2);
  for (const uint32_t value : {0u, kSide * kSide, 0u, 0u, 256u, 0u}) out.number(value);
  out.zeros(4 * 256);
  out.end(chunk);
  out.end(stream);
  out.end(headers);
  const size_t movie = out.begin("LIST", "movi");
  for (uint32_t i = 0; i < pictures; ++i) {
    chunk = out.begin("00pc");
    out.number(i % 256, 1);
    out.number(1, 1);
    out.zeros(2);
    for (const int shift : {16, 8, 0}) out.number(i >> shift, 1);  // red, green, blue
    out.zeros(1);
    out.end(chunk);
    chunk = out.begin("00db");
    out.zeros(size_t{kSide} * kSide);
    out.end(chunk);
  }
  out.end(movie);
  out.end(riff);
  return std::make_shared<const std::vector<uint8_t>>(std::move(out.bytes));
}

TEST(InForce, CountsAgainstTheMemoryThatACallMayTake) {
  constexpr uint32_t kPictures = 20'000;  // palettes of 20 MB, 4 MB beyond what is free
  cps::VideoInput input;
  input.bytes = changingPalettes(kPictures);
  ASSERT_LT(input.bytes->size(), size_t{1} << 20);
  Services services(1);
  const auto open = [&](const cps::VideoInput& video, int64_t maxMemoryBytes) {
    cps::SourceOptions options = defaultSource();
    options.maxMemoryBytes = maxMemoryBytes;
    cps::Profile profile;
    const cps::CallContext call = {options, std::make_shared<cps::CancelToken>(), profile};
    return errorOf([&] {
      EXPECT_EQ(cps::openCpuSource(video, call, services.media)->info().totalFrames, kPictures);
    });
  };
  const auto expectRefused = [](const std::string& error) {
    EXPECT_EQ(error.substr(0, error.find(':')), "ERR_CPS_OUT_OF_MEMORY") << error;
    EXPECT_NE(error.find("maxMemoryBytes = 2097152"), std::string::npos) << error;
  };
  EXPECT_EQ(open(input, int64_t{64} << 20), "");
  const std::string refused = open(input, int64_t{2} << 20);
  expectRefused(refused);
  // As soon as it is too much, not when all have been read.
  EXPECT_EQ(refused.find("with 20000 frames"), std::string::npos) << refused;

  // The same of an index that another call has made.
  const cps::SourceOptions options = defaultSource();
  cps::Profile profile;
  const cps::CallContext call = {options, std::make_shared<cps::CancelToken>(), profile};
  cps::VideoInput held;
  held.opened = cps::holdVideo(input, call, services.media);
  EXPECT_EQ(open(held, int64_t{64} << 20), "");
  expectRefused(open(held, int64_t{2} << 20));
}

TEST(InForce, IsTheLastOfItsTypeUpToThePacket) {
  std::mt19937 random(31);
  for (int round = 0; round < 200; ++round) {
    cps::FrameIndex index;
    index.bitstream.rules = &cps::rulesOf(AV_CODEC_ID_RAWVIDEO);
    const auto count = static_cast<int32_t>(1 + random() % 60);
    index.packets.resize(static_cast<size_t>(count));
    for (int32_t i = 0; i < count; ++i) {
      while (random() % 3 == 0) {
        const auto type = random() % 4 == 0 ? AV_PKT_DATA_NEW_EXTRADATA : AV_PKT_DATA_PALETTE;
        index.inForce.push_back({i, type, {static_cast<uint8_t>(random())}});
      }
    }
    index.seal();
    for (int32_t i = 0; i < count; ++i) {
      for (const auto type : {AV_PKT_DATA_PALETTE, AV_PKT_DATA_NEW_EXTRADATA}) {
        const cps::SideData* expected = nullptr;
        for (const cps::SideData& data : index.inForce) {
          if (data.from <= i && data.type == type) expected = &data;
        }
        ASSERT_EQ(index.inForceAt(i, type), expected) << "round " << round << ", packet " << i;
      }
    }
  }
}

// Each packet costs what reading it costs, not what all before it say.
TEST(InForce, IsFoundWithoutALookAtAllBefore) {
  constexpr uint32_t kPictures = 60'000;
  Services services(1);
  const cps::SourceOptions options = defaultSource();
  cps::Profile profile;
  const cps::CallContext call = {options, std::make_shared<cps::CancelToken>(), profile};
  const auto bytes = cps::openMemorySource(changingPalettes(kPictures));
  const cps::FrameIndexPtr index = cps::buildFrameIndex(bytes, call, services.media);
  ASSERT_EQ(index->packets.size(), kPictures);
  ASSERT_EQ(index->inForce.size(), kPictures);
  const cps::UniqueAVPacket packet = cps::makePacket(cps::Stage::Decode);

  std::clock_t from = std::clock();
  cps::Demuxer demuxer(bytes, nullptr);
  uint32_t plain = 0;
  while (demuxer.read(*packet)) ++plain;
  const std::clock_t reading = std::clock() - from;
  ASSERT_EQ(plain, kPictures);

  from = std::clock();
  cps::PacketReader reader(bytes, nullptr, *index);
  for (uint32_t i = 0; i < kPictures; ++i) {
    ASSERT_EQ(reader.read(*packet), cps::ReadResult::Packet);
    if (i > 1000 && i % 1000 != 0) continue;
    size_t size = 0;
    const uint8_t* data = av_packet_get_side_data(packet.get(), AV_PKT_DATA_PALETTE, &size);
    ASSERT_TRUE(data != nullptr && size == 1024) << "packet " << i;
    for (const uint32_t at : {0u, 1u, 100u, 255u}) {
      uint32_t colour = 0;
      std::memcpy(&colour, data + 4 * size_t{at}, sizeof(colour));
      ASSERT_EQ(colour | 0xff000000, colourOf(i, at)) << "packet " << i << ", colour " << at;
    }
  }
  EXPECT_LT(std::clock() - from, 5 * std::max<std::clock_t>(reading, CLOCKS_PER_SEC / 50));
}

}  // namespace
}  // namespace media_test
