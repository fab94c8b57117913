#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/options.h"
#include "media/index/timeline.h"

namespace cps {

// Note [Sampling is a stage]
// A rule turns what is known of a video into the display indices that a call delivers: in any
// order, repeats allowed. Decoding is asked for distinct display indices and knows no rule; how
// many frames there are is ids.size() from here on. Arithmetic is that of Note [Exact places]. A
// new rule is a place (places.h) or a form of option `sample`, and its case in rule.cpp.

// Not empty. Throws Error(InvalidArgument) naming the part of `sample` and the limit where the
// video does not have what is asked for.
std::vector<int64_t> sampledFrames(const SampleRule& rule, const Timeline& timeline);

// Seconds of video in the rule's range, before trim and only: frames by the average rate. Throws
// Error(InvalidArgument) naming `wantedBy` where there is no rate.
double secondsInRange(const SampleRule& rule, const Timeline& timeline,
                      const std::string& wantedBy);

// More frames than this no rule gives.
inline constexpr int64_t kMostSampled = 1'000'000;

}  // namespace cps
