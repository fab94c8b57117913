#pragma once

#include <string>
#include <vector>

#include "media/index/frame_index.h"

namespace cps {

// Of an index being built, before pictures are counted: which packets hold a picture to be shown.
std::vector<bool> packetsThatShow(const FrameIndex& index);

// Notes pictures that are in the file and did not come out of the decoder (`missing-frames`), from
// what packetsThatShow said. `name`: of the video.
void noteMissing(FrameIndex& index, const std::vector<bool>& shows, const std::string& name);

}  // namespace cps
