#pragma once

#include <cstdint>

#include "core/notes.h"
#include "core/options.h"
#include "core/picture.h"
#include "ffmpeg/handles.h"

namespace cps {

// The matrix and range of a decoded picture: its tags; BT.601 limited where untagged (full for the
// yuvj formats and for gray, which FFmpeg writes in full range; 8-bit gray always is, as FFmpeg's
// scaler takes it); RGB formats are RGB. `option`
// overrides the matrix only. For tags that name no matrix FFmpeg's scaler has (reserved numbers,
// YCgCo, ICtCp, chromaticity-derived, RGB on YCbCr planes) BT.601, as the scaler takes it, and a
// note.
ColorSpec colorSpecOf(const AVFrame& frame, ColorMatrixOption option, Notes& notes);

}  // namespace cps
