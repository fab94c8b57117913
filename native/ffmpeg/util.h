#pragma once

#include <cstdint>
#include <string>

#include "ffmpeg/handles.h"

namespace cps {

// FFmpeg's words for an error number.
std::string avErrorText(int error);

// FFmpeg's own messages never reach stderr: what matters comes back as an Error.
void silenceFfmpegLog();

// A codec's name as FFmpeg's tools print it.
std::string codecName(AVCodecID id);

// The 3x3 display matrix of a stream (nine 16.16 numbers), or null. The only place that knows
// where this FFmpeg version keeps stream side data.
const int32_t* streamDisplayMatrix(const AVStream& stream);

UniqueAVCodecParameters copyParameters(const AVCodecParameters& from, Stage stage);

}  // namespace cps
