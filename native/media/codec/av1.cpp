#include "media/codec/av1.h"

#include <algorithm>
#include <bit>

#include "media/codec/bit_reader.h"
#include "media/codec/bitstream.h"

namespace cps {

extern const CodecRules kAv1Rules;

namespace {

enum ObuType {
  kSequenceHeader = 1,
  kTemporalDelimiter = 2,
  kFrameHeader = 3,
  kTileGroup = 4,
  kMetadata = 5,
  kFrame = 6,
  kRedundantFrameHeader = 7,
  kPadding = 15,
};

enum FrameType { kKeyFrame = 0, kInterFrame = 1, kIntraOnlyFrame = 2, kSwitchFrame = 3 };

struct Obu {
  int type = 0;
  bool layered = false;  // belongs to a temporal or spatial layer
  std::span<const uint8_t> payload;
};

// Calls visit(obu) for each unit until it returns false. False when the framing is broken; where
// these are `firstBytes` of something longer, the last unit is visited as far as it is there.
template <typename Visit>
bool forEachObu(std::span<const uint8_t> d, Visit visit, bool firstBytes = false) {
  while (!d.empty()) {
    Obu obu;
    const uint8_t header = d[0];
    obu.type = header >> 3 & 15;
    obu.layered = (header & 4) != 0;
    const bool hasSize = (header & 2) != 0;
    size_t at = obu.layered ? 2 : 1;
    if ((header & 0x80) != 0 || at > d.size()) return false;
    uint64_t size = d.size() - at;
    if (hasSize) {
      size = 0;
      for (int i = 0;; ++i) {  // leb128
        if (i == 8 || at >= d.size()) return false;
        const uint8_t byte = d[at++];
        size |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
        if (byte < 0x80) break;
      }
    }
    if (firstBytes) size = std::min<uint64_t>(size, d.size() - at);
    if (size > d.size() - at) return false;
    obu.payload = d.subspan(at, static_cast<size_t>(size));
    if (!visit(obu)) return true;
    d = d.subspan(at + static_cast<size_t>(size));
  }
  return true;
}

void skipVariableLength(BitReader& r) {  // uvlc()
  int zeros = 0;
  while (zeros < 32 && !r.ended() && !r.bit()) ++zeros;
  if (zeros < 32) r.bits(zeros);
}

// sequence_header_obu()
Av1Sequence readSequence(std::span<const uint8_t> payload) {
  BitReader r(payload, false);
  Av1Sequence s;
  r.bits(3);               // seq_profile
  r.bit();                 // still_picture
  s.onlyStills = r.bit();  // reduced_still_picture_header: every frame is a key frame
  if (s.onlyStills) return s;
  if (r.bit()) {                         // timing_info_present_flag
    r.bits(32);                          // num_units_in_display_tick
    r.bits(32);                          // time_scale
    if (r.bit()) skipVariableLength(r);  // equal_picture_interval: num_ticks_per_picture_minus_1
    if (r.bit()) return s;               // decoder_model_info_present_flag
  }
  const bool displayDelay = r.bit();  // initial_display_delay_present_flag
  const uint32_t points = r.bits(5) + 1;
  for (uint32_t i = 0; i < points; ++i) {
    const uint32_t layers = r.bits(12) >> 8;  // operating_point_idc: the spatial ones
    if (i == 0) s.spatialLayers = std::popcount(layers) > 1;
    if (r.bits(5) > 7) r.bit();  // seq_level_idx, seq_tier
    if (displayDelay && r.bit()) r.bits(4);
  }
  const int widthBits = static_cast<int>(r.bits(4)) + 1;
  const int heightBits = static_cast<int>(r.bits(4)) + 1;
  s.maxWidth = static_cast<int>(r.bits(widthBits)) + 1;
  s.maxHeight = static_cast<int>(r.bits(heightBits)) + 1;
  if (r.bit()) {  // frame_id_numbers_present_flag
    const uint32_t delta = r.bits(4) + 2;
    s.frameIdBits = static_cast<int>(r.bits(3) + delta + 1);
  }
  r.bits(3);  // use_128x128_superblock, enable_filter_intra, enable_intra_edge_filter
  r.bits(4);  // enable_interintra_compound, masked_compound, warped_motion, dual_filter
  const bool orderHint = r.bit();
  if (orderHint) r.bits(2);  // enable_jnt_comp, enable_ref_frame_mvs
  constexpr int kEachFrameSays = 2;
  s.forceScreenContentTools = r.bit() ? kEachFrameSays : static_cast<int>(r.bit());
  s.forceIntegerMv = kEachFrameSays;
  if (s.forceScreenContentTools > 0 && !r.bit()) s.forceIntegerMv = static_cast<int>(r.bit());
  if (orderHint) s.orderHintBits = static_cast<int>(r.bits(3)) + 1;
  s.known = !r.ended();
  return s;
}

// uncompressed_header() as far as refresh_frame_flags; true when that is zero.
bool refreshesNothing(std::span<const uint8_t> payload, const Av1Sequence& s) {
  BitReader r(payload, false);
  if (r.bit()) return false;  // show_existing_frame costs nothing, and may refresh (key frames)
  const uint32_t type = r.bits(2);
  const bool shown = r.bit();
  if (!shown) r.bit();                                                     // showable_frame
  if (type == kSwitchFrame || (type == kKeyFrame && shown)) return false;  // refresh all
  const bool errorResilient = r.bit();
  r.bit();  // disable_cdf_update
  const bool eachSays = s.forceScreenContentTools == 2;
  const bool screenContent = eachSays ? r.bit() : s.forceScreenContentTools == 1;
  if (screenContent && s.forceIntegerMv == 2) r.bit();
  r.bits(s.frameIdBits);
  r.bit();  // frame_size_override_flag
  r.bits(s.orderHintBits);
  const bool intra = type == kKeyFrame || type == kIntraOnlyFrame;
  if (!intra && !errorResilient) r.bits(3);  // primary_ref_frame
  const uint32_t refresh = r.bits(8);
  return !r.ended() && refresh == 0;
}

}  // namespace

std::optional<Av1Sequence> av1SequenceOf(std::span<const uint8_t> obus) {
  std::optional<Av1Sequence> found;
  forEachObu(obus, [&](const Obu& obu) {
    if (obu.type == kSequenceHeader) found = readSequence(obu.payload);
    return !found;
  });
  return found;
}

bool isAv1Entry(std::span<const uint8_t> unit) {
  bool entry = false;
  forEachObu(unit, [&](const Obu& obu) {
    if (obu.type != kFrame && obu.type != kFrameHeader) return true;
    BitReader r(obu.payload, false);
    const bool showExisting = r.bit();
    const uint32_t type = r.bits(2);
    entry = !showExisting && type == kKeyFrame && r.bit() && !r.ended();
    return false;
  });
  return entry;
}

int av1ShownPictures(std::span<const uint8_t> unit, const Av1Sequence& sequence) {
  int shown = 0;
  const auto count = [&](const Obu& obu) {
    if (obu.type != kFrame && obu.type != kFrameHeader) return true;
    BitReader r(obu.payload, false);
    bool isShown = sequence.onlyStills || r.bit();  // show_existing_frame
    if (!isShown) {
      r.bits(2);  // frame_type
      isShown = r.bit();
    }
    shown += isShown ? 1 : 0;
    return true;
  };
  forEachObu(unit, count, true);
  return sequence.spatialLayers ? std::min(shown, 1) : shown;
}

bool isAv1Droppable(std::span<const uint8_t> unit, const Av1Sequence& sequence) {
  if (!sequence.known) return false;
  int frames = 0;
  bool droppable = true;
  const bool whole = forEachObu(unit, [&](const Obu& obu) {
    switch (obu.type) {
      case kFrame:
      case kFrameHeader:
        ++frames;
        droppable = !obu.layered && refreshesNothing(obu.payload, sequence);
        break;
      case kTemporalDelimiter:
      case kTileGroup:
      case kMetadata:
      case kRedundantFrameHeader:
      case kPadding:
        break;
      default:  // a new sequence header, tile lists, what is reserved
        droppable = false;
    }
    return droppable;
  });
  return whole && droppable && frames > 0;
}

namespace {

// av1C: a marker bit, which no OBU has, and four bytes in all, then OBUs; other containers give the
// OBUs alone.
PacketBytes obusOf(PacketBytes extradata) {
  const bool av1c = extradata.size() >= 4 && (extradata[0] & 0x80) != 0;
  return av1c ? extradata.subspan(4) : extradata;
}

}  // namespace

constinit const CodecRules kAv1Rules = {
    .reorders = false,
    .onePicturePerPacket = true,
    .mayHidePictures = true,
    .frameThreads = true,
    .flushForgets = true,
    .mayJump = true,
    .isEntry = [](PacketBytes packet, const BitstreamFormat&) { return isAv1Entry(packet); },
    .isDroppable = [](PacketBytes packet,
                      const BitstreamFormat& format) { return isAv1Droppable(packet, format.av1); },
    .shownPictures =
        [](PacketBytes packet, const BitstreamFormat& format) {
          return av1ShownPictures(packet, format.av1);
        },
    .readExtradata =
        [](PacketBytes extradata, BitstreamFormat& format) {
          format.av1 = av1SequenceOf(obusOf(extradata)).value_or(Av1Sequence());
        },
    .followHeaders =
        [](PacketBytes packet, BitstreamFormat& format) {
          if (const auto sequence = av1SequenceOf(packet)) format.av1 = *sequence;
        },
    .decodedSize =
        [](const BitstreamFormat& format, PictureSize ofHeaders, PictureSize) {
          const Av1Sequence& s = format.av1;
          return s.spatialLayers ? PictureSize{s.maxWidth, s.maxHeight} : ofHeaders;
        },
    .streamHeaders = obusOf,
};

}  // namespace cps
