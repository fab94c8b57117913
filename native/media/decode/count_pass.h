#pragma once

#include <memory>

#include "media/decode/media_services.h"
#include "media/index/frame_index.h"

namespace cps {

// buildFrameIndex with decoders that count, where packets do not say which pictures come out.
FrameIndexPtr buildFrameIndex(const std::shared_ptr<ByteSource>& source, const CallContext& call,
                              const MediaServices& services);

}  // namespace cps
