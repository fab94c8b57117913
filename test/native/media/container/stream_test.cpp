// What is read off streams: entry points, packets that may be left out, orientation, properties.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <random>

#include "media/codec/bitstream.h"
#include "media/codec/ffv1.h"
#include "media/codec/image_packets.h"
#include "media/container/demuxer.h"
#include "media/container/orientation.h"
#include "media/decode/color.h"
#include "media/media_common.h"

extern "C" {
#include <libavutil/display.h>
}

namespace media_test {
namespace {

struct Counts {
  int packets = 0, keys = 0, entries = 0, entriesWithoutKey = 0, droppable = 0;
};

Counts countPackets(const std::string& name) {
  cps::Demuxer demuxer(cps::openFileSource(fixturePath(name)), nullptr);
  const cps::BitstreamFormat format = cps::bitstreamFormat(demuxer.parameters());
  const cps::UniqueAVPacket packet = cps::makePacket(cps::Stage::Decode);
  Counts counts;
  while (demuxer.read(*packet)) {
    const std::span<const uint8_t> bytes(packet->data, static_cast<size_t>(packet->size));
    const bool key = packet->flags & AV_PKT_FLAG_KEY;
    const bool entry = cps::isEntryPoint(bytes, format);
    ++counts.packets;
    counts.keys += key;
    counts.entries += key && entry;
    counts.entriesWithoutKey += entry && !key;
    counts.droppable += cps::isDroppable(bytes, format);
  }
  return counts;
}

TEST(EntryPoints, IntraRefreshHasOnlyItsFirst) {
  const Counts counts = countPackets("h264_intra_refresh.mp4");
  EXPECT_GT(counts.keys, 1);
  EXPECT_EQ(counts.entries, 1);
}

TEST(EntryPoints, OpenAndClosedGroupsAreEntered) {
  for (const char* name : {"h264_bpyramid.mp4", "h264_opengop.mp4", "h264.ts", "hevc.mp4",
                           "hevc_opengop.mkv", "hevc.ts", "raw.h264", "raw.hevc"}) {
    const Counts counts = countPackets(name);
    EXPECT_GT(counts.keys, 1) << name;
    EXPECT_EQ(counts.entries, counts.keys) << name;
    EXPECT_EQ(counts.entriesWithoutKey, 0) << name;
  }
}

// Bits of a sequence parameter set, written by hand from the standard (7.3.2.1.1).
std::vector<uint8_t> sequenceParameterSet(bool gaps) {
  std::string bits =
      "01000010"
      "00000000"
      "00011110";  // Baseline, no constraints, level 3
  bits +=
      "1"
      "1"
      "011"
      "010";  // id 0, log2_max_frame_num 4, order type 2, one reference
  bits += gaps ? "1" : "0";
  bits +=
      "00110"
      "00101"
      "1";  // 6 x 5 macroblocks, frames only
  bits +=
      "1"
      "0"
      "0"
      "1";  // direct 8x8, no cropping, no VUI, end
  while (bits.size() % 8 != 0) bits += '0';
  std::vector<uint8_t> out = {0x67};
  for (size_t i = 0; i < bits.size(); i += 8) {
    out.push_back(static_cast<uint8_t>(std::stoi(bits.substr(i, 8), nullptr, 2)));
  }
  return out;
}

TEST(H264Gaps, AreReadFromParameterSetsOutsideAndInTheStream) {
  const std::vector<uint8_t> pictureSet = {0x68, 0xc0};  // both ids 0
  for (const bool gaps : {false, true}) {
    const std::vector<uint8_t> set = sequenceParameterSet(gaps);
    std::vector<uint8_t> unit = {0, 0, 1};
    unit.insert(unit.end(), set.begin(), set.end());
    unit.insert(unit.end(), {0, 0, 1, pictureSet[0], pictureSet[1]});
    cps::BitstreamFormat format;
    format.rules = &cps::rulesOf(AV_CODEC_ID_H264);
    cps::followHeaders(unit, format);
    EXPECT_TRUE(format.h264.sequence[0].known);
    EXPECT_EQ(format.h264.sequence[0].gaps, gaps);
    EXPECT_EQ(format.h264.sequence[0].frameNumBits, 4);
    EXPECT_EQ(cps::h264FramesOnly(format.h264), true);
    const std::unique_ptr<AVCodecParameters, void (*)(AVCodecParameters*)> parameters(
        avcodec_parameters_alloc(), [](AVCodecParameters* p) { avcodec_parameters_free(&p); });
    parameters->codec_id = AV_CODEC_ID_H264;
    std::vector<uint8_t> avcc = {1, 66, 0, 30, 0xff, 0xe1, 0, static_cast<uint8_t>(set.size())};
    avcc.insert(avcc.end(), set.begin(), set.end());
    avcc.insert(avcc.end(), {1, 0, 2, pictureSet[0], pictureSet[1]});
    for (const std::vector<uint8_t>& extradata : {unit, avcc}) {
      av_freep(&parameters->extradata);
      parameters->extradata =
          static_cast<uint8_t*>(av_mallocz(extradata.size() + AV_INPUT_BUFFER_PADDING_SIZE));
      std::copy(extradata.begin(), extradata.end(), parameters->extradata);
      parameters->extradata_size = static_cast<int>(extradata.size());
      EXPECT_EQ(cps::bitstreamFormat(*parameters).h264.sequence[0].gaps, gaps);
      EXPECT_EQ(cps::bitstreamFormat(*parameters).h264.sequenceOf[0], 0);
    }
  }
}

TEST(Ffv1Checksums, NoticeEveryFlippedBit) {
  cps::Demuxer demuxer(cps::openFileSource(fixturePath("gray10.mkv")), nullptr);
  const cps::UniqueAVPacket packet = cps::makePacket(cps::Stage::Decode);
  std::mt19937 random(3);
  int packets = 0;
  while (demuxer.read(*packet)) {
    ++packets;
    std::vector<uint8_t> bytes(packet->data, packet->data + packet->size);
    EXPECT_TRUE(cps::ffv1ChecksumsHold(bytes));
    // Not in the last eight bytes: a wrong size breaks the chain, which the decoder reports.
    bytes[random() % (bytes.size() / 8)] ^= static_cast<uint8_t>(1u << random() % 8);
    EXPECT_FALSE(cps::ffv1ChecksumsHold(bytes));
  }
  EXPECT_EQ(packets, 50);
}

TEST(Ffv1Checksums, AreNotExpectedWhereThereAreNone) {
  for (const char* name : {"rgb_ffv1.mkv", "gray_ffv1.mkv", "odd_422.mkv"}) {
    cps::Demuxer demuxer(cps::openFileSource(fixturePath(name)), nullptr);
    const cps::UniqueAVPacket packet = cps::makePacket(cps::Stage::Decode);
    while (demuxer.read(*packet)) {
      EXPECT_TRUE(cps::ffv1ChecksumsHold({packet->data, static_cast<size_t>(packet->size)}));
    }
  }
}

TEST(ImagePackets, PngNoticesEveryFlippedBitAndEveryCut) {
  std::mt19937 random(5);
  for (const char* name : {"palette_png.mkv", "rgb_png.mov", "rgba_png.mov"}) {
    cps::Demuxer demuxer(cps::openFileSource(fixturePath(name)), nullptr);
    const cps::UniqueAVPacket packet = cps::makePacket(cps::Stage::Decode);
    int packets = 0;
    while (demuxer.read(*packet)) {
      ++packets;
      std::vector<uint8_t> bytes(packet->data, packet->data + packet->size);
      EXPECT_TRUE(cps::pngChecksumsHold(bytes)) << name;
      for (int i = 0; i < 8; ++i) {
        // The first 64 bytes hold the headers, with the palette's first colours.
        const size_t at = random() % (i < 4 ? 64 : bytes.size());
        const auto bit = static_cast<uint8_t>(1u << random() % 8);
        bytes[at] ^= bit;
        EXPECT_FALSE(cps::pngChecksumsHold(bytes)) << name << ", byte " << at;
        bytes[at] ^= bit;
        const std::span<const uint8_t> start(bytes.data(), random() % bytes.size());
        EXPECT_FALSE(cps::pngChecksumsHold(start)) << name << ", " << start.size() << " bytes";
      }
    }
    EXPECT_GT(packets, 8) << name;
  }
}

TEST(ImagePackets, GifNoticesEveryCut) {
  cps::Demuxer demuxer(cps::openFileSource(fixturePath("palette.gif")), nullptr);
  const cps::UniqueAVPacket packet = cps::makePacket(cps::Stage::Decode);
  int packets = 0;
  while (demuxer.read(*packet)) {
    ++packets;
    const std::span<const uint8_t> bytes(packet->data, static_cast<size_t>(packet->size));
    EXPECT_TRUE(cps::gifIsWhole(bytes));
    constexpr uint8_t kTrailer = 0x3B;
    const size_t end = bytes.size() - (bytes.back() == kTrailer ? 1 : 0);
    for (size_t size = 0; size < end; ++size) {
      ASSERT_FALSE(cps::gifIsWhole(bytes.first(size))) << size << " of " << bytes.size();
    }
  }
  EXPECT_GT(packets, 8);
}

// What FFmpeg's own parser says of an AV1 clip: temporal units all of whose frames are new and
// refresh no slot. (trace_headers prints every syntax element.)
int unitsWithoutRefreshByTrace(const std::string& path) {
  const std::string command = "ffmpeg -v verbose -nostdin -i '" + path +
                              "' -map 0:v -c copy -bsf:v trace_headers -f null - 2>&1";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  int count = 0, frames = 0, refreshing = 0, without = 0;
  const auto endOfUnit = [&] {
    count += frames > 0 && refreshing == 0 && without == frames;
    frames = refreshing = without = 0;
  };
  const auto value = [](const std::string& line) {
    return std::stoi(line.substr(line.rfind('=') + 1));
  };
  char text[4096];
  while (pipe && std::fgets(text, sizeof(text), pipe.get())) {
    const std::string line = text;
    if (line.find("Packet:") != std::string::npos) endOfUnit();
    if (line.find(" show_existing_frame ") != std::string::npos) ++frames;
    if (line.find(" refresh_frame_flags ") != std::string::npos) {
      ++(value(line) == 0 ? without : refreshing);
    }
  }
  endOfUnit();
  return count;
}

TEST(DroppablePackets, OfAv1AreTheUnitsThatRefreshNoSlot) {
  int found = 0;
  for (const char* name : {"av1.mp4", "av1_10bit.mkv"}) {
    const int expected = unitsWithoutRefreshByTrace(fixturePath(name));
    EXPECT_EQ(countPackets(name).droppable, expected) << name;
    found += expected;
  }
  EXPECT_GT(found, 0);
}

TEST(DroppablePackets, OfAv1NeedASequenceHeaderThatIsKnown) {
  cps::Demuxer demuxer(cps::openFileSource(fixturePath("av1.mp4")), nullptr);
  const cps::BitstreamFormat known = cps::bitstreamFormat(demuxer.parameters());
  cps::BitstreamFormat format = known;
  format.av1 = {};
  const cps::UniqueAVPacket packet = cps::makePacket(cps::Stage::Decode);
  std::mt19937 random(5);
  bool first = true;
  int packets = 0;
  while (demuxer.read(*packet)) {
    ++packets;
    std::vector<uint8_t> bytes(packet->data, packet->data + packet->size);
    EXPECT_EQ(first, !format.av1.known);
    EXPECT_FALSE(first && cps::isDroppable(bytes, format));
    cps::followHeaders(bytes, format);  // SVT-AV1 puts the header in front of every key frame
    EXPECT_EQ(format.av1.orderHintBits, known.av1.orderHintBits);
    EXPECT_EQ(format.av1.forceScreenContentTools, known.av1.forceScreenContentTools);
    first = false;
    // Damaged units: any answer, no read outside (for the sanitizers).
    for (int round = 0; round < 20; ++round) {
      std::vector<uint8_t> bad = bytes;
      bad[random() % std::min<size_t>(bad.size(), 24)] ^= static_cast<uint8_t>(1u << random() % 8);
      bad.resize(1 + random() % bad.size());
      cps::BitstreamFormat other = format;
      cps::followHeaders(bad, other);
      cps::isDroppable(bad, other);
    }
  }
  EXPECT_EQ(packets, 50);
}

TEST(DroppablePackets, AreFoundWhereBFramesAreNotReferences) {
  for (const char* name :
       {"h264_bpyramid.mp4", "h264_opengop.mp4", "h264.ts", "hevc.mp4", "hevc.ts", "mpeg2.ts"}) {
    const Counts counts = countPackets(name);
    EXPECT_GT(counts.droppable, counts.packets / 10) << name;
    EXPECT_LT(counts.droppable, counts.packets * 9 / 10) << name;
  }
  for (const char* name : {"h264_intra_refresh.mp4", "vp9.webm", "mjpeg.avi", "prores.mov"}) {
    EXPECT_EQ(countPackets(name).droppable, 0) << name;
  }
}

// Bit-identical frames with packets left out are checked by media_frames_test; here, that any are.
TEST(DroppablePackets, AreLeftOutWhenDecoding) {
  for (const char* name :
       {"h264_long_gop.mp4", "h264_opengop.mp4", "hevc.mp4", "mpeg2.ts", "av1.mp4"}) {
    Services services(1);
    const int64_t total = probe(fixturePath(name), services).totalFrames;
    Decoded out;
    decodeWith(fixturePath(name), defaultSource(), services, sampled(total, 3), out);
    EXPECT_GT(out.profile.at("packetsDropped"), 0) << name;
    EXPECT_LT(out.profile.at("packetsDecoded"), static_cast<double>(total)) << name;
  }
}

TEST(EntryPoints, IntraRefreshIsReadFromTheStart) {
  Services services(2);
  cps::SourceOptions options = defaultSource();
  options.uniformStrategy = cps::UniformStrategy::Seek;
  Decoded out;
  decodeWith(fixturePath("h264_intra_refresh.mp4"), options, services, {99}, out);
  EXPECT_EQ(out.profile.at("packetsDecoded"), 100);
}

// Where the matrix puts each corner of the stored picture, and where our orientation finds it.
TEST(OrientationOf, AllEightMatrices) {
  constexpr int kW = 7, kH = 5;
  for (const int degrees : {0, 90, 180, 270}) {
    for (const bool flip : {false, true}) {
      int32_t m[9];
      av_display_rotation_set(m, degrees);
      if (flip) av_display_matrix_flip(m, 1, 0);
      const cps::Orientation o = cps::orientationFromMatrix(m);
      const bool turned = degrees % 180 != 0;
      ASSERT_EQ(o.swapXY, turned);
      // The picture's extent after the transformation, moved so that it begins at 0.
      const auto map = [&](int x, int y) {
        const double a = m[0] / 65536.0, b = m[1] / 65536.0, c = m[3] / 65536.0, d = m[4] / 65536.0;
        double px = a * x + c * y, py = b * x + d * y;
        const double cornerX = a * (kW - 1) + c * (kH - 1), cornerY = b * (kW - 1) + d * (kH - 1);
        const double minX = std::min({0.0, a * (kW - 1), c * (kH - 1), cornerX});
        const double minY = std::min({0.0, b * (kW - 1), d * (kH - 1), cornerY});
        return std::pair<int, int>(static_cast<int>(std::lround(px - minX)),
                                   static_cast<int>(std::lround(py - minY)));
      };
      for (int sy = 0; sy < kH; ++sy) {
        for (int sx = 0; sx < kW; ++sx) {
          const auto [x, y] = map(sx, sy);
          // core/picture.h
          const int a = o.swapXY ? x : y, b = o.swapXY ? y : x;
          EXPECT_EQ(o.flipY ? kH - 1 - a : a, sy) << degrees << flip;
          EXPECT_EQ(o.flipX ? kW - 1 - b : b, sx) << degrees << flip;
        }
      }
    }
  }
  EXPECT_EQ(cps::orientationFromMatrix(nullptr), cps::Orientation());
}

TEST(Properties, RotatedClipsShowWhatAViewerSees) {
  Services services(1);
  for (const char* name : {"rot90.mp4", "rot270.mp4"}) {
    const cps::VideoInfo info = probe(fixturePath(name), services);
    EXPECT_EQ(info.width, 240) << name;
    EXPECT_EQ(info.height, 320) << name;
  }
  EXPECT_EQ(probe(fixturePath("rot180.mp4"), services).width, 320);
}

TEST(Properties, RateAndDuration) {
  Services services(2);
  const auto check = [&](const char* name, double fps, double seconds, double tolerance) {
    const cps::VideoInfo info = probe(fixturePath(name), services);
    EXPECT_NEAR(info.fps, fps, 0.01) << name;
    EXPECT_NEAR(info.durationSec, seconds, tolerance) << name;
  };
  check("h264_bpyramid.mp4", 25, 4, 1e-3);
  check("nonzero_start.mp4", 25, 4, 1e-3);
  check("nonzero_start.mkv", 25, 4, 2e-3);
  check("nonzero_start.ts", 25, 4, 1e-3);
  check("h264.ts", 25, 4, 1e-3);
  check("mpeg4.avi", 25, 4, 1e-3);
  check("one_frame.mp4", 25, 0.04, 1e-3);
  check("raw.h264", 25, 4, 0.041);
}

TEST(Colour, TagsAndOverride) {
  size_t assumed = 0;
  const auto specOf = [&](AVColorSpace space, AVColorRange range, AVPixelFormat format,
                          cps::ColorMatrixOption option = cps::ColorMatrixOption::Auto) {
    const cps::UniqueAVFrame frame = cps::makeFrame(cps::Stage::Decode);
    frame->format = format;
    frame->colorspace = space;
    frame->color_range = range;
    cps::Notes notes;
    const cps::ColorSpec spec = cps::colorSpecOf(*frame, option, notes);
    assumed = notes.list().size();
    return spec;
  };
  using cps::ColorMatrix;
  const auto untagged = specOf(AVCOL_SPC_UNSPECIFIED, AVCOL_RANGE_UNSPECIFIED, AV_PIX_FMT_YUV420P);
  EXPECT_EQ(untagged.matrix, ColorMatrix::Bt601);
  EXPECT_FALSE(untagged.fullRange);
  EXPECT_TRUE(
      specOf(AVCOL_SPC_UNSPECIFIED, AVCOL_RANGE_UNSPECIFIED, AV_PIX_FMT_YUVJ420P).fullRange);
  EXPECT_TRUE(specOf(AVCOL_SPC_BT709, AVCOL_RANGE_JPEG, AV_PIX_FMT_YUV420P).fullRange);
  EXPECT_EQ(specOf(AVCOL_SPC_BT709, AVCOL_RANGE_MPEG, AV_PIX_FMT_YUV420P).matrix,
            ColorMatrix::Bt709);
  EXPECT_EQ(specOf(AVCOL_SPC_BT2020_NCL, AVCOL_RANGE_MPEG, AV_PIX_FMT_YUV420P10).matrix,
            ColorMatrix::Bt2020);
  const auto overridden =
      specOf(AVCOL_SPC_YCGCO, AVCOL_RANGE_JPEG, AV_PIX_FMT_YUV420P, cps::ColorMatrixOption::Bt709);
  EXPECT_EQ(overridden.matrix, ColorMatrix::Bt709);
  EXPECT_TRUE(overridden.fullRange);
  EXPECT_EQ(specOf(AVCOL_SPC_RGB, AVCOL_RANGE_UNSPECIFIED, AV_PIX_FMT_GBRP).matrix,
            ColorMatrix::Rgb);
  EXPECT_EQ(specOf(AVCOL_SPC_UNSPECIFIED, AVCOL_RANGE_UNSPECIFIED, AV_PIX_FMT_PAL8).matrix,
            ColorMatrix::Rgb);
  EXPECT_EQ(assumed, 0u);
  EXPECT_EQ(specOf(AVCOL_SPC_YCGCO, AVCOL_RANGE_MPEG, AV_PIX_FMT_YUV420P).matrix,
            ColorMatrix::Bt601);
  EXPECT_EQ(assumed, 1u);
}

}  // namespace
}  // namespace media_test
