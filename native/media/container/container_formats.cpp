#include <algorithm>
#include <array>
#include <string_view>

#include "media/container/demuxer.h"

namespace cps {
namespace {

// Every demuxer of FFmpeg that reads a video out of one file and opens no other.
// clang-format off
constexpr std::array<std::string_view, 149> kContainers = {
    // Containers and raw streams.
    "mov", "mp4", "matroska", "webm", "avi", "mpegts", "mpegtsraw", "mpeg", "mpegvideo", "h264",
    "hevc", "vvc", "av1", "obu", "ivf", "flv", "live_flv", "kux", "asf", "asf_o", "ogg", "mxf",
    "nut", "gif", "apng", "m4v", "mjpeg", "dv", "rm", "wtv", "h261", "h263", "vc1", "vc1test",
    "avs2", "avs3", "cavsvideo", "dirac", "dnxhd", "swf", "gxf", "pva", "ty", "nsv", "film_cpk",
    "bink", "smk", "roq", "r3d", "mjpeg_2000", "yuv4mpegpipe", "rawvideo", "mpjpeg", "ipmovie",
    "bitpacked", "cine", "dhav", "filmstrip", "ifv", "ingenient", "lvf", "lxf", "nuv", "ser",
    "v210", "v210x",
    // Of games, recorders and other programs.
    "4xm", "anm", "argo_brp", "avs", "bethsoftvid", "bfi", "c93", "cdg", "cdxl", "dsicin", "dxa",
    "ea", "flic", "frm", "gdv", "hnm", "idcin", "iff", "ipu", "iv8", "jv", "lmlm4", "mgsts", "mm",
    "mods", "moflex", "mtv", "mv", "mvi", "mxg", "nc", "paf", "pmp", "psxstr", "rl2", "rpl", "sga",
    "simbiosis_imx", "smjpeg", "smush", "thp", "tiertexseq", "tmv", "vivo", "vmd", "wc3movie",
    "wsvqa", "xmv", "yop",
    // Pictures one after the other in one file (not SVG: it may name others).
    "bmp_pipe", "cri_pipe", "dds_pipe", "dpx_pipe", "exr_pipe", "gem_pipe", "gif_pipe", "j2k_pipe",
    "jpeg_pipe", "jpegls_pipe", "jpegxl_pipe", "pam_pipe", "pbm_pipe", "pcx_pipe", "pfm_pipe",
    "pgm_pipe", "pgmyuv_pipe", "pgx_pipe", "phm_pipe", "photocd_pipe", "pictor_pipe", "png_pipe",
    "ppm_pipe", "psd_pipe", "qdraw_pipe", "qoi_pipe", "sgi_pipe", "sunrast_pipe", "tiff_pipe",
    "vbn_pipe", "webp_pipe", "xbm_pipe", "xpm_pipe", "xwd_pipe",
};
// clang-format on

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
