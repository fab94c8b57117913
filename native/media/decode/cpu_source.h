#pragma once

#include <memory>

#include "core/options.h"
#include "media/decode/frame_source.h"
#include "media/decode/media_services.h"

namespace cps {

class ByteSource;

// Opens the video, gets its frame index (cached where allowed) and checks the limits.
std::unique_ptr<FrameSource> openCpuSource(const VideoInput& input, const CallContext& call,
                                           const MediaServices& services);
// The same over bytes from anywhere.
std::unique_ptr<FrameSource> openCpuSource(std::shared_ptr<ByteSource> bytes,
                                           const CallContext& call, const MediaServices& services);

}  // namespace cps
