// The order in which codecs show pictures, as headers written by hand from the standards say it;
// and the notes about clocks that step back.

#include <algorithm>
#include <memory>
#include <numeric>

#include "core/notes.h"
#include "media/codec/picture_order.h"
#include "media/decode/count_pass.h"
#include "media/index/frame_index.h"
#include "media/media_common.h"

namespace media_test {
namespace {

using Bytes = std::vector<uint8_t>;

class Bits {
 public:
  Bits& u(int count, uint32_t value) {
    for (int i = count - 1; i >= 0; --i) bits_.push_back((value >> i & 1) != 0);
    return *this;
  }
  Bits& ue(uint32_t value) {  // Exp-Golomb
    int length = 0;
    while ((value + 1) >> (length + 1) != 0) ++length;
    return u(length, 0).u(length + 1, value + 1);
  }
  // As a unit behind a start code, with more behind what was written.
  Bytes unit(const Bytes& header) const {
    Bytes bytes(3 + header.size(), 0);
    bytes[2] = 1;
    std::copy(header.begin(), header.end(), bytes.begin() + 3);
    for (size_t i = 0; i < bits_.size(); i += 8) {
      int byte = 0;
      for (size_t b = i; b < i + 8; ++b) byte = byte << 1 | (b < bits_.size() ? bits_[b] : 1);
      bytes.push_back(static_cast<uint8_t>(byte));
    }
    bytes.insert(bytes.end(), 24, 0xAA);
    return bytes;
  }

