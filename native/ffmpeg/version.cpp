#include "ffmpeg/version.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}

namespace cps {
namespace {

std::string text(const char* name, unsigned version) {
  return std::string(name) + " " + std::to_string(AV_VERSION_MAJOR(version)) + "." +
         std::to_string(AV_VERSION_MINOR(version)) + "." +
         std::to_string(AV_VERSION_MICRO(version));
}

}  // namespace

std::string ffmpegVersion() {
  return text("libavcodec", avcodec_version()) + ", " + text("libavformat", avformat_version());
}

}  // namespace cps
