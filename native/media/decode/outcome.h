#pragma once

#include <cstdint>
#include <string>

namespace cps {

// How a run over the packets of one segment ended, on any device. What was given out before stays
// given out. Errors that have nothing to do with the pictures (memory, cancellation, a driver) are
// exceptions.
struct SegmentOutcome {
  enum class Kind : uint8_t {
    Done,
    Damaged,     // a wanted picture did not come out undamaged
    TooLarge,    // a wanted picture has more pixels than maxFramePixels allows
    OtherSize,   // a wanted picture has another size than the video where one size is asked for
    Suspicious,  // a strict decoder met something (Note [Strict] in packet_decoder.h), or what was
                 // left out may be what a picture lacked
    Lost,        // the container gave other packets than those of the index
  };
  Kind kind = Kind::Done;
  int32_t ordinal = 0;            // of the packet where it ended
  std::string reason;             // Damaged, Suspicious
  int32_t width = 0, height = 0;  // OtherSize, TooLarge (0: the decoder refused it)
};

}  // namespace cps
