// What decoders do with threads, what they remember, and what they have to be told: every clip with
// every number of threads, clips one after the other through one pool, streams whose parts differ.
// In full, and what depends on timing so many times: CPS_LONG=10.
#include <algorithm>
#include <map>

#include "media/codec/av1.h"
#include "media/codec/codec_rules.h"
#include "media/container/demuxer.h"
#include "media/decode/packet_decoder.h"
#include "media/frame_hash.h"
#include "media/media_plain.h"

namespace media_test {
namespace {

using frame_hash::hashOfFrame;

int repeats() { return std::max(1, longForm()); }

// --- threads

// (packet number, picture) of a whole clip.
using Pictures = std::vector<std::pair<int64_t, uint64_t>>;

Pictures picturesOf(const std::string& path, int threads) {
  cps::Demuxer demuxer(cps::openFileSource(path), nullptr);
  cps::DecoderConfig config;
  config.threads = threads;
  cps::PacketDecoder decoder(demuxer.parameters(), config);
  Pictures pictures;
  const cps::PacketDecoder::Output take = [&](AVFrame* frame, int error) {
    if (frame) pictures.emplace_back(frame->pts, hashOfFrame(*frame));
    if (!frame) pictures.emplace_back(error, 0);
    return true;
  };
  const cps::UniqueAVPacket packet = cps::makePacket(cps::Stage::Decode);
  for (int64_t number = 0; demuxer.read(*packet); ++number) decoder.decode(*packet, number, take);
  decoder.drain(take);
  return pictures;
}

class DecodersOfClips : public ::testing::TestWithParam<int> {};
constexpr int kShards = 4;

TEST_P(DecodersOfClips, ThreadsGiveWhatOneThreadGives) {
  const std::vector<Fixture> all = fixtures();
  for (size_t i = static_cast<size_t>(GetParam()); i < all.size(); i += kShards) {
    SCOPED_TRACE(all[i].name);
    const cps::Demuxer demuxer(cps::openFileSource(all[i].path()), nullptr);
    if (!cps::rulesOf(demuxer.parameters().codec_id).frameThreads) continue;
    const Pictures alone = picturesOf(all[i].path(), 1);
    for (int round = 0; round < repeats(); ++round) {
      for (const int threads : {4, 2}) {
        if (threads == 2 && longForm() == 0) continue;
        ASSERT_EQ(picturesOf(all[i].path(), threads), alone) << threads << " threads";
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shard, DecodersOfClips, ::testing::Range(0, kShards));

// Frame threads of these are a race or worse; nothing uses them, whatever the call asks for.
TEST(Decoders, CodecsWithoutSoundThreadsGiveTheSameEveryTime) {
  for (const char* name : {"theora.ogv", "mpeg4.avi", "odd_mpeg4.avi", "wmv2.asf"}) {
    SCOPED_TRACE(name);
    const Bytes bytes = fixtureBytes(name);
    const hostile::Reference plain = hostile::decodeReference(bytes, 10'000, 60);
    for (int round = 0; round < 2 * repeats(); ++round) {
      Services services(4);
      const Result got = decodeBytes(inMemory(bytes), {cps::UniformStrategy::Auto, 4}, services);
      ASSERT_EQ(got.error, "");
      ASSERT_EQ(got.frames.size(), plain.frames.size());
      for (const auto& [d, look] : got.frames) {
        ASSERT_EQ(look.hash, plain.frames[static_cast<size_t>(d)].hash) << "picture " << d;
      }
    }
  }
}

// Headers in mid-stream, which frame threads refuse.
TEST(Decoders, ChainedOggHasAllPicturesOfAllLinks) {
  expectAsPlain(joined(fixtureBytes("theora.ogv"), fixtureBytes("theora_q2.ogv")), "chained");
}

// --- memory

// FFmpeg allocates no piece above 2 GiB, however much there is.
TEST(Decoders, OfLargePicturesDoNotSeemToLackMemory) {
  const cps::UniqueAVCodecParameters parameters(avcodec_parameters_alloc());
  parameters->codec_type = AVMEDIA_TYPE_VIDEO;
  parameters->codec_id = AV_CODEC_ID_RAWVIDEO;
  parameters->format = AV_PIX_FMT_RGBA64LE;
  parameters->width = 16384;
  parameters->height = 8192;
  const cps::PacketDecoder decoder(*parameters, {});
  EXPECT_FALSE(decoder.ranShort());
}

TEST(PooledDecoders, NothingOfOneVideoReachesTheNext) {
  struct Clip {
    std::string name, kind;
    int64_t middle;
    Result alone;
  };
  const auto look = [](const std::string& name, std::vector<int64_t> ids, Services& services) {
    cps::VideoInput input;
    input.path = fixturePath(name);
    return decodeBytes(input, {cps::UniformStrategy::Seek, 1}, services, std::move(ids));
  };
  std::vector<Clip> clips;
  for (const Fixture& fixture : fixtures()) {
    const cps::Demuxer demuxer(cps::openFileSource(fixture.path()), nullptr);
    const AVCodecParameters& p = demuxer.parameters();
    // A decoder can only be handed on to a video of its codec and size.
    const std::string kind =
        std::to_string(p.codec_id) + " " + std::to_string(p.width) + "x" + std::to_string(p.height);
    Services services(1);
    const int64_t middle = std::min<int64_t>(7, probe(fixture.path(), services).totalFrames - 1);
    clips.push_back({fixture.name, kind, middle, look(fixture.name, {0}, services)});
  }
  // In full every pair; else four clips before each, other ones for each.
  constexpr size_t kBefore = 4;
  std::map<std::string, std::vector<const Clip*>> kinds;
  for (const Clip& clip : clips) kinds[clip.kind].push_back(&clip);
  int pairs = 0;
  Services services(1);
  for (const auto& [kind, same] : kinds) {
    const size_t steps = longForm() > 0 ? same.size() : std::min(same.size(), kBefore + 1);
    for (size_t step = 1; step < steps; ++step) {
      // 1, 2, 4, 8 ... places apart: neighbours are often alike.
      const size_t behind = steps == same.size() ? step : (size_t{1} << (step - 1)) % same.size();
      for (size_t i = 0; i < same.size() && behind > 0; ++i) {
        const Clip &before = *same[i], &after = *same[(i + behind) % same.size()];
        ++pairs;
        look(before.name, {before.middle}, services);
        const Result got = look(after.name, {0}, services);
        ASSERT_EQ(got.error, after.alone.error) << after.name << " after " << before.name;
        ASSERT_TRUE(got == after.alone) << after.name << " after " << before.name;
      }
    }
  }
  EXPECT_GT(pairs, 100);
}

// The pictures of an H.264 clip without a container.
Bytes rawH264(const std::string& name) {
  cps::Demuxer demuxer(cps::openFileSource(fixturePath(name)), nullptr);
  AVBSFContext* opened = nullptr;
  av_bsf_alloc(av_bsf_get_by_name("h264_mp4toannexb"), &opened);
  const cps::UniqueAVBSFContext filter(opened);
  avcodec_parameters_copy(opened->par_in, &demuxer.parameters());
  av_bsf_init(opened);
  Bytes out;
  const cps::UniqueAVPacket packet = cps::makePacket(cps::Stage::Decode);
  while (demuxer.read(*packet)) {
    av_bsf_send_packet(opened, packet.get());
    while (av_bsf_receive_packet(opened, packet.get()) >= 0) {
      out.insert(out.end(), packet->data, packet->data + packet->size);
    }
  }
  return out;
}

// Each part keeps its own, whichever part a decoder was in before.
TEST(PooledDecoders, ColourTagsThatChangeHoldForTheirOwnPart) {
  struct Part {
    const char* name;
    cps::ColorMatrix matrix;
    bool fullRange;
  };
  const Part untagged = {"h264_bpyramid.mp4", cps::ColorMatrix::Bt601, false};
  const Part limited709 = {"limited_709.mp4", cps::ColorMatrix::Bt709, false};
  const Part full709 = {"full_709.mp4", cps::ColorMatrix::Bt709, true};
  const Part limited601 = {"limited_601.mp4", cps::ColorMatrix::Bt601, false};
  for (const auto& [a, b] : std::vector<std::pair<Part, Part>>{{untagged, limited709},
                                                               {full709, limited709},
                                                               {limited709, full709},
                                                               {limited601, limited709}}) {
    SCOPED_TRACE(std::string(a.name) + ", then " + b.name);
    const Bytes first = rawH264(a.name), bytes = joined(first, rawH264(b.name));
    const auto border =
        static_cast<int64_t>(hostile::decodeReference(first, 10'000, 60).frames.size());
    const hostile::Reference plain = hostile::decodeReference(bytes, 10'000, 60);
    const auto count = static_cast<int64_t>(plain.frames.size());
    const InFile file(bytes);
    for (const Way& way : kWays) {
      Services services(4);
      for (int round = 0; round < 3; ++round) {
        // From the back to the front, too: decoders come from the part behind.
        for (const int64_t d : {count - 1, border, border - 1, int64_t{0}, int64_t{-1}}) {
          const std::vector<int64_t> all = {0, border / 2, border - 1, border, count - 1};
          const Result got =
              decodeBytes(file.input(), way, services, d < 0 ? all : std::vector<int64_t>{d});
          ASSERT_EQ(got.error, "");
          for (const auto& [at, look] : got.frames) {
            const Part& part = at < border ? a : b;
            EXPECT_EQ(look.hash, plain.frames[static_cast<size_t>(at)].hash) << at;
            EXPECT_EQ(look.matrix, part.matrix) << at << ", " << way.threads << " threads";
            EXPECT_EQ(look.fullRange, part.fullRange) << at << ", " << way.threads << " threads";
          }
        }
      }
    }
  }
}

// --- what is damage and what is not

TEST(Damage, SamplesThatHoldADelimiterOnlyAreNone) {
  const ChangePacket delimiterBefore = [](int, const Bytes& packet) {
    return std::vector<Bytes>{{0, 0, 0, 2, 9, 0xf0}, packet};
  };
  expectAsPlain(withPackets("h264_intra_refresh.mp4", "mp4", delimiterBefore), "no B-frames");
}

// A continuity counter that jumps, as where two recordings were joined, though nothing is missing.
TEST(Damage, AFlagOfTheTransportStreamAloneIsNone) {
  Bytes bytes = fixtureBytes("h264.ts");
  constexpr size_t kPacket = 188;
  int changed = 0;
  for (size_t at = bytes.size() / 3 / kPacket * kPacket;
       at + kPacket <= bytes.size() && changed < 3; at += 40 * kPacket) {
    ASSERT_EQ(bytes[at], 0x47);
    const int pid = (bytes[at + 1] & 0x1f) << 8 | bytes[at + 2];
    if (pid != 0x100) continue;
    bytes[at + 3] = static_cast<uint8_t>((bytes[at + 3] & 0xf0) | ((bytes[at + 3] + 5) & 0x0f));
    ++changed;
  }
  ASSERT_GT(changed, 1);
  const hostile::Reference plain = hostile::decodeReference(bytes, 10'000, 60);
  const hostile::Reference intact = hostile::decodeReference(fixtureBytes("h264.ts"), 10'000, 60);
  ASSERT_EQ(plain.frames.size(), intact.frames.size());
  expectAsPlain(bytes, "flagged packets");
}

// Data that ends early: rows that were never written are as the memory was.
TEST(Damage, OfVp8IsTheSameErrorInEveryWay) {
  const Bytes intact = fixtureBytes("vp8_altref.webm");
  cps::Demuxer demuxer(cps::openFileSource(fixturePath("vp8_altref.webm")), nullptr);
  Bytes bytes = intact;
  const cps::UniqueAVPacket packet = cps::makePacket(cps::Stage::Decode);
  int at = 0, damaged = 0;
  for (; demuxer.read(*packet); ++at) {
    if (at % 10 != 7 || packet->size < 200) continue;
    const auto found =
        std::search(bytes.begin(), bytes.end(), packet->data, packet->data + packet->size);
    ASSERT_NE(found, bytes.end());
    std::fill(found + packet->size / 3, found + packet->size, uint8_t{0xff});
    ++damaged;
  }
  ASSERT_GT(damaged, 2);
  const auto count =
      static_cast<int64_t>(hostile::decodeReference(intact, 10'000, 60).frames.size());
  int refused = 0;
  for (int64_t d = 0; d < count; ++d) {
    std::vector<Result> results;
    for (const Way& way : kWays) {
      Services services(4);
      results.push_back(decodeBytes(inMemory(bytes), way, services, {d}));
    }
    for (const Result& result : results) EXPECT_TRUE(result == results[0]) << "picture " << d;
    refused += !results[0].error.empty();
  }
  EXPECT_GT(refused, 2);
}

// --- sizes

// The first header of a stream in two sizes at a time (L2T1, 1280x720 the larger).
TEST(Av1Layers, TheSizeIsTheSequences) {
  const uint8_t header[] = {0x0a, 0x0d, 0x00, 0x13, 0x01, 0x08, 0x80, 0x86,
                            0xa6, 0x7f, 0xd9, 0xef, 0xff, 0xcc, 0x02};
  const std::optional<cps::Av1Sequence> sequence = cps::av1SequenceOf(header);
  ASSERT_TRUE(sequence.has_value());
  EXPECT_TRUE(sequence->spatialLayers);
  EXPECT_EQ(sequence->maxWidth, 1280);
  EXPECT_EQ(sequence->maxHeight, 720);
}

}  // namespace
}  // namespace media_test