 private:
  std::vector<bool> bits_;
};

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// 7.3.2.1.1, 7.3.2.2: 96x80, frame_num and pic_order_cnt_lsb in 4 bits.
Bytes h264Headers(uint32_t orderType, bool framesOnly = true) {
  Bits set;
  set.u(8, 77).u(8, 0).u(8, 30).ue(0).ue(0).ue(orderType);
  if (orderType == 0) set.ue(0);
  set.ue(2).u(1, 0).ue(5).ue(4).u(1, framesOnly ? 1 : 0);
  if (!framesOnly) set.u(1, 0);  // mb_adaptive_frame_field_flag
  set.u(1, 1).u(1, 0).u(1, 0);
  return set.unit({0x67}) + Bits().ue(0).ue(0).unit({0x68});
}

// 7.3.3; `type` 1 or 5 (IDR).
Bytes h264Slice(int type, bool reference, uint32_t count, uint32_t orderType = 0) {
  Bits slice;
  slice.ue(0).ue(7).ue(0).u(4, 1);
  if (type == 5) slice.ue(0);
  if (orderType == 0) slice.u(4, count % 16);
  return slice.unit({static_cast<uint8_t>((reference ? 0x60 : 0) | type)});
}

// H.265 7.3.2.2, 7.3.2.3: counts in 4 bits.
Bytes hevcHeaders() {
  Bits sequence;
  sequence.u(8, 0).u(32, 0).u(32, 0).u(32, 0).ue(0).ue(1).ue(64).ue(64).u(1, 0);
  sequence.ue(0).ue(0).ue(0).u(1, 1).ue(4).ue(2).ue(0);
  return sequence.unit({33 << 1, 1}) + Bits().ue(0).ue(0).u(5, 0).unit({34 << 1, 1});
}

enum HevcType { kTrailN = 0, kTrailR = 1, kRaslN = 8, kIdr = 19, kCra = 21 };

Bytes hevcSlice(int type, uint32_t count) {
  Bits slice;
  slice.u(1, 1);
  if (type >= 16) slice.u(1, 0);
  slice.ue(0).ue(1);
  if (type != kIdr) slice.u(4, count % 16);
  return slice.unit({static_cast<uint8_t>(type << 1), 1});
}

const Bytes kHevcEnd = {0, 0, 1, 36 << 1, 1};

// ISO/IEC 13818-2, 6.2.3: types 1 to 3 are I, P, B.
Bytes mpeg2Picture(int type) {
  return {0, 0, 1, 0, 0, static_cast<uint8_t>(type << 3), 0xFF, 0xF8, 0, 0, 1, 1, 0xAA, 0xAA, 0xAA};
}

Bytes mpeg2Field(int type) {
  const Bytes extension = {0, 0, 1, 0xB5, 0x8F, 0xFF, 0xF1, 0x80, 0};  // picture_structure: top
  Bytes field = mpeg2Picture(type);
  field.insert(field.begin() + 8, extension.begin(), extension.end());
  return field;
}

// ISO/IEC 14496-2, 6.2.5: types 0 to 3 are I, P, B, S.
Bytes vop(int type, size_t size = 40) {
  const Bytes head = {0, 0, 1, 0xB6, static_cast<uint8_t>(type << 6 | 0x11)};
  Bytes bytes(size, 0xAA);
  std::copy(head.begin(), head.end(), bytes.begin());
  return bytes;
}

// 6.2.3, a layer of 25 ticks a second, and 6.2.5.
Bytes mpeg4Layer() {
  Bits layer;
  layer.u(1, 0).u(8, 1).u(1, 0).u(4, 1).u(1, 1).u(2, 1).u(1, 0).u(1, 0);
  return layer.u(2, 0).u(1, 1).u(16, 25).u(1, 1).unit({0x20});
}

Bytes vopWithHeader(uint32_t type, bool coded) {
  Bits head;
  return head.u(2, type).u(2, 2).u(1, 1).u(5, 7).u(1, 1).u(1, coded ? 1 : 0).unit({0xB6});
}

struct Stream {
  const char* name;
  AVCodecID codec;
  std::vector<Bytes> packets;  // an empty one is not looked at
  std::vector<int> display;    // packets in the order in which they are shown
  bool onlyDecodingTells = false;
};

std::vector<Stream> streams() {
  const auto h264 = AV_CODEC_ID_H264, hevc = AV_CODEC_ID_HEVC;
  const auto mpeg2 = AV_CODEC_ID_MPEG2VIDEO, mpeg4 = AV_CODEC_ID_MPEG4;
  const Bytes head = h264Headers(0), idr = head + h264Slice(5, true, 0);
  const auto p = [](uint32_t count) { return h264Slice(1, true, count); };
  const auto b = [](uint32_t count) { return h264Slice(1, false, count); };
  const Bytes start = hevcHeaders() + hevcSlice(kIdr, 0);
  const auto trail = [](uint32_t count) { return hevcSlice(kTrailR, count); };
  const Bytes unknown = {};
  return {
      {"H.264, B pictures", h264, {idr, p(6), b(2), b(4)}, {0, 2, 3, 1}},
      {"H.264, counts that run over",
       h264,
       {idr, p(6), b(4), p(12), b(8), p(18), b(14), p(24), b(20), p(30)},
       {0, 2, 1, 4, 3, 6, 5, 8, 7, 9}},
      {"H.264, a second IDR", h264, {idr, p(6), b(2), idr, p(6), b(2)}, {0, 2, 1, 3, 5, 4}},
      {"H.264, leading pictures", h264, {idr, p(4), p(10), b(6), b(8)}, {0, 1, 3, 4, 2}},
      {"H.264, a message alone", h264, {idr, Bytes{0, 0, 1, 9, 0xF0}, p(4), b(2)}, {0, 3, 2}},
      {"H.264, a part that is not looked at",
       h264,
       {idr, p(6), b(2), unknown, idr, p(6), b(2)},
       {0, 2, 1, 4, 6, 5}},
      {"H.264, fields may follow frames",
       h264,
       {idr, p(6), h264Headers(0, false) + h264Slice(5, true, 0)},
       {0, 1},
       true},
      {"H.264, order of decoding",
       h264,
       {h264Headers(2) + h264Slice(5, true, 0, 2), h264Slice(1, true, 0, 2),
        h264Slice(1, false, 0, 2)},
       {0, 1, 2}},
      {"HEVC, B pictures", hevc, {start, trail(6), hevcSlice(kTrailN, 2), trail(4)}, {0, 2, 3, 1}},
      {"HEVC, counts that run over",
       hevc,
       {start, trail(7), trail(14), hevcSlice(kTrailN, 10), trail(21), hevcSlice(kTrailN, 17)},
       {0, 1, 3, 2, 5, 4}},
      {"HEVC, leading pictures of an open group",
       hevc,
       {start, trail(4), hevcSlice(kCra, 8), hevcSlice(kRaslN, 6), trail(10)},
       {0, 1, 3, 2, 4}},
      {"HEVC, leading pictures behind an end of sequence are not shown",
       hevc,
       {start, trail(4) + kHevcEnd, hevcSlice(kCra, 8), hevcSlice(kRaslN, 6), trail(10)},
       {0, 1, 3, 2, 4},
       true},
      {"MPEG-2, B pictures",
       mpeg2,
       {mpeg2Picture(1), mpeg2Picture(2), mpeg2Picture(3), mpeg2Picture(3), mpeg2Picture(2),
        mpeg2Picture(3)},
       {0, 2, 3, 1, 5, 4}},
      {"MPEG-2, a header alone",
       mpeg2,
       {mpeg2Picture(1), Bytes{0, 0, 1, 0xB3, 6, 0, 0x50, 0x13, 0xFF, 0xFF}, mpeg2Picture(2)},
       {0, 2}},
      {"MPEG-2, a field", mpeg2, {mpeg2Field(1), mpeg2Picture(2)}, {0, 1}, true},
      {"MPEG-4, B pictures", mpeg4, {vop(0), vop(1), vop(2), vop(2), vop(3)}, {0, 2, 3, 1, 4}},
      {"MPEG-4, a picture that may be skipped", mpeg4, {vop(0), vop(1, 7)}, {0}, true},
      {"MPEG-4, a long picture that is not coded",
       mpeg4,
       {mpeg4Layer() + vopWithHeader(0, true), vopWithHeader(1, true), vopWithHeader(1, false)},
       {0, 1},
       true},
      {"MPEG-4, all coded",
       mpeg4,
       {mpeg4Layer() + vopWithHeader(0, true), vopWithHeader(1, true), vopWithHeader(2, true)},
       {0, 2, 1}},
      {"MPEG-4, two pictures in a packet", mpeg4, {vop(0), vop(1) + vop(2)}, {0}, true},
  };
}

TEST(PictureOrder, IsWhatTheHeadersSay) {
  for (const Stream& stream : streams()) {
    SCOPED_TRACE(stream.name);
    const cps::UniqueAVCodecParameters parameters(avcodec_parameters_alloc());
    parameters->codec_id = stream.codec;
    const auto order = cps::pictureOrderOf(*parameters);
    ASSERT_TRUE(order);
    std::vector<int> shown;
    for (size_t i = 0; i < stream.packets.size(); ++i) {
      if (stream.packets[i].empty()) {
        order->skip();
      } else if (order->add(stream.packets[i])) {
        shown.push_back(static_cast<int>(i));
      }
    }
    EXPECT_EQ(order->onlyDecodingTells(), stream.onlyDecodingTells);
    const std::vector<int64_t> keys = order->finish();
    ASSERT_EQ(keys.size(), stream.packets.size());
    std::erase_if(
        shown, [&](int i) { return keys[static_cast<size_t>(i)] == cps::PictureOrder::kUnknown; });
    std::sort(shown.begin(), shown.end(), [&](int a, int b) {
      return keys[static_cast<size_t>(a)] < keys[static_cast<size_t>(b)];
    });
    EXPECT_EQ(shown, stream.display);
  }
}

TEST(Clocks, ThatRestartAreNotedAndKeepTheirTimes) {
  for (const auto& [name, restart] : std::map<std::string, int>{{"h264.ts", 0},
                                                                {"joined_h264.ts", 100},
                                                                {"joined_hevc.ts", 100},
                                                                {"joined_mpeg2.ts", 100},
                                                                {"joined.webm", 50}}) {
    SCOPED_TRACE(name);
    const cps::SourceOptions options = defaultSource();
    cps::Profile profile;
    const cps::CallContext call = {options, std::make_shared<cps::CancelToken>(), profile};
    Services services(1);
    const auto index =
        cps::buildFrameIndex(cps::openFileSource(fixturePath(name)), call, services.media);
    std::vector<int64_t> noted;
    for (const cps::Note& note : index->notes.list()) {
      if (note.code.text() == "restarted-clock") noted = note.frames;
    }
    EXPECT_EQ(noted, restart ? std::vector<int64_t>{restart} : std::vector<int64_t>{});
    const std::vector<double>& seconds = index->timestampsSec;
    if (restart == 0) continue;
    const auto at = static_cast<size_t>(restart);
    EXPECT_LT(seconds[at], seconds[at - 1]);
    EXPECT_NEAR(seconds[at], seconds[0], 1e-3);
  }
}

}  // namespace
}  // namespace media_test
