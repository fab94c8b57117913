// What is read off streams: entry points, packets that may be left out, orientation, properties.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <random>

#include "media/color.h"
#include "media/demuxer.h"
#include "media/nal.h"
#include "media_common.h"

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
    decodeWith(fixturePath(name), defaultOptions(), services, sampled(total, 3), out);
    EXPECT_GT(out.profile.at("packetsDropped"), 0) << name;
    EXPECT_LT(out.profile.at("packetsDecoded"), static_cast<double>(total)) << name;
  }
}

TEST(EntryPoints, IntraRefreshIsReadFromTheStart) {
  Services services(2);
  cps::DecodeOptions options = defaultOptions();
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
          // ops/frame_view.h
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
  const auto specOf = [](AVColorSpace space, AVColorRange range, AVPixelFormat format,
                         cps::ColorMatrixOption option = cps::ColorMatrixOption::Auto) {
    const cps::UniqueAVFrame frame = cps::makeFrame(cps::Stage::Decode);
    frame->format = format;
    frame->colorspace = space;
    frame->color_range = range;
    return cps::colorSpecOf(*frame, option, "test");
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
  const std::string error =
      errorOf([&] { specOf(AVCOL_SPC_YCGCO, AVCOL_RANGE_MPEG, AV_PIX_FMT_YUV420P); });
  EXPECT_EQ(error.substr(0, 19), "ERR_CPS_UNSUPPORTED") << error;
}

}  // namespace
}  // namespace media_test
