#include <algorithm>
#include <bit>
#include <optional>

#include "media/codec/bit_reader.h"
#include "media/codec/bitstream.h"
#include "media/codec/nal_units.h"
#include "media/codec/picture_order_kinds.h"

namespace cps {

extern const CodecRules kMpeg4Rules;

namespace {

// vop_coding_type (ISO/IEC 14496-2, table 6-20)
enum class VopType : uint8_t { I, P, B, S };

constexpr int kVop = 0xB6;

struct Vops {
  int count = 0;
  std::optional<VopType> first;
};

Vops vopsOf(PacketBytes d) {
  Vops vops;
  for (size_t at = findStartCode(d, 0); at + 3 < d.size(); at = findStartCode(d, at + 3)) {
    if (d[at + 3] != kVop) continue;
    ++vops.count;
    // vop_coding_type
    if (!vops.first && at + 4 < d.size()) vops.first = static_cast<VopType>(d[at + 4] >> 6);
  }
  return vops;
}

// Bits of vop_time_increment, which a video object layer says (6.2.3); nothing where none is there.
std::optional<int> timeBitsIn(PacketBytes d) {
  constexpr int kFirstLayer = 0x20, kLastLayer = 0x2F;
  constexpr uint32_t kExtendedAspect = 15, kGrayShape = 3;
  constexpr int kVbvBits[] = {16, 16, 16, 15, 16};  // with their markers
  for (size_t at = findStartCode(d, 0); at + 4 < d.size(); at = findStartCode(d, at + 3)) {
    if (d[at + 3] == kVop) break;
    if (d[at + 3] < kFirstLayer || d[at + 3] > kLastLayer) continue;
    BitReader r(d.subspan(at + 4), false);
    r.bits(1 + 8);  // random_accessible_vol, video_object_type_indication
    uint32_t version = 1;
    if (r.bit()) {  // is_object_layer_identifier
      version = r.bits(4);
      r.bits(3);
    }
    if (r.bits(4) == kExtendedAspect) r.bits(16);
    if (r.bit()) {  // vol_control_parameters
      r.bits(2 + 1);
      if (r.bit()) {
        for (const int bits : kVbvBits) r.bits(bits);
      }
    }
    if (r.bits(2) == kGrayShape && version != 1) r.bits(4);
    r.bit();  // marker
    const uint32_t resolution = r.bits(16);
    if (r.ended() || resolution == 0) return std::nullopt;
    return std::max(1, static_cast<int>(std::bit_width(resolution - 1)));
  }
  return std::nullopt;
}

// vop_coded of the first VOP (6.2.5), as far as it is certain.
std::optional<bool> isCoded(PacketBytes d, std::optional<int> timeBits) {
  if (!timeBits) return std::nullopt;
  for (size_t at = findStartCode(d, 0); at + 4 < d.size(); at = findStartCode(d, at + 3)) {
    if (d[at + 3] != kVop) continue;
    BitReader r(d.subspan(at + 4), false);
    r.bits(2);                 // vop_coding_type
    while (r.bit()) continue;  // modulo_time_base
    const bool markers = r.bit() != 0;
    r.bits(*timeBits);
    if (!markers || !r.bit() || r.ended()) return std::nullopt;
    const bool coded = r.bit() != 0;
    return r.ended() ? std::nullopt : std::optional<bool>(coded);
  }
  return std::nullopt;
}

// FFmpeg's decoder makes a reference up where there is none.
bool isEntry(PacketBytes d, const BitstreamFormat& /*format*/) {
  return vopsOf(d).first.value_or(VopType::I) == VopType::I;
}

// The type of a packet's picture. Nothing where the packet holds several VOPs or none, or one that
// is or may be marked as not coded, which shows nothing.
std::optional<VopType> soleVop(PacketBytes packet, std::optional<int> timeBits) {
  // As short as this one is taken for not coded where that cannot be read (FFmpeg's
  // mpeg4_unpack_bframes draws the line there too).
  constexpr size_t kNotCodedBytes = 19;
  const Vops vops = vopsOf(packet);
  if (packet.size() <= kNotCodedBytes || vops.count != 1) return std::nullopt;
  return isCoded(packet, timeBits).value_or(true) ? vops.first : std::nullopt;
}

// Of S-VOPs vectors alone do not tell (global motion compensation, sprites).
PictureReferences referencesOf(PacketBytes packet, const BitstreamFormat& /*format*/) {
  const Vops vops = vopsOf(packet);
  if (vops.count != 1 || !vops.first) return {};
  if (*vops.first == VopType::I) return {RefersTo::Nothing, true};
  if (*vops.first == VopType::P) return {RefersTo::TheOneReference, true};
  return {RefersTo::Unknown, *vops.first == VopType::S};
}

class Mpeg4Order final : public OrderByTypes {
 public:
  explicit Mpeg4Order(const AVCodecParameters& p)
      : timeBits_(timeBitsIn({p.extradata, static_cast<size_t>(p.extradata_size)})) {}
  bool add(PacketBytes packet) override;

 private:
  std::optional<int> timeBits_;
};

bool Mpeg4Order::add(PacketBytes packet) {
  if (const std::optional<int> bits = timeBitsIn(packet)) timeBits_ = bits;
  const std::optional<VopType> type = soleVop(packet, timeBits_);
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
    .emptiesWithoutVectors = true,
    .isEntry = isEntry,
    .holdsSeveral = [](PacketBytes packet) { return vopsOf(packet).count > 1; },
    .references = referencesOf,
    .streamHeaders = [](PacketBytes extradata) { return extradata; },
    .elementaryFilter = "mpeg4_unpack_bframes",
    .pictureOrder = [](const AVCodecParameters& p) -> std::unique_ptr<PictureOrder> {
      return std::make_unique<Mpeg4Order>(p);
    },
};

}  // namespace cps
