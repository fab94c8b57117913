#pragma once

#include <string>

namespace cps {

// The libavcodec and libavformat this process runs with, e.g. "libavcodec 59.37.100, libavformat
// 59.27.100".
std::string ffmpegVersion();

}  // namespace cps
