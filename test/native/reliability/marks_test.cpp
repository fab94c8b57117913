// Note [Marks] in native/media/damage/picture_marks.h: a packet that ends early must not become a
// picture that looks good, with one thread or with several.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "core/error.h"
#include "ffmpeg/util.h"
#include "media/codec/nal_units.h"
#include "media/container/demuxer.h"
#include "media/damage/picture_marks.h"
#include "media/decode/packet_decoder.h"
#include "media/frame_hash.h"
#include "reliability/hostile/mutate.h"
#include "reliability/hostile/reference.h"

extern "C" {
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
}

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
    return true;
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

// A picture in memory that is known to its last byte, with room behind it.
struct Guarded {
  std::vector<uint8_t> memory;
  UniqueAVFrame frame = makeFrame(Stage::Decode);
  int rowBytes = 0;

  Guarded(AVPixelFormat format, int width, int height) {
    constexpr int kAlign = 32;
    const int size = av_image_get_buffer_size(format, width, height, kAlign);
    rowBytes = av_image_get_linesize(format, width, 0);
    if (size <= 0 || rowBytes <= 0) return;
    memory.assign(static_cast<size_t>(size) * 40 + 4096, 0xa5);
    frame->format = format;
    frame->width = width;
    frame->height = height;
    av_image_fill_arrays(frame->data, frame->linesize, memory.data(), format, width, height,
                         kAlign);
    frame->buf[0] = av_buffer_create(
        memory.data(), memory.size(), [](void*, uint8_t*) {}, nullptr, 0);
  }
  // The first byte behind the samples of the first plane's rows that is not as it was; -1: none.
  int64_t touched() const {
    for (size_t i = 0; i < memory.size(); ++i) {
      const auto y = i / static_cast<size_t>(frame->linesize[0]);
      const auto x = i % static_cast<size_t>(frame->linesize[0]);
      const bool inside =
          y < static_cast<size_t>(frame->height) && x < static_cast<size_t>(rowBytes);
      if (!inside && memory[i] != 0xa5) return static_cast<int64_t>(i);
    }
    return -1;
  }
};

TEST(Marks, StayInsideTheRowsOfEveryPixelFormat) {
  int formats = 0, small = 0;
  const AVPixFmtDescriptor* d = nullptr;
  while ((d = av_pix_fmt_desc_next(d)) != nullptr) {
    if ((d->flags & AV_PIX_FMT_FLAG_HWACCEL) != 0) continue;
    const AVPixelFormat format = av_pix_fmt_desc_get_id(d);
    ++formats;
    if ((d->flags & AV_PIX_FMT_FLAG_BITSTREAM) != 0) ++small;
    for (const int width : {1, 7, 8, 15, 16, 17, 18, 31, 64, 65, 66, 200, 320}) {
      const Guarded picture(format, width, 34);
      if (picture.memory.empty()) continue;
      setMarks(*picture.frame);
      ASSERT_EQ(picture.touched(), -1) << d->name << " " << width;
      // A picture of 64 bytes a row has room for a mark, which is then found.
      if (picture.rowBytes >= 64) ASSERT_TRUE(hasMark(*picture.frame)) << d->name << " " << width;
    }
  }
  EXPECT_GT(formats, 150);
  EXPECT_GE(small, 4);
}

// Twelve pictures of noise that moves, with B-frames, each in four slices.
Stream encodeSlices() {
  constexpr int kSide = 512;
  Stream out;
  const AVCodec* codec = avcodec_find_encoder_by_name("libx264");
  if (!codec) return out;
  const UniqueAVCodecContext context(avcodec_alloc_context3(codec));
  context->width = context->height = kSide;
  context->pix_fmt = AV_PIX_FMT_YUV420P;
  context->time_base = {1, 25};
  context->max_b_frames = 2;
  context->slices = 4;
  context->thread_count = 1;
  av_opt_set(context->priv_data, "preset", "ultrafast", 0);
  if (avcodec_open2(context.get(), codec, nullptr) < 0) return out;
  const UniqueAVFrame frame = makeFrame(Stage::Decode);
  frame->width = frame->height = kSide;
  frame->format = AV_PIX_FMT_YUV420P;
  for (int t = 0; t <= 12; ++t) {
    av_frame_unref(frame.get());
    frame->width = frame->height = kSide;
    frame->format = AV_PIX_FMT_YUV420P;
    av_frame_get_buffer(frame.get(), 0);
    frame->pts = t;
    for (int plane = 0; plane < 3; ++plane) {
      const int side = plane == 0 ? kSide : kSide / 2;
      for (int i = 0; i < side * side; ++i) {
        const auto noise = static_cast<uint64_t>((i / side / 4) * 64 + (i % side + t * 3) / 4);
        frame->data[plane][i / side * frame->linesize[plane] + i % side] =
            static_cast<uint8_t>(64 + hostile::mix(noise) % 128);
      }
    }
    avcodec_send_frame(context.get(), t < 12 ? frame.get() : nullptr);
    UniqueAVPacket packet = makePacket(Stage::Decode);
    while (avcodec_receive_packet(context.get(), packet.get()) >= 0) {
      out.packets.push_back(std::move(packet));
      packet = makePacket(Stage::Decode);
    }
  }
  out.parameters.reset(avcodec_parameters_alloc());
  avcodec_parameters_from_context(out.parameters.get(), context.get());
  return out;
}

// The packet without its `gone`-th slice; false when it has none.
bool removeSlice(AVPacket& packet, int gone) {
  std::vector<uint8_t> out;
  int slices = 0;
  forEachNal({packet.data, static_cast<size_t>(packet.size)}, 0, [&](std::span<const uint8_t> nal) {
    const int type = nal[0] & 31;
    if ((type == 1 || type == 5) && slices++ == gone) return true;
    out.insert(out.end(), {0, 0, 1});
    out.insert(out.end(), nal.begin(), nal.end());
    return true;
  });
  av_packet_make_writable(&packet);
  std::copy(out.begin(), out.end(), packet.data);
  av_shrink_packet(&packet, static_cast<int>(out.size()));
  return gone < slices;
}

// With frame threads a picture may be given out by the next one's thread, before its own knows that
// a slice is missing.
TEST(MissingSlices, OfH264NeverBecomePicturesThatLookGood) {
  const Stream stream = encodeSlices();
  if (stream.packets.empty()) GTEST_SKIP() << "FFmpeg has no libx264 here";
  const size_t count = stream.packets.size();
  ASSERT_EQ(count, 12u);
  for (const int64_t at : {0, 4, 5, 6, 11}) {
    for (int gone = 0; gone < 4; ++gone) {
      Stream cut;
      cut.parameters = copyParameters(*stream.parameters, Stage::Decode);
      for (const UniqueAVPacket& packet : stream.packets) {
        cut.packets.emplace_back(av_packet_clone(packet.get()));
      }
      ASSERT_TRUE(removeSlice(*cut.packets[static_cast<size_t>(at)], gone));
      for (const int threads : {1, 2, 4, 4}) {
        const auto got = decode(cut, count, 1, threads);
        const auto found = got.find(at);
        EXPECT_TRUE(found == got.end() || !found->second.good)
            << "picture " << at << " without slice " << gone << ", " << threads << " threads";
      }
    }
  }
}

}  // namespace
}  // namespace cps
