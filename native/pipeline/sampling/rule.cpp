#include "pipeline/sampling/rule.h"

#include "pipeline/sampling/sampling.h"

namespace cps {
namespace {

// sequenceLength frames from the first to the last (DESIGN section 4.1).
class Ends final : public SamplingRule {
 public:
  explicit Ends(int64_t count) : count_(count) {}
  std::vector<int64_t> pick(const Timeline& timeline) const override {
    return sampleFrameIds(timeline.frames, count_);
  }

 private:
  int64_t count_;
};

}  // namespace

std::unique_ptr<SamplingRule> makeSamplingRule(const SamplingOptions& options) {
  return std::make_unique<Ends>(options.sequenceLength);
}

}  // namespace cps
