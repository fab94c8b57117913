#pragma once

#include <cstdint>
#include <string>

#include "core/options.h"
#include "ffmpeg/handles.h"
#include "ops/frame_view.h"

namespace cps {

// The matrix and range of a decoded picture: its tags; BT.601 limited where untagged (full for the
// yuvj formats and for gray, which FFmpeg writes in full range; 8-bit gray always is, as FFmpeg's
// scaler takes it); RGB formats are RGB. `option`
// overrides the matrix only. Throws Error(Unsupported) for matrices that are not linear in R'G'B'
// (YCgCo, ICtCp, chromaticity-derived); `where` names file and frame in its message.
ColorSpec colorSpecOf(const AVFrame& frame, ColorMatrixOption option, const std::string& where);

// The nearest of the eight orientations to a container's 3x3 display matrix (null: upright).
Orientation orientationFromMatrix(const int32_t* matrix);

}  // namespace cps
