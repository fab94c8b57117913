#include "media/codec/bitstream.h"

#include "media/codec/nal_units.h"

namespace cps {

BitstreamFormat bitstreamFormat(const AVCodecParameters& par) {
  BitstreamFormat format;
  format.rules = &rulesOf(par.codec_id);
  format.rules->readExtradata({par.extradata, static_cast<size_t>(par.extradata_size)}, format);
  return format;
}

bool beginsWithSlice(PacketBytes packet, const BitstreamFormat& format) {
  const auto prefix = static_cast<size_t>(format.lengthBytes);
  if (!format.rules->nal || prefix == 0 || packet.size() <= prefix + 1) return false;
  return format.rules->nal->isSlice(packet[prefix]);
}

bool nalHoldsPicture(PacketBytes packet, const BitstreamFormat& format) {
  bool picture = false, units = false;
  const bool whole = forEachNal(packet, format.lengthBytes, [&](PacketBytes nal) {
    units = true;
    picture = !format.rules->nal->isAside(nal[0]);
    return !picture;
  });
  return picture || !whole || !units;
}

}  // namespace cps
