#include <optional>

#include "media/codec/bitstream.h"
#include "media/codec/nal_units.h"
#include "media/codec/picture_order_kinds.h"

namespace cps {

extern const CodecRules kMpeg4Rules;

namespace {

// vop_coding_type (ISO/IEC 14496-2, table 6-20)
enum class VopType : uint8_t { I, P, B, S };

struct Vops {
  int count = 0;
  std::optional<VopType> first;
};

Vops vopsOf(PacketBytes d) {
  constexpr int kVop = 0xB6;
  Vops vops;
  for (size_t at = findStartCode(d, 0); at + 3 < d.size(); at = findStartCode(d, at + 3)) {
    if (d[at + 3] != kVop) continue;
    ++vops.count;
    // vop_coding_type
    if (!vops.first && at + 4 < d.size()) vops.first = static_cast<VopType>(d[at + 4] >> 6);
  }
  return vops;
}

// FFmpeg's decoder makes a reference up where there is none.
bool isEntry(PacketBytes d, const BitstreamFormat& /*format*/) {
  return vopsOf(d).first.value_or(VopType::I) == VopType::I;
}

// The type of a packet's picture. Nothing where the packet holds several VOPs or none, or one that
// may be marked as not coded.
std::optional<VopType> soleVop(PacketBytes packet) {
  // As short as this a VOP may be one that is not coded, which shows nothing (FFmpeg's
  // mpeg4_unpack_bframes draws the line there too).
  constexpr size_t kNotCodedBytes = 19;
  const Vops vops = vopsOf(packet);
  if (packet.size() <= kNotCodedBytes || vops.count != 1) return std::nullopt;
  return vops.first;
}

class Mpeg4Order final : public OrderByTypes {
 public:
  bool add(PacketBytes packet) override;
};

bool Mpeg4Order::add(PacketBytes packet) {
  const std::optional<VopType> type = soleVop(packet);
  keys_.push_back(kUnknown);
  if (!type) {
    onlyDecodingTells_ = true;
    return true;
  }
  place(*type == VopType::B);
  return true;
}

}  // namespace

// No frame threads, though FFmpeg offers them: they lose the flag that says that a picture was
// concealed, AV_EF_EXPLODE ends the whole process there (av_assert0(frame->buf[0]) on a truncated
// packet), and interlaced pictures are a race.
constinit const CodecRules kMpeg4Rules = {
    .onePicturePerPacket = true,
    .packsPictures = true,  // "packed", as AVI needs it for B-frames
    .hidesPictures = true,  // VOPs that are not coded
    .trustsKeyFlags = false,
    .mayJump = true,
    .isEntry = isEntry,
    .holdsSeveral = [](PacketBytes packet) { return vopsOf(packet).count > 1; },
    .streamHeaders = [](PacketBytes extradata) { return extradata; },
    .elementaryFilter = "mpeg4_unpack_bframes",
    .pictureOrder = [](const AVCodecParameters&) -> std::unique_ptr<PictureOrder> {
      return std::make_unique<Mpeg4Order>();
    },
};

}  // namespace cps
