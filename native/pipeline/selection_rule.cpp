#include "pipeline/selection_rule.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <variant>

#include "core/error.h"
#include "pipeline/sampling/texts.h"

namespace cps {
namespace {

constexpr int64_t kMostPatches = std::numeric_limits<int32_t>::max();

Error contradiction(const std::string& expected, const std::string& name,
                    const std::string& received) {
  return {ErrorCode::InvalidArgument, Stage::Options,
          "Expected " + expected + " for " + name + " but received " + received};
}

std::string patchText(int64_t patches) {
  return std::to_string(patches) + (patches == 1 ? " patch" : " patches");
}

int64_t wholeNumber(double patches) {
  return static_cast<int64_t>(std::floor(std::min(patches, static_cast<double>(kMostPatches))));
}

// K in patches.
int64_t budgetOf(const PatchBudget& budget, const PatchGrid& grid,
                 const std::function<double()>& seconds) {
  if (const auto* patches = std::get_if<int64_t>(&budget.value)) return *patches;
  if (const auto* frames = std::get_if<FramesBudget>(&budget.value)) {
    return wholeNumber(frames->frames * grid.perFrame());
  }
  const auto& rate = std::get<RateBudget>(budget.value);
  const int64_t byTime = wholeNumber(rate.perSecond * seconds());
  return std::min(std::max(byTime, rate.min.value_or(1)), rate.max.value_or(kMostPatches));
}

// A bound of a frame in units: a share of them below 1, a number of patches from there on.
int64_t unitsOf(double bound, const SelectionRule& rule) {
  if (bound < 1) return wholeNumber(bound * rule.unitsPerFrame);
  return static_cast<int64_t>(bound) / rule.patchesPerUnit;
}

std::string boundText(double bound, int64_t units, const SelectionRule& rule) {
  if (bound >= 1) return numberText(bound);
  return numberText(bound) + ", which is " + patchText(units * rule.patchesPerUnit);
}

KeyFramePatches keyRule(const PatchOptions& options, const PatchGrid& grid, int64_t k,
                        Notes& notes) {
  if (options.keyFramePatches != KeyFramePatches::Auto) return options.keyFramePatches;
  const bool few = k < int64_t{2} * grid.perFrame();
  if (options.energy == Energy::Reference || !few) return KeyFramePatches::BeforeOthers;
  notes.add("key-frames-compete",
            "keyFramePatches 'auto' took 'compete', since kKeep is less than two frames' patches; "
            "'before-others' would take key frames alone first.");
  return KeyFramePatches::Compete;
}

void checkBounds(const SelectionRule& rule, const PatchOptions& options, int64_t frames) {
  if (rule.maxPerFrame == 0) {
    throw contradiction("a share that is a patch or more of " +
                            patchText(int64_t{rule.unitsPerFrame} * rule.patchesPerUnit) +
                            " per frame",
                        "maxPerFrame", boundText(*options.maxPerFrame, 0, rule));
  }
  const std::string received = boundText(options.minPerFrame, rule.minPerFrame, rule);
  if (options.maxPerFrame && rule.minPerFrame > unitsOf(*options.maxPerFrame, rule)) {
    throw contradiction(
        "at most maxPerFrame (" + boundText(*options.maxPerFrame, rule.maxPerFrame, rule) + ")",
        "minPerFrame", received);
  }
  if (rule.minPerFrame > rule.k / frames) {
    throw contradiction("at most kKeep divided by the sampled frames (" +
                            patchText(rule.k * rule.patchesPerUnit) + " by " +
                            std::to_string(frames) + ")",
                        "minPerFrame", received);
  }
}

}  // namespace

SelectionRule selectionRule(const PatchOptions& options, const PatchGrid& grid, int64_t frames,
                            const std::function<double()>& seconds, Notes& notes) {
  SelectionRule rule;
  rule.wholeFirst = options.wholeFrames == WholeFrames::First;
  rule.patchesPerUnit = options.selectionUnit == SelectionUnit::Block2x2 ? 4 : 1;
  rule.unitsPerFrame = grid.perFrame() / rule.patchesPerUnit;
  const int64_t k = budgetOf(options.kKeep, grid, seconds);
  rule.keyFrames = keyRule(options, grid, k, notes);
  rule.k = std::max<int64_t>(1, k / rule.patchesPerUnit);
  rule.minPerFrame = unitsOf(options.minPerFrame, rule);
  rule.maxPerFrame = rule.unitsPerFrame;
  if (options.maxPerFrame) {
    rule.maxPerFrame = std::min(rule.maxPerFrame, unitsOf(*options.maxPerFrame, rule));
  }
  checkBounds(rule, options, frames);
  return rule;
}

void checkWholeFirst(const SelectionRule& rule, int64_t candidates, int64_t frames) {
  if (!rule.wholeFirst) return;
  const auto patches = [&](int64_t units) { return patchText(units * rule.patchesPerUnit); };
  const std::string whole = patches(candidates) + " (wholeFrames is 'first')";
  if (rule.maxPerFrame < candidates) {
    throw contradiction("at least " + whole, "maxPerFrame", patches(rule.maxPerFrame));
  }
  if (rule.k < candidates) {
    throw contradiction("at least " + whole, "kKeep", patches(rule.k));
  }
  if (rule.minPerFrame > 0 && (rule.k - candidates) / rule.minPerFrame < frames - 1) {
    throw contradiction("at least " + whole + " and minPerFrame (" + patches(rule.minPerFrame) +
                            ") of each of the " + std::to_string(frames - 1) + " other frames",
                        "kKeep", patches(rule.k));
  }
}

}  // namespace cps
