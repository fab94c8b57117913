#pragma once

#include <cstdint>
#include <limits>

#include "ffmpeg/handles.h"

namespace cps {

inline constexpr int64_t kNoOrder = std::numeric_limits<int64_t>::min();

// One packet of the video stream, as the container gave it.
struct PacketEntry {
  int64_t pts = AV_NOPTS_VALUE;
  int64_t dts = AV_NOPTS_VALUE;
  int64_t pos = -1;
  int64_t order = kNoOrder;  // compares display order; kNoOrder: its picture is never shown
  int64_t duration = 0;
  int32_t size = 0;
  int32_t displayIndex = -1;  // of its picture; -1: none is shown
  bool key = false;
  bool discard = false;  // an edit list cuts this picture out
};

}  // namespace cps
