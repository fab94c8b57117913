#pragma once

#include <climits>

#include "media/codec/bitstream.h"

namespace cps {

// Errors of a decoder that are no damage: of packets, and of parts of packets, that make no
// picture.
class HarmlessErrors {
 public:
  // Before a packet is decoded.
  void begin(PacketBytes packet, const BitstreamFormat& format) {
    left_ = holdsPicture(packet, format) ? emptyParts(packet, format) : INT_MAX;
  }
  // Errors from now on are of no packet.
  void end() { left_ = 0; }
  // After an error: whether it is one of them.
  bool take() {
    if (left_ == 0) return false;
    left_ -= left_ == INT_MAX ? 0 : 1;
    return true;
  }

 private:
  int left_ = 0;
};

}  // namespace cps
