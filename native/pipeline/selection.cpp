#include "pipeline/selection.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "core/error.h"
#include "ops/energy/percentile_math.h"

namespace cps {
namespace {

// The value with the rank of DESIGN section 4.6.
float percentileOf(std::vector<float>& values, double pct) {
  const auto rank = percentileRank(pct, static_cast<int64_t>(values.size()));
  auto nth = values.begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(values.begin(), nth, values.end());
  return *nth;
}

bool isStatic(const Units& units, int32_t unitArea, const PatchOptions& options) {
  std::vector<float> means;
  means.reserve(units.scores.size());
  for (size_t i = 0; i < units.scores.size(); ++i) {
    if (units.candidates[i % units.perFrame()] == 0) continue;
    means.push_back(units.scores[i] / static_cast<float>(unitArea));
  }
  if (means.empty()) return false;
  const float p95 = percentileOf(means, 95);
  const float p50 = percentileOf(means, 50);
  auto threshold = static_cast<float>(options.staticAbsThresh);
  if (threshold > 1.0f) threshold /= 255.0f;
  threshold = std::clamp(threshold, 0.0f, 1.0f);
  const float relative = std::max(0.0f, static_cast<float>(options.staticRelThresh));
  return p95 < threshold ||
         (p95 < 2.0f * threshold && (p95 - p50) / std::max(p95, 1e-6f) < relative);
}

// One integer that orders units as Note [Selection] does. All keys of one selection differ, so the
// k largest are unique. Bits: 63 key frame first, 62..31 score, 30..0 inverted index.
uint64_t unitKey(bool first, float score, size_t index) {
  return static_cast<uint64_t>(first ? 1 : 0) << 63 |
         static_cast<uint64_t>(orderedBits(score)) << 31 | (0x7fffffff - index);
}
size_t unitIndex(uint64_t key) { return 0x7fffffff - static_cast<size_t>(key & 0x7fffffff); }

// Moves the `count` largest of these to the front.
void keepLargest(std::vector<uint64_t>& keys, int64_t count) {
  if (count >= std::ssize(keys)) return;
  std::nth_element(keys.begin(), keys.begin() + count, keys.end(), std::greater<>());
  keys.resize(static_cast<size_t>(count));
}

void checkCancel(const CancelPtr& cancel) {
  if (cancel) cancel->check(Stage::Process);
}

int64_t countOf(std::span<const uint8_t> flags) {
  return std::count_if(flags.begin(), flags.end(), [](uint8_t f) { return f != 0; });
}

// The steps of Note [Selection].
class Chooser {
 public:
  Chooser(const Units& units, std::span<const uint8_t> isI, std::span<const float> boosts,
          const SelectionRule& rule)
      : units_(units),
        isI_(isI),
        boosts_(boosts),
        rule_(rule),
        taken_(units.scores.size(), 0),
        inFrame_(isI.size(), 0) {}

  void takeFirstFrame() {
    for (size_t u = 0; u < units_.perFrame(); ++u) {
      if (units_.candidates[u] != 0) take(u);
    }
  }
  void takeEachFramesBest(const CancelPtr& cancel) {
    for (size_t t = 0; t < isI_.size(); ++t) {
      checkCancel(cancel);
      std::vector<uint64_t> best = left(t);
      keepLargest(best, std::max<int64_t>(0, rule_.minPerFrame - inFrame_[t]));
      for (const uint64_t key : best) take(unitIndex(key));
    }
  }
  void takeBest(int64_t k, const CancelPtr& cancel) {
    std::vector<uint64_t> best;
    best.reserve(units_.scores.size());
    for (size_t t = 0; t < isI_.size(); ++t) {
      checkCancel(cancel);
      // Passing over a full frame is the same as taking its best alone into account.
      std::vector<uint64_t> ofFrame = left(t);
      keepLargest(ofFrame, rule_.maxPerFrame - inFrame_[t]);
      best.insert(best.end(), ofFrame.begin(), ofFrame.end());
    }
    keepLargest(best, std::max<int64_t>(0, k - total_));
    for (const uint64_t key : best) take(unitIndex(key));
  }
  std::vector<int32_t> indices() const {
    std::vector<int32_t> all;
    all.reserve(static_cast<size_t>(total_));
    for (size_t i = 0; i < taken_.size(); ++i) {
      if (taken_[i] != 0) all.push_back(static_cast<int32_t>(i));
    }
    return all;
  }

