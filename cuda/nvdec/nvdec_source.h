#pragma once

#include <memory>

#include "cuda/nvdec/session.h"
#include "media/decode/cpu_source.h"

namespace cps {

// Opens a video for NVDEC: demuxed, indexed and planned as on the CPU, decoded by the parser and
// decoder of libnvcuvid. Throws Error(BackendUnavailable) when the device cannot decode it, before
// anything is decoded.
std::unique_ptr<FrameSource> openNvdecSource(const VideoInput& input, const CallContext& call,
                                             const MediaServices& services,
                                             std::shared_ptr<NvdecDevice> nvdec,
                                             const DevicesOptions& devices);

}  // namespace cps
