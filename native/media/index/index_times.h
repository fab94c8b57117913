#pragma once

#include <cstdint>

#include "media/index/frame_index.h"

namespace cps {

// Of the two times that a picture may come out of a decoder with, its own and the decode time of
// the packet that brought it out, the one whose series has been the more consistent so far: what
// FFmpeg's frames have as best_effort_timestamp.
class BestTime {
 public:
  int64_t of(int64_t presented, int64_t decoded);

 private:
  int64_t lastPresented_ = kNoOrder, lastDecoded_ = kNoOrder;
  int64_t presentedFaults_ = 0, decodedFaults_ = 0;
};

// Fills what follows from the order of the pictures: timestampsSec, its restarts and the times in
// `info`.
// `declared`: the container's average rate, 0 where there is none.
void fillTimes(FrameIndex& index, AVRational declared);
// Fills `restarts` from timestampsSec and the packets' durations.
void findRestarts(FrameIndex& index);

}  // namespace cps
