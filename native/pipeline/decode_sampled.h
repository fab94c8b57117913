#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "pipeline/collectors.h"

namespace cps {

// Makes the collector of one attempt. `known`: which frames can be had, null while nothing is known
// of damage; a collector asks for none that is lost.
using MakeCollector =
    std::function<std::unique_ptr<Collector>(SampledFrames frames, const KnownFrames* known)>;

// Decodes what was sampled, and that again with other frames as long as some cannot be had (Note
// [Damaged frames]). The collector of the attempt that got everything; none where an index from
// disk has misled the call and is forgotten now: then the call begins anew without such.
std::unique_ptr<Collector> decodeSampled(const Stages& stages, std::span<const int64_t> wanted,
                                         const MakeCollector& make);

}  // namespace cps
