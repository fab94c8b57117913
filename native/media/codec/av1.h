#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace cps {

// What of an AV1 sequence header decides where refresh_frame_flags is in a frame header (AV1
// specification 5.5.1 and 5.9.2).
struct Av1Sequence {
  bool known = false;  // and such that frame headers can be read (no decoder model information)
  bool onlyStills = false;          // frame headers are reduced: every frame is shown
  int forceScreenContentTools = 0;  // 2: each frame says
  int forceIntegerMv = 0;           // 2: each frame says
  int frameIdBits = 0;
  int orderHintBits = 0;
  // Where pictures come in several sizes for one time, decoders give out the largest, and that is
  // the size that the sequence declares.
  bool spatialLayers = false;
  int maxWidth = 0, maxHeight = 0;
};

// The sequence header among these OBUs, or nothing when there is none.
std::optional<Av1Sequence> av1SequenceOf(std::span<const uint8_t> obus);

// Whether a temporal unit begins with a key frame that is shown.
bool isAv1Entry(std::span<const uint8_t> unit);

// Pictures that a temporal unit, or the first bytes of one, shows. There should be one; encoders'
// hidden frames in packets of their own show none.
int av1ShownPictures(std::span<const uint8_t> unit, const Av1Sequence& sequence);

// Whether a temporal unit changes no reference slot: all its frames have refresh_frame_flags 0.
// AV1 decoders carry nothing else from frame to frame (probabilities, motion vectors, segmentation
// and loop filter deltas are kept in the slots), so leaving it out changes only its own picture.
bool isAv1Droppable(std::span<const uint8_t> unit, const Av1Sequence& sequence);

}  // namespace cps
