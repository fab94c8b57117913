#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "ffmpeg/handles.h"
#include "media/codec/av1.h"
#include "media/codec/codec_rules.h"
#include "media/codec/h264.h"

namespace cps {

// How the packets of a stream carry their units, from its codec parameters and the headers so far.
struct BitstreamFormat {
  const CodecRules* rules = &rulesOf(AV_CODEC_ID_NONE);
  int lengthBytes = 0;    // of the length prefix of each NAL unit; 0: Annex B start codes
  int hevcSubLayers = 0;  // temporal sub-layers as declared; 0: not known
  H264Headers h264;       // as far as they are known
  Av1Sequence av1;        // the same
};
BitstreamFormat bitstreamFormat(const AVCodecParameters& parameters);

// What the rules of its codec say of a packet (codec_rules.h).
inline bool isEntryPoint(PacketBytes packet, const BitstreamFormat& format) {
  return format.rules->isEntry(packet, format);
}
inline bool isDroppable(PacketBytes packet, const BitstreamFormat& format) {
  return format.rules->isDroppable(packet, format);
}
inline bool isSkippedLeading(PacketBytes packet, const BitstreamFormat& format) {
  return format.rules->isSkippedLeading(packet, format);
}
inline bool holdsPicture(PacketBytes packet, const BitstreamFormat& format) {
  return format.rules->holdsPicture(packet, format);
}
inline int emptyParts(PacketBytes packet, const BitstreamFormat& format) {
  return packet.empty() ? 0 : format.rules->emptyParts(packet, format);
}
inline int shownPictures(PacketBytes packet, const BitstreamFormat& format) {
  return packet.empty() ? 0 : format.rules->shownPictures(packet, format);
}
inline void followHeaders(PacketBytes packet, BitstreamFormat& format) {
  format.rules->followHeaders(packet, format);
}

// Whether the first unit is a slice, as in most packets: these need not be looked into. False for
// codecs without NAL units and for packets with start codes.
bool beginsWithSlice(PacketBytes packet, const BitstreamFormat& format);
// CodecRules::holdsPicture of codecs with NAL units: whether there is more than asides.
bool nalHoldsPicture(PacketBytes packet, const BitstreamFormat& format);

}  // namespace cps
