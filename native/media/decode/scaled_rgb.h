#pragma once

#include <string>

#include "core/buffer.h"
#include "core/cancel.h"
#include "core/picture.h"
#include "ffmpeg/handles.h"

namespace cps {

// Note [Pictures of the scaler]
// RGB is what FFmpeg's scaler makes of a picture (Note [Colour as FFmpeg's scaler] in
// ops/pixels/color_math.h). For what most videos hold, ops does that arithmetic on every device,
// for just the pixels that are needed. For all the rest (odd sizes that make the scaler interpolate
// chroma, 4:1:1, 4:1:0, 4:4:0, packed and semi-planar 4:2:2 and 4:2:0, 16-bit and float samples,
// RGB of other than 8 bits, Bayer, XYZ, one bit a sample) the scaler itself converts the whole
// picture where it was decoded, and from there on it is 8-bit RGB. The luma plane goes along for
// what reads luma (SourceFrame::luma), so that cells do not depend on which way colour takes.
//
// Whether pictures of this format and size go that way.
bool scalerConverts(AVPixelFormat format, int width, int height);

struct ScaledRgb {
  Buffer memory;
  FrameView view;  // packed 8-bit RGB, without orientation
};

// As libavfilter's scale filter does it with flags=bilinear, but with this matrix. Throws
// Error(OutOfMemory, Unsupported) and what `cancel` (may be null) throws; `where` names file and
// frame in the message.
ScaledRgb scaledRgb(const AVFrame& frame, ColorMatrix matrix, const std::string& where,
                    const CancelToken* cancel);

}  // namespace cps
