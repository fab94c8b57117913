#include "pipeline/size_rules.h"

#include <string>
#include <variant>

#include "core/error.h"

namespace cps {
namespace {

SizeStepRule ruleOf(const ExactSize& form) {
  SizeStepRule rule;
  rule.kind = SizeKind::Exact;
  rule.height = form.exact.height;
  rule.width = form.exact.width;
  return rule;
}

SizeStepRule ruleOf(const ShortSize& form) {
  SizeStepRule rule;
  rule.kind = SizeKind::Short;
  rule.side = form.short_;
  rule.cropHeight = rule.cropWidth = form.crop;
  return rule;
}

SizeStepRule ruleOf(const LongSize& form) {
  SizeStepRule rule;
  rule.kind = SizeKind::Long;
  rule.side = form.long_;
  rule.even = form.even;
  rule.pad = form.pad;
  return rule;
}

SizeStepRule ruleOf(const AreaSize& form) {
  SizeStepRule rule;
  rule.kind = SizeKind::Area;
  rule.least = static_cast<double>(form.area.min);
  rule.most = static_cast<double>(form.area.max);
  rule.multipleOf = form.multipleOf;
  rule.ofVideo = form.of == AreaOf::Video;
  rule.framesPerStep = form.framesPerStep;
  rule.branch = form.branch;
  rule.maxOverFrames = form.maxOverFrames;
  if (form.cap) {
    rule.capTokens = static_cast<double>(form.cap->tokens);
    rule.capShare = form.cap->share;
  }
  return rule;
}

SizeStepRule ruleOf(const PatchesSize& form) {
  SizeStepRule rule;
  rule.kind = SizeKind::Patches;
  rule.patches = form.patches;
  rule.patchSize = form.patchSize;
  return rule;
}

}  // namespace

std::vector<SizeStepRule> sizeRulesOf(const std::vector<SizeRule>& forms) {
  std::vector<SizeStepRule> rules;
  for (const SizeRule& form : forms) {
    rules.push_back(std::visit([](const auto& held) { return ruleOf(held); }, form.value));
  }
  return rules;
}

Augment augmentOf(const std::optional<AugmentRule>& form) {
  Augment augment;
  if (!form) return augment;
  if (form->seed.size() != kAugmentDraws + 1) {
    throw Error(ErrorCode::InvalidArgument, Stage::Options,
                "Expected " + std::to_string(kAugmentDraws + 1) +
                    " numbers for augment.seed but received " + std::to_string(form->seed.size()));
  }
  augment.draws = form->seed;
  // One draw is that of the flip, the others are of the crop.
  augment.flip = augment.draws.back() < form->flip;
  augment.draws.pop_back();
  if (!form->crop) return augment;
  if (const auto* part = std::get_if<ResizedCrop>(&form->crop->value)) {
    augment.resizedCrop = true;
    augment.scale[0] = part->scale.min;
    augment.scale[1] = part->scale.max;
    augment.ratio[0] = part->ratio.min;
    augment.ratio[1] = part->ratio.max;
  } else {
    augment.randomCrop = true;
  }
  return augment;
}

}  // namespace cps
