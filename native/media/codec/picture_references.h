#pragma once

#include <cstdint>

namespace cps {

// Note [One reference]
// Vectors say where a block was, but not in which picture. Energy 'codec' takes them where there is
// one picture that can be meant: the one decoded just before. That is so in H.264 where the
// parameter set allows one reference frame and the picture before is one, and in P pictures of
// MPEG-1, -2 and -4, which refer to the I or P picture before; whole frames only, predicted as
// frames. A packet tells, and nothing else in the stream has to be known; when in doubt nothing is
// claimed. (FFmpeg gives the last picture out without vectors when it empties a decoder of the
// latter: CodecRules::emptiesWithoutVectors.)
enum class RefersTo : uint8_t {
  Unknown,
  Nothing,         // intra
  TheOneReference  // the picture that is the only reference when it is decoded
};
struct PictureReferences {
  RefersTo refersTo = RefersTo::Unknown;
  bool isReference = false;  // and from then on the only one
};

}  // namespace cps
