#include <algorithm>
#include <array>
#include <string_view>

#include "media/demuxer.h"

namespace cps {
namespace {

constexpr std::array<std::string_view, 54> kContainers = {
    "mov",        "mp4",          "matroska", "webm",   "avi",    "mpegts",  "mpegtsraw",
    "mpeg",       "mpegvideo",    "h264",     "hevc",   "vvc",    "av1",     "obu",
    "ivf",        "flv",          "live_flv", "kux",    "asf",    "asf_o",   "ogg",
    "mxf",        "nut",          "gif",      "apng",   "m4v",    "mjpeg",   "dv",
    "rm",         "wtv",          "h261",     "h263",   "vc1",    "vc1test", "avs2",
    "avs3",       "cavsvideo",    "dirac",    "dnxhd",  "swf",    "gxf",     "pva",
    "ty",         "nsv",          "film_cpk", "bink",   "smk",    "roq",     "r3d",
    "mjpeg_2000", "yuv4mpegpipe", "rawvideo", "mpjpeg", "ipmovie"};

constexpr std::array<std::string_view, 14> kPlaylists = {"hls",
                                                         "applehttp",
                                                         "concat",
                                                         "concatf",
                                                         "dash",
                                                         "imf",
                                                         "sdp",
                                                         "rtsp",
                                                         "rtp",
                                                         "sap",
                                                         "image2",
                                                         "tee",
                                                         "webm_dash_manifest",
                                                         "lavfi"};

// A demuxer's name is a comma-separated list of aliases.
template <size_t N>
bool anyAliasIn(std::string_view names, const std::array<std::string_view, N>& list) {
  while (!names.empty()) {
    const size_t comma = names.find(',');
    const std::string_view name = names.substr(0, comma);
    if (std::find(list.begin(), list.end(), name) != list.end()) return true;
    if (comma == std::string_view::npos) break;
    names.remove_prefix(comma + 1);
  }
  return false;
}

}  // namespace

bool isContainerFormat(const char* formatName) { return anyAliasIn(formatName, kContainers); }
bool isPlaylistFormat(const char* formatName) { return anyAliasIn(formatName, kPlaylists); }

}  // namespace cps
