#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "pipeline/collectors.h"

namespace cps {

// Makes the collector of one attempt.
using MakeCollector = std::function<std::unique_ptr<Collector>(SampledFrames frames)>;

// Decodes what was sampled, and that again with other frames as long as some cannot be had (Note
// [Damaged frames]). The collector of the attempt that got everything; none where an index from
// disk has misled the call and is forgotten now: then the call begins anew without such.
std::unique_ptr<Collector> decodeSampled(const Stages& stages, std::span<const int64_t> wanted,
                                         const MakeCollector& make);

}  // namespace cps
