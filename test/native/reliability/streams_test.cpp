// Streams that are whole but not what their container says: flags that lie, pictures that share a
// packet, a size that changes. Made from the fixtures by libavformat's muxers; every picture is
// compared with a plain decode of the same bytes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "core/error.h"
#include "default_options.h"
#include "media/codec/bitstream.h"
#include "media/container/demuxer.h"
#include "media/decode/cpu_source.h"
#include "reliability/hostile/hash_sink.h"
#include "reliability/hostile/mutate.h"

extern "C" {
#include <libavcodec/bsf.h>
}

namespace cps {
namespace {

using hostile::Bytes;

Bytes fixture(const std::string& name) {
  const char* folder = std::getenv("CPS_FIXTURES");
  if (folder == nullptr) throw std::runtime_error("set CPS_FIXTURES");
  return hostile::readFile(std::string(folder) + "/" + name);
}

Bytes mutated(const Bytes& clip, const Bytes& other, const std::string& name) {
  for (const hostile::Mutation& mutation : hostile::packetMutations(clip, other)) {
    if (mutation.name == name) return mutation.make();
  }
  throw std::runtime_error("no mutation " + name);
}

struct Decoded {
  std::map<int64_t, uint64_t> hashes;
  std::string error;
};

// `wanted` empty: all.
Decoded decode(const Bytes& bytes, UniformStrategy strategy, int threads,
               const MediaServices& services, std::vector<int64_t> wanted = {}) {
  Decoded out;
  SourceOptions options = default_options::defaultSource();
  options.uniformStrategy = strategy;
  options.decodeThreads = threads;
  Profile profile;
  const CallContext call{options, std::make_shared<CancelToken>(), profile};
  VideoInput input;
  input.bytes = std::make_shared<const Bytes>(bytes);
  hostile::HashSink sink;
  try {
    const auto source = openCpuSource(input, call, services);
    if (wanted.empty()) {
      wanted.resize(static_cast<size_t>(source->info().totalFrames));
      std::iota(wanted.begin(), wanted.end(), 0);
    }
    source->decode(wanted, sink);
  } catch (const Error& error) {
    out.error = std::string(errorCodeName(error.code())) + ": " + error.what();
  }
  out.hashes = sink.hashes;
  return out;
}

MediaServices services(int threads) {
  return makeMediaServices(std::make_shared<TaskPool>(threads),
                           std::make_shared<ThreadBudget>(threads));
}

struct Remuxed {
  const char* clip;
  const char* container;
};

// MP4 without a table of key frames says that every picture is one.
TEST(KeyFlagsThatLie, EveryPictureAloneIsTheRightOne) {
  const Bytes other = fixture("small.mp4");
  for (const Remuxed& r : std::vector<Remuxed>{{"mpeg4.mp4", "mp4"},
                                               {"odd_mpeg4.avi", "mp4"},
                                               {"mpeg4_packed.avi", "mp4"},
                                               {"mpeg4.mp4", "matroska"},
                                               {"mpeg2.ts", "mp4"},
                                               {"mpeg2.ts", "matroska"},
                                               {"vp8_altref.webm", "matroska"},
                                               {"vp9.webm", "mp4"},
                                               {"vp9_10bit.webm", "matroska"},
                                               {"av1.mp4", "mp4"},
                                               {"av1_10bit.mkv", "matroska"},
                                               {"h264_opengop.mp4", "mp4"},
                                               {"hevc_opengop.mkv", "mp4"}}) {
    const std::string what = std::string(r.clip) + " in " + r.container;
    const Bytes bytes =
        mutated(fixture(r.clip), other, "mux-" + std::string(r.container) + "-all-key-flags");
    ASSERT_FALSE(bytes.empty()) << what;
    const hostile::Reference plain = hostile::decodeReference(bytes, 10'000, 60);
    const auto media = services(2);
    const auto count = static_cast<int64_t>(plain.frames.size());
    ASSERT_GT(count, 8) << what;
    for (int64_t d = 0; d < count; d += std::max<int64_t>(1, count / 12)) {
      const Decoded got = decode(bytes, UniformStrategy::Seek, 1, media, {d});
      EXPECT_EQ(got.error, "") << what << ", picture " << d;
      ASSERT_EQ(got.hashes.size(), got.error.empty() ? 1u : 0u) << what << ", picture " << d;
      if (!got.error.empty()) continue;
      EXPECT_EQ(got.hashes.at(d), plain.frames[static_cast<size_t>(d)].hash)
          << what << ", picture " << d;
    }
  }
}

// The first packets of an H.264 stream as they are without a container.
Bytes rawH264(const std::string& name, int packets) {
  VideoInput input;
  input.bytes = std::make_shared<const Bytes>(fixture(name));
  Demuxer demuxer(openByteSource(input), nullptr);
  AVBSFContext* filter = nullptr;
  if (av_bsf_alloc(av_bsf_get_by_name("h264_mp4toannexb"), &filter) < 0) return {};
  avcodec_parameters_copy(filter->par_in, &demuxer.parameters());
  av_bsf_init(filter);
  Bytes out;
  const UniqueAVPacket packet = makePacket(Stage::Decode);
  for (int i = 0; i < packets && demuxer.read(*packet); ++i) {
    av_bsf_send_packet(filter, packet.get());
    while (av_bsf_receive_packet(filter, packet.get()) >= 0) {
      out.insert(out.end(), packet->data, packet->data + packet->size);
    }
  }
  av_bsf_free(&filter);
  return out;
}

Bytes join(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST(H264Sizes, TheParameterSetsSayWhatTheDecoderGivesOut) {
  for (const char* name : {"h264_bpyramid.mp4", "small.mp4", "wide.mp4", "cropped.mp4", "gray.mp4",
                           "odd_444.mp4", "h264_422.mp4", "h264_interlaced.mp4", "h264_10bit.mp4",
                           "h264.ts", "rgb_x264.mkv", "anamorphic.mp4"}) {
    const Bytes bytes = fixture(name);
    const hostile::Reference plain = hostile::decodeReference(bytes, 1, 60);
    ASSERT_EQ(plain.frames.size(), 1u) << name;
    const int width = plain.frames[0].width, height = plain.frames[0].height;
    VideoInput input;
    input.bytes = std::make_shared<const Bytes>(bytes);
    Demuxer demuxer(openByteSource(input), nullptr);
    BitstreamFormat format = bitstreamFormat(demuxer.parameters());
    H264PictureNumbers numbers;
    const UniqueAVPacket packet = makePacket(Stage::Decode);
    while (demuxer.read(*packet)) {
      const std::span<const uint8_t> data(packet->data, static_cast<size_t>(packet->size));
      followHeaders(data, format);
      numbers.follows(data, format.lengthBytes, format.h264);
      const H264Sequence& set = numbers.sequence();
      ASSERT_TRUE(set.known) << name;
      ASSERT_EQ(std::make_pair(set.width, set.height), std::make_pair(width, height)) << name;
      EXPECT_TRUE(h264MayHaveSize(set, width, height)) << name;
      EXPECT_FALSE(h264MayHaveSize(set, width + 16, height)) << name;
      EXPECT_FALSE(h264MayHaveSize(set, width, height + 32)) << name;
    }
  }
}

// FFmpeg's decoder then gives out what the container says.
TEST(H264Sizes, ContainersMayCropLessThanABlock) {
  Bytes bytes = fixture("h264_bpyramid.mp4");
  const std::string all(bytes.begin(), bytes.end());
  const size_t entry = all.find("avc1", all.find("stsd"));
  ASSERT_NE(entry, std::string::npos);
  uint8_t* size = bytes.data() + entry + 4 + 24;  // width, height: 16 bits each
  ASSERT_EQ(size[2] << 8 | size[3], 240);
  for (const int height : {239, 232, 225}) {
    size[3] = static_cast<uint8_t>(height);
    const hostile::Reference plain = hostile::decodeReference(bytes, 100, 60);
    ASSERT_GT(plain.frames.size(), 60u);
    EXPECT_EQ(plain.frames[0].height, height);
    for (const int threads : {1, 2}) {
      const Decoded got = decode(bytes, UniformStrategy::Seek, threads, services(2), {0, 7, 60});
      EXPECT_EQ(got.error, "") << height;
      for (const auto& [d, hash] : got.hashes) {
        EXPECT_EQ(hash, plain.frames[static_cast<size_t>(d)].hash) << height << ", picture " << d;
      }
      EXPECT_EQ(got.hashes.size(), 3u);
    }
  }
}

// Whatever pictures several threads have in work, one of another size is refused.
TEST(H264Sizes, AChangeInMidStreamIsRefusedWithAnyNumberOfThreads) {
  const Bytes little = rawH264("small.mp4", 3), large = rawH264("h264_bpyramid.mp4", 3);
  const Bytes once = join(little, large);
  const Bytes often = join(join(once, once), once);
  for (const Bytes* bytes : {&once, &often}) {
    for (const int threads : {0, 1, 2, 4}) {
      const auto media = services(4);
      for (int i = 0; i < 4; ++i) {
        const auto strategy = i % 2 == 0 ? UniformStrategy::Seek : UniformStrategy::Stream;
        const std::string error = decode(*bytes, strategy, threads, media).error;
        EXPECT_NE(error.find("ERR_CPS_UNSUPPORTED"), std::string::npos) << error;
        EXPECT_NE(error.find("change of size"), std::string::npos) << error;
      }
    }
  }
}

// Decodes every picture alone, in several ways. What comes out without an error must be a picture
// of the intact clip. Returns how many are refused.
int refusedPictures(const hostile::Reference& intact, const Bytes& damaged) {
  std::set<uint64_t> right;
  for (const hostile::ReferenceFrame& frame : intact.frames) right.insert(frame.hash);
  const auto count = static_cast<int64_t>(hostile::decodeReference(damaged, 100, 60).frames.size());
  std::set<int> refused;
  for (const auto strategy : {UniformStrategy::Seek, UniformStrategy::Stream}) {
    for (const int threads : {1, 2}) {
      const auto media = services(2);
      int errors = 0;
      for (int64_t d = 0; d < count; ++d) {
        const Decoded got = decode(damaged, strategy, threads, media, {d});
        if (got.error.empty()) {
          EXPECT_TRUE(right.count(got.hashes.at(d))) << "picture " << d << ", " << threads;
        } else {
          ++errors;
          EXPECT_NE(got.error.find("Frame " + std::to_string(d)), std::string::npos) << got.error;
        }
      }
      refused.insert(errors);
    }
  }
  EXPECT_EQ(refused.size(), 1u) << "as many in each way";
  return *refused.begin();
}

// FFmpeg's decoder goes on with the palette that it has.
TEST(ImagePackets, APngPictureWithADamagedPaletteIsRefusedAlone) {
  Bytes bytes = fixture("palette_png.mkv");
  const hostile::Reference intact = hostile::decodeReference(bytes, 100, 60);
  ASSERT_GT(intact.frames.size(), 8u);
  const std::string all(bytes.begin(), bytes.end());
  size_t at = 0;
  for (int palette = 0; palette < 4; ++palette) at = all.find("PLTE", at + 1);
  ASSERT_NE(at, std::string::npos);
  bytes[at + 1] ^= 1;  // no palette any more
  EXPECT_EQ(refusedPictures(intact, bytes), 1);
}

// FFmpeg's decoder leaves what is missing as the picture before had it.
TEST(ImagePackets, GifPicturesAfterOneThatEndsEarlyAreRefused) {
  const Bytes bytes = fixture("palette.gif");
  const hostile::Reference intact = hostile::decodeReference(bytes, 100, 60);
  ASSERT_GT(intact.frames.size(), 8u);
  const Bytes cut = mutated(bytes, fixture("small.mp4"), "mux-matroska-every-fifth-cut");
  EXPECT_GT(refusedPictures(intact, cut), 0);
}

}  // namespace
}  // namespace cps