 private:
  void take(size_t index) {
    taken_[index] = 1;
    ++inFrame_[index / units_.perFrame()];
    ++total_;
  }
  // Keys of a frame's candidates that are not taken.
  std::vector<uint64_t> left(size_t t) const {
    std::vector<uint64_t> keys;
    const bool isKey = isI_[t] != 0;
    if (isKey && rule_.keyFrames == KeyFramePatches::None) return keys;
    const bool first = isKey && rule_.keyFrames == KeyFramePatches::BeforeOthers;
    keys.reserve(units_.perFrame());
    for (size_t u = 0; u < units_.perFrame(); ++u) {
      const size_t index = t * units_.perFrame() + u;
      if (units_.candidates[u] == 0 || taken_[index] != 0) continue;
      keys.push_back(unitKey(first, units_.scores[index] + boosts_[t], index));
    }
    return keys;
  }

  const Units& units_;
  std::span<const uint8_t> isI_;
  std::span<const float> boosts_;
  const SelectionRule& rule_;
  std::vector<uint8_t> taken_;    // per unit
  std::vector<int64_t> inFrame_;  // taken, per frame
  int64_t total_ = 0;
};

// Blocks are candidates when all of their patches are.
std::vector<uint8_t> unitCandidates(std::span<const uint8_t> patches, const PatchGrid& grid,
                                    const SelectionRule& rule) {
  if (rule.patchesPerUnit == 1) return {patches.begin(), patches.end()};
  std::vector<uint8_t> blocks;
  const auto cols = static_cast<size_t>(grid.cols);
  for (size_t top = 0; top < patches.size(); top += 2 * cols) {
    for (size_t i = top; i + 1 < top + cols; i += 2) {
      blocks.push_back(patches[i] & patches[i + 1] & patches[i + cols] & patches[i + cols + 1]);
    }
  }
  return blocks;
}

std::vector<int32_t> patchesOf(const std::vector<int32_t>& blocks, const PatchGrid& grid) {
  std::vector<int32_t> patches;
  patches.reserve(blocks.size() * 4);
  const int32_t perFrame = grid.perFrame() / 4, blockCols = grid.cols / 2;
  for (const int32_t block : blocks) {
    const int32_t frame = block / perFrame, inFrame = block % perFrame;
    const int32_t row = inFrame / blockCols * 2, col = inFrame % blockCols * 2;
    const int32_t base = (frame * grid.rows + row) * grid.cols + col;
    for (const int32_t offset : {0, 1, grid.cols, grid.cols + 1}) patches.push_back(base + offset);
  }
  return patches;
}

void checkUnits(int64_t inFrame, const SelectionRule& rule, int64_t frames) {
  if (inFrame == 0) {
    throw Error(ErrorCode::InvalidArgument, Stage::Options,
                std::string("Expected parts that leave a ") +
                    (rule.patchesPerUnit == 1 ? "patch" : "block of patches") +
                    " of the frame for ignore but received parts that leave none");
  }
  checkWholeFirst(rule, inFrame, frames);
}

}  // namespace

std::vector<float> staticFallbackBoosts(const Units& units, std::span<const uint8_t> isI,
                                        int32_t unitArea, const PatchOptions& options) {
  std::vector<float> boosts(isI.size(), 0.0f);
  std::vector<size_t> others;  // frames that are not I, in order
  float low = std::numeric_limits<float>::infinity();
  float high = -low;
  for (size_t t = 0; t < isI.size(); ++t) {
    if (isI[t] != 0) continue;
    others.push_back(t);
    for (size_t u = 0; u < units.perFrame(); ++u) {
      if (units.candidates[u] == 0) continue;
      const float score = units.scores[t * units.perFrame() + u];
      low = std::min(low, score);
      high = std::max(high, score);
    }
  }
  if (others.empty() || options.staticUniformFrames <= 0) return boosts;
  if (!isStatic(units, unitArea, options)) return boosts;
  const size_t n = others.size();
  const size_t chosen = std::clamp<size_t>(static_cast<size_t>(options.staticUniformFrames), 1, n);
  for (size_t j = 0; j < chosen; ++j) boosts[others[j * n / chosen]] = high - low + 1.0f;
  return boosts;
}

std::vector<int32_t> chooseUnits(const Units& units, std::span<const uint8_t> isI,
                                 std::span<const float> boosts, const SelectionRule& rule,
                                 const CancelPtr& cancel) {
  Chooser chooser(units, isI, boosts, rule);
  if (rule.wholeFirst) chooser.takeFirstFrame();
  if (rule.minPerFrame > 0) chooser.takeEachFramesBest(cancel);
  chooser.takeBest(rule.k, cancel);
  return chooser.indices();
}

std::vector<float> block2x2Scores(std::span<const float> scores, const PatchGrid& grid) {
  std::vector<float> sums;
  sums.reserve(scores.size() / 4);
  // Rows of all frames in one go: a frame has an even number of them.
  const auto cols = static_cast<size_t>(grid.cols);
  for (size_t top = 0; top < scores.size(); top += 2 * cols) {
    for (size_t i = top; i + 1 < top + cols; i += 2) {
      sums.push_back(((scores[i] + scores[i + 1]) + scores[i + cols]) + scores[i + cols + 1]);
    }
  }
  return sums;
}

void checkCandidates(std::span<const uint8_t> candidates, const PatchGrid& grid,
                     const SelectionRule& rule, int64_t frames) {
  checkUnits(countOf(unitCandidates(candidates, grid, rule)), rule, frames);
}

Selection selectPatches(const SelectionInput& input, const SelectionRule& rule,
                        const PatchOptions& options, const CancelPtr& cancel) {
  const bool blocks = rule.patchesPerUnit == 4;
  const std::vector<uint8_t> candidates = unitCandidates(input.candidates, input.grid, rule);
  std::vector<float> sums;
  if (blocks) sums = block2x2Scores(input.scores, input.grid);
  const Units units{blocks ? std::span<const float>(sums) : input.scores, candidates};

  const int64_t inFrame = countOf(candidates), frames = std::ssize(input.isI);
  checkUnits(inFrame, rule, frames);
  const int64_t keyFrames = countOf(input.isI);
  if (rule.keyFrames == KeyFramePatches::None && keyFrames == frames && !rule.wholeFirst) {
    throw Error(ErrorCode::InvalidArgument, Stage::Options,
                "Expected a sample with other frames than key frames for keyFramePatches 'none' "
                "but received key frames alone");
  }

  std::vector<float> boosts(input.isI.size(), 0.0f);
  const int64_t ofKeyFrames = keyFrames * std::min(inFrame, rule.maxPerFrame);
  const bool keyFramesFirst = rule.keyFrames == KeyFramePatches::BeforeOthers;
  if (options.staticFallback && (!keyFramesFirst || ofKeyFrames < rule.k)) {
    const int32_t side = input.grid.patchSize;
    boosts = staticFallbackBoosts(units, input.isI, side * side * rule.patchesPerUnit, options);
  }

  const std::vector<int32_t> chosen = chooseUnits(units, input.isI, boosts, rule, cancel);
  Selection selection;
  selection.keyFramesFilledK =
      keyFramesFirst && keyFrames < frames &&
      std::all_of(chosen.begin(), chosen.end(), [&](int32_t unit) {
        return input.isI[static_cast<size_t>(unit) / units.perFrame()] != 0;
      });
  selection.patches = blocks ? patchesOf(chosen, input.grid) : chosen;
  return selection;
}

}  // namespace cps
