#include "media/codec/ffv1.h"

#include "media/codec/codec_rules.h"

extern "C" {
#include <libavutil/crc.h>
}

namespace cps {

extern const CodecRules kFfv1Rules;

namespace {

constexpr size_t kSizeBytes = 3;
constexpr size_t kFooterWithChecksum = kSizeBytes + 1 + 4;

// Calls visit(slice) for each slice from the last to the first. Whether their sizes add up to the
// packet's.
template <typename Visit>
bool forEachSlice(std::span<const uint8_t> packet, size_t footer, Visit visit) {
  while (!packet.empty()) {
    if (packet.size() < footer) return false;
    const uint8_t* at = packet.data() + packet.size() - footer;
    const size_t size = (size_t{at[0]} << 16 | size_t{at[1]} << 8 | at[2]) + footer;
    if (size > packet.size()) return false;
    visit(packet.last(size));
    packet = packet.first(packet.size() - size);
  }
  return true;
}

}  // namespace

bool ffv1ChecksumsHold(std::span<const uint8_t> packet) {
  bool hold = true;
  const AVCRC* table = av_crc_get_table(AV_CRC_32_IEEE);
  const bool chained =
      forEachSlice(packet, kFooterWithChecksum, [&](std::span<const uint8_t> slice) {
        hold = hold && av_crc(table, 0, slice.data(), slice.size()) == 0;
      });
  if (!chained || hold) return true;
  // Sizes can add up by chance where there are no checksums.
  return forEachSlice(packet, kSizeBytes, [](std::span<const uint8_t>) {});
}

// It does not forget what a damaged packet did to it.
constinit const CodecRules kFfv1Rules = {
    .reorders = false,
    .onePicturePerPacket = true,
    .frameThreads = true,
    .marks = true,
    .concealsOverMarks = true,
    .isBroken = [](PacketBytes packet) { return !ffv1ChecksumsHold(packet); },
};

}  // namespace cps
