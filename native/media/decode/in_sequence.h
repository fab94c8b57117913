#pragma once

#include <cstdint>
#include <functional>

#include "core/options.h"
#include "core/profile.h"
#include "media/decode/indexed_video.h"
#include "media/decode/targets.h"

namespace cps {

using GiveInSequence =
    std::function<void(int32_t ordinal, int64_t displayIndex, const AVFrame& frame)>;

// Pictures that no packet number identifies (IndexTrust::Sequential): decodes from the start and
// counts, as building the index did.
void decodeInSequence(const IndexedVideo& video, const SourceOptions& options, Targets& targets,
                      Profile& profile, const GiveInSequence& give);

}  // namespace cps
