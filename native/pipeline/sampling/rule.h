#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/options.h"
#include "media/index/timeline.h"

namespace cps {

// Note [Sampling is a stage]
// A rule turns what is known of a video into the display indices that a call delivers: ascending,
// repeats allowed. Decoding is asked for display indices and knows no rule; how many frames there
// are is ids.size() from here on. A new rule is a file of this folder and a line in
// makeSamplingRule.
class SamplingRule {
 public:
  virtual ~SamplingRule() = default;
  virtual std::vector<int64_t> pick(const Timeline& timeline) const = 0;
};

std::unique_ptr<SamplingRule> makeSamplingRule(const SamplingOptions& options);

}  // namespace cps
