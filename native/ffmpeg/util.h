#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

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

// The number in an enumeration that FFmpeg may have filled straight from a file (Matroska's
// colours): reading one that names nothing as the enumeration is undefined.
template <typename E>
int64_t enumNumber(const E& value) {
  std::underlying_type_t<E> number;
  std::memcpy(&number, &value, sizeof(number));
  return static_cast<int64_t>(number);
}

UniqueAVCodecParameters copyParameters(const AVCodecParameters& from, Stage stage);

}  // namespace cps
