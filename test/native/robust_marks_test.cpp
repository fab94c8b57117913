// Note [Marks] in native/media/picture_marks.h: a packet that ends early must not become a picture
// that looks good, with one thread or with several.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "core/error.h"
#include "ffmpeg/util.h"
#include "frame_hash.h"
#include "hostile/reference.h"
#include "media/demuxer.h"
#include "media/packet_decoder.h"

namespace cps {
namespace {

struct Stream {
  UniqueAVCodecParameters parameters;
  std::vector<UniqueAVPacket> packets;
};

Stream readStream(const std::string& name, size_t count) {
  const char* folder = std::getenv("CPS_FIXTURES");
  if (folder == nullptr) throw std::runtime_error("set CPS_FIXTURES");
  VideoInput input;
  input.bytes =
      std::make_shared<const hostile::Bytes>(hostile::readFile(std::string(folder) + "/" + name));
  Demuxer demuxer(openByteSource(input), nullptr);
  Stream out;
  out.parameters = copyParameters(demuxer.parameters(), Stage::Decode);
  while (out.packets.size() < count) {
    UniqueAVPacket packet = makePacket(Stage::Decode);
    if (!demuxer.read(*packet)) break;
    out.packets.push_back(std::move(packet));
  }
  return out;
}

struct Picture {
  uint64_t hash;
  bool good;  // nothing says that it is damaged
};

// The pictures of the first `count` packets, the last of them cut to `keep` of its bytes.
std::map<int64_t, Picture> decode(const Stream& stream, size_t count, double keep, int threads) {
  DecoderConfig config;
  config.threads = threads;
  config.strict = threads > 1;
  PacketDecoder decoder(*stream.parameters, config);
  std::map<int64_t, Picture> out;
  bool failed = false;
  const PacketDecoder::Output output = [&](AVFrame* frame, int) {
    failed = failed || !frame;
    if (frame) out[packetNumber(*frame)] = {frame_hash::hashOfFrame(*frame), !isDamaged(*frame)};
  };
  for (size_t i = 0; i < count; ++i) {
    UniqueAVPacket packet(av_packet_clone(stream.packets[i].get()));
    if (i + 1 == count && keep < 1) {
      av_packet_make_writable(packet.get());
      av_shrink_packet(packet.get(), static_cast<int>(packet->size * keep));
    }
    decoder.decode(*packet, static_cast<int64_t>(i), output);
  }
  decoder.drain(output);
  if (failed) {  // SegmentDecoder looks at errors: what came out is not taken for good
    for (auto& [number, picture] : out) picture.good = false;
  }
  return out;
}

class CutPackets : public testing::TestWithParam<const char*> {};

TEST_P(CutPackets, NeverBecomePicturesThatLookGood) {
  constexpr size_t kMost = 9;
  const Stream stream = readStream(GetParam(), kMost);
  ASSERT_GE(stream.packets.size(), 2u);
  int noticed = 0;
  for (const size_t count : {size_t{1}, size_t{2}, size_t{5}, kMost}) {
    if (count > stream.packets.size()) continue;
    // What draws over the picture before leaves no mark, and shows that picture in the rest.
    if (count > 1 && stream.parameters->codec_id == AV_CODEC_ID_QTRLE) continue;
    const auto last = static_cast<int64_t>(count) - 1;
    const auto whole = decode(stream, count, 1, 1);
    if (whole.count(last) == 0) continue;
    for (const double keep : {0.3, 0.6, 0.9}) {
      // FFmpeg's HEVC decoder reads on past the end of a unit and fills its last blocks with noise;
      // only where the container gives the units' lengths is this an error.
      if (keep > 0.8 && std::string(GetParam()) == "hevc.ts") continue;
      for (const int threads : {1, 2}) {
        const auto cut = decode(stream, count, keep, threads);
        const auto found = cut.find(last);
        if (found == cut.end() || !found->second.good) {
          ++noticed;
          continue;
        }
        EXPECT_EQ(found->second.hash, whole.at(last).hash)
            << GetParam() << ": packet " << last << " cut to " << keep << ", " << threads
            << " threads";
      }
    }
  }
  EXPECT_GT(noticed, 0);
}

INSTANTIATE_TEST_SUITE_P(Codecs, CutPackets,
                         testing::Values("h264_intra_only.mp4", "h264_bpyramid.mp4", "raw.h264",
                                         "hevc.mp4", "hevc.ts", "mjpeg.avi", "raw.m2v",
                                         "gray_ffv1.mkv", "rgb_qtrle.mov"));

}  // namespace
}  // namespace cps
