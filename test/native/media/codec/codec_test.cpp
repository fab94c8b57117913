// The rules of each codec (Note [Codec rules]), held against what FFmpeg's decoders make of the
// packets of every clip when some of them are left out.

#include <algorithm>
#include <map>
#include <string>

#include "media/codec/bitstream.h"
#include "media/container/demuxer.h"
#include "media/frame_hash.h"
#include "media/media_common.h"

namespace media_test {
namespace {

using frame_hash::hashOfFrame;

struct Clip {
  std::string name;
  cps::UniqueAVCodecParameters parameters;
  std::vector<cps::UniqueAVPacket> packets;
  cps::BitstreamFormat format;

  cps::PacketBytes bytes(size_t i) const {
    return {packets[i]->data, static_cast<size_t>(packets[i]->size)};
  }
};

Clip readClip(const Fixture& fixture) {
  cps::Demuxer demuxer(cps::openFileSource(fixture.path()), nullptr);
  Clip clip;
  clip.name = fixture.name;
  clip.parameters.reset(avcodec_parameters_alloc());
  avcodec_parameters_copy(clip.parameters.get(), &demuxer.parameters());
  clip.format = cps::bitstreamFormat(*clip.parameters);
  for (;;) {
    cps::UniqueAVPacket packet = cps::makePacket(cps::Stage::Decode);
    if (!demuxer.read(*packet)) return clip;
    if (packet->size > 0) clip.packets.push_back(std::move(packet));
  }
}

// (packet number, picture) in the order in which they are shown.
using Shown = std::vector<std::pair<int64_t, uint64_t>>;

Shown decode(const Clip& clip, size_t first, const std::vector<bool>& leaveOut = {}) {
  const AVCodec* codec = avcodec_find_decoder(clip.parameters->codec_id);
  const cps::UniqueAVCodecContext context(avcodec_alloc_context3(codec));
  avcodec_parameters_to_context(context.get(), clip.parameters.get());
  context->thread_count = 1;
  EXPECT_GE(avcodec_open2(context.get(), codec, nullptr), 0);
  const cps::UniqueAVFrame frame(av_frame_alloc());
  Shown shown;
  const auto receive = [&] {
    while (avcodec_receive_frame(context.get(), frame.get()) >= 0) {
      shown.emplace_back(frame->pts, hashOfFrame(*frame));
    }
  };
  for (size_t i = first; i < clip.packets.size(); ++i) {
    if (i < leaveOut.size() && leaveOut[i]) continue;
    const cps::UniqueAVPacket packet(av_packet_clone(clip.packets[i].get()));
    packet->pts = static_cast<int64_t>(i);
    packet->flags &= ~AV_PKT_FLAG_DISCARD;
    avcodec_send_packet(context.get(), packet.get());
    receive();
  }
  avcodec_send_packet(context.get(), nullptr);
  receive();
  return shown;
}

auto placeOf(const Shown& shown, size_t packet) {
  return std::find_if(shown.begin(), shown.end(), [&](const auto& picture) {
    return picture.first == static_cast<int64_t>(packet);
  });
}

struct Codec {
  AVCodecID id;
  bool entries, droppable, shown;  // whether its rules read these off packets
};

class RulesOf : public ::testing::TestWithParam<Codec> {
 protected:
  // Clips of the codec whose packets are a picture each, as far as its rules know.
  static std::vector<const Clip*> clips() {
    static const std::vector<Clip> all = [] {
      std::vector<Clip> read;
      for (const Fixture& fixture : fixtures()) read.push_back(readClip(fixture));
      return read;
    }();
    std::vector<const Clip*> clips;
    for (const Clip& clip : all) {
      if (clip.parameters->codec_id != GetParam().id) continue;
      bool several = false;
      for (size_t i = 0; i < clip.packets.size(); ++i) {
        several = several || clip.format.rules->holdsSeveral(clip.bytes(i));
      }
      if (!several) clips.push_back(&clip);
    }
    return clips;
  }
};

// In the short form every second one where there are many.
template <typename Clips>
Clips someOf(Clips clips) {
  size_t turn = 0;
  if (longForm() == 0 && clips.size() > 8) {
    std::erase_if(clips, [&](const auto&) { return turn++ % 2 != 0; });
  }
  return clips;
}

TEST_P(RulesOf, EntryPointsGiveWhatIsShownAfterThem) {
  if (!GetParam().entries) return;
  constexpr size_t kTried = 2;
  size_t tried = 0;
  for (const Clip* clip : someOf(clips())) {
    SCOPED_TRACE(clip->name);
    const Shown all = decode(*clip, 0);
    std::vector<size_t> entries;
    for (size_t i = 1; i < clip->packets.size(); ++i) {
      const bool key = (clip->packets[i]->flags & AV_PKT_FLAG_KEY) != 0;
      if (key && cps::isEntryPoint(clip->bytes(i), clip->format)) entries.push_back(i);
    }
    // A decoder that is emptied soon after may keep one more.
    if (clip->format.rules->dropsLeading && !entries.empty()) entries.pop_back();
    for (size_t n = 0; n < std::min(entries.size(), kTried); ++n) {
      const auto from = placeOf(all, entries[n]);
      if (from == all.end()) continue;
      const Shown some = decode(*clip, entries[n]);
      EXPECT_TRUE(Shown(from, all.end()) == Shown(placeOf(some, entries[n]), some.end()))
          << "from " << entries[n];
      ++tried;
    }
  }
  EXPECT_GT(tried, 0u);
}

TEST_P(RulesOf, NoPictureLacksADroppableOne) {
  if (!GetParam().droppable) return;
  int64_t dropped = 0;
  for (const Clip* clip : someOf(clips())) {
    SCOPED_TRACE(clip->name);
    cps::BitstreamFormat format = clip->format;
    std::vector<bool> leaveOut(clip->packets.size());
    for (size_t i = 0; i < clip->packets.size(); ++i) {
      cps::followHeaders(clip->bytes(i), format);
      leaveOut[i] = cps::isDroppable(clip->bytes(i), format);
    }
    // Of a pair of fields either both packets go or none.
    if (!format.rules->wholeFrames(format)) continue;
    Shown expected = decode(*clip, 0);
    std::erase_if(expected, [&](const auto& picture) {
      return leaveOut[static_cast<size_t>(picture.first)];
    });
    dropped += std::count(leaveOut.begin(), leaveOut.end(), true);
    EXPECT_TRUE(decode(*clip, 0, leaveOut) == expected);
  }
  EXPECT_GT(dropped, 0);
}

TEST_P(RulesOf, ShownPicturesAreThoseThatComeOut) {
  if (!GetParam().shown) return;
  for (const Clip* clip : clips()) {
    SCOPED_TRACE(clip->name);
    cps::BitstreamFormat format = clip->format;
    int shown = 0;
    for (size_t i = 0; i < clip->packets.size(); ++i) {
      cps::followHeaders(clip->bytes(i), format);
      shown += cps::shownPictures(clip->bytes(i), format);
    }
    EXPECT_EQ(shown, static_cast<int>(decode(*clip, 0).size()));
  }
}

TEST_P(RulesOf, IntactPacketsAreNotBroken) {
  const std::vector<const Clip*> all = clips();
  EXPECT_FALSE(all.empty());
  for (const Clip* clip : all) {
    SCOPED_TRACE(clip->name);
    for (size_t i = 0; i < clip->packets.size(); ++i) {
      ASSERT_FALSE(clip->format.rules->isBroken(clip->bytes(i))) << i;
    }
  }
}

TEST_P(RulesOf, PacketsWithoutAPictureGiveNone) {
  int without = 0;
  for (const Clip* clip : clips()) {
    SCOPED_TRACE(clip->name);
    std::vector<size_t> none;
    for (size_t i = 0; i < clip->packets.size(); ++i) {
      if (!cps::holdsPicture(clip->bytes(i), clip->format)) none.push_back(i);
    }
    if (none.empty()) continue;
    const Shown all = decode(*clip, 0);
    for (const size_t i : none) EXPECT_TRUE(placeOf(all, i) == all.end()) << i;
    EXPECT_EQ(all.size() + none.size(), clip->packets.size());
    ++without;
  }
  EXPECT_EQ(without > 0, cps::rulesOf(GetParam().id).nal != nullptr);
}

// Of any codec: what is said of it is what FFmpeg says, and what nothing is known of is trusted
// with nothing.
TEST(CodecRules, AgreeWithFfmpegsDescriptions) {
  const AVCodecDescriptor* descriptor = nullptr;
  while ((descriptor = avcodec_descriptor_next(descriptor)) != nullptr) {
    if (descriptor->type != AVMEDIA_TYPE_VIDEO) continue;
    SCOPED_TRACE(descriptor->name);
    const cps::CodecRules& rules = cps::rulesOf(descriptor->id);
    EXPECT_EQ(rules.reorders, (descriptor->props & AV_CODEC_PROP_REORDER) != 0);
    EXPECT_TRUE(!rules.intraOnly || (descriptor->props & AV_CODEC_PROP_INTRA_ONLY) != 0);
    if (rules.elementaryFilter == nullptr) continue;
    const AVBitStreamFilter* filter = av_bsf_get_by_name(rules.elementaryFilter);
    ASSERT_TRUE(filter);
    EXPECT_EQ(filter->codec_ids[0], descriptor->id);
  }
  const cps::CodecRules& none = cps::rulesOf(AV_CODEC_ID_NONE);
  EXPECT_TRUE(none.reorders);
  EXPECT_FALSE(none.onePicturePerPacket || none.frameThreads || none.flushForgets ||
               none.explodes || none.mayJump);
}

std::string nameOf(const ::testing::TestParamInfo<Codec>& info) {
  return avcodec_get_name(info.param.id);
}

INSTANTIATE_TEST_SUITE_P(Codecs, RulesOf,
                         ::testing::Values(Codec{AV_CODEC_ID_H264, true, true, false},
                                           Codec{AV_CODEC_ID_HEVC, true, true, false},
                                           Codec{AV_CODEC_ID_MPEG2VIDEO, true, true, false},
                                           Codec{AV_CODEC_ID_MPEG4, true, false, false},
                                           Codec{AV_CODEC_ID_VP8, true, false, true},
                                           Codec{AV_CODEC_ID_VP9, true, false, true},
                                           Codec{AV_CODEC_ID_AV1, true, true, true},
                                           Codec{AV_CODEC_ID_FFV1, false, false, false},
                                           Codec{AV_CODEC_ID_PNG, false, false, false},
                                           Codec{AV_CODEC_ID_GIF, false, false, false},
                                           Codec{AV_CODEC_ID_MJPEG, true, false, false},
                                           Codec{AV_CODEC_ID_PRORES, true, false, false}),
                         nameOf);

}  // namespace
}  // namespace media_test
