#pragma once

#include <memory>

#include "ffmpeg/handles.h"
#include "media/decode/frame_source.h"

namespace cps {

// The vectors that a decoder gave out with a picture (DecoderConfig::vectors). `packet`: its place
// in decode order; `references`: what that packet says. Of an interlaced picture, or one with other
// vectors than to pictures before it, nothing is claimed, nor of one that has none where the
// decoder may have lost them.
std::shared_ptr<const PictureMotion> motionOf(const AVFrame& frame, int32_t packet,
                                              PictureReferences references, bool mayLoseVectors);

}  // namespace cps
