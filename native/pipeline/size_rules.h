#pragma once

#include <optional>
#include <vector>

#include "core/options.h"
#include "core/size_rule.h"

namespace cps {

// The records of options `size` and `augment` as what makePictureSteps takes.
std::vector<SizeStepRule> sizeRulesOf(const std::vector<SizeRule>& forms);
Augment augmentOf(const std::optional<AugmentRule>& form);

}  // namespace cps
