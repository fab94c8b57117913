#include "media/plan/decode_plan.h"

#include <algorithm>
#include <numeric>

namespace cps {
namespace {

// Last packet that must be fed so that the picture of `ordinal` is whole: where pictures were
// counted, packets without a picture of their own may be second fields of the one before.
int32_t lastPacketOf(const FrameIndex& index, int32_t ordinal) {
  if (index.trust == IndexTrust::Timestamps) return ordinal;
  const auto count = static_cast<int32_t>(index.packets.size());
  while (ordinal + 1 < count && index.packets[static_cast<size_t>(ordinal + 1)].displayIndex < 0) {
    ++ordinal;
  }
  return ordinal;
}

// Where a stream that begins in the middle of a group begins to show pictures, if it can be begun
// there. What comes before is of no use, and can keep a decoder from giving its last pictures out.
int32_t firstUseful(const FrameIndex& index) {
  if (index.packets.front().order != kNoOrder || index.display.empty()) return 0;
  const int32_t first = index.display.front();
  return index.seeks().startFor(first) == first ? first : 0;
}

DecodePlan streamPlan(const FrameIndex& index, const std::vector<int32_t>& targets) {
  DecodePlan plan;
  if (targets.empty()) return plan;
  const int32_t first = std::min(firstUseful(index), targets.front());
  plan.segments.push_back({first, lastPacketOf(index, targets.back()), targets});
  return plan;
}

// An open GOP's leading picture needs the group before its own key: joins the last segment with
// those before it that a start at `first` overlaps.
void joinOverlapped(std::vector<DecodeSegment>& segments, int32_t first) {
  size_t into = segments.size() - 1;
  while (into > 0 && first < segments[into].first && first <= segments[into - 1].last) --into;
  DecodeSegment& joined = segments[into];
  for (size_t i = into + 1; i < segments.size(); ++i) {
    const DecodeSegment& other = segments[i];
    joined.last = std::max(joined.last, other.last);
    joined.targets.insert(joined.targets.end(), other.targets.begin(), other.targets.end());
  }
  segments.resize(into + 1);
  joined.first = std::min(joined.first, first);
}

DecodePlan seekPlan(const FrameIndex& index, const std::vector<int32_t>& targets,
                    const PlanOptions& options) {
  constexpr size_t kTargetsBetweenChecks = 1024;
  DecodePlan plan;
  plan.jumps = true;
  size_t planned = 0;
  for (const int32_t target : targets) {
    if (options.cancel && ++planned % kTargetsBetweenChecks == 0) {
      options.cancel->check(Stage::Decode);
    }
    const int32_t first = index.seeks().startFor(target);
    const int32_t last = lastPacketOf(index, target);
    if (plan.segments.empty() || first > plan.segments.back().last) {
      plan.segments.push_back({first, last, {target}});
      continue;
    }
    DecodeSegment& open = plan.segments.back();
    open.targets.push_back(target);
    open.last = std::max(open.last, last);
    joinOverlapped(plan.segments, first);
  }
  return plan;
}

constexpr double kPixelsPerByte = 50;  // Note [Cost]

double costOf(const FrameIndex& index, const DecodeSegment& segment) {
  const double area = static_cast<double>(index.storedWidth) * index.storedHeight;
  double cost = static_cast<double>(segment.packets()) * area / kPixelsPerByte;
  for (int32_t i = segment.first; i <= segment.last; ++i) {
    cost += index.packets[static_cast<size_t>(i)].size;
  }
  return cost;
}

DecodePlan choosePlan(const FrameIndex& index, const std::vector<int32_t>& targets,
                      const PlanOptions& options) {
  if (!index.seeks().seekable() || index.trust == IndexTrust::Sequential) {
    return streamPlan(index, targets);
  }
  switch (options.strategy) {
    case UniformStrategy::Stream:
      return streamPlan(index, targets);
    case UniformStrategy::Seek:
      return seekPlan(index, targets, options);
    case UniformStrategy::Auto:
      break;
  }
  if (options.autoRatio) {
    const double threshold = static_cast<double>(targets.size()) * *options.autoRatio;
    const bool stream = static_cast<double>(index.display.size()) <= threshold;
    return stream ? streamPlan(index, targets) : seekPlan(index, targets, options);
  }
  DecodePlan seek = seekPlan(index, targets, options);
  DecodePlan stream = streamPlan(index, targets);
  return stream.packets() < seek.packets() ? stream : seek;
}

}  // namespace

int64_t DecodePlan::packets() const {
  int64_t sum = 0;
  for (const DecodeSegment& segment : segments) sum += segment.packets();
  return sum;
}

DecodePlan planDecode(const FrameIndex& index, std::span<const int64_t> displayIndices,
                      const PlanOptions& options) {
  std::vector<int32_t> targets;
  targets.reserve(displayIndices.size());
  for (const int64_t d : displayIndices) targets.push_back(index.display[static_cast<size_t>(d)]);
  std::sort(targets.begin(), targets.end());
  const bool seekable = index.seeks().seekable();
  DecodePlan plan = choosePlan(index, targets, options);
  plan.seekable = seekable;
  for (DecodeSegment& segment : plan.segments) segment.cost = costOf(index, segment);
  return plan;
}

std::vector<DecodeSegment> joinTouching(const DecodePlan& plan) {
  std::vector<DecodeSegment> joined;
  for (const DecodeSegment& segment : plan.segments) {
    if (joined.empty() || joined.back().last + 1 != segment.first) {
      joined.push_back(segment);
      continue;
    }
    DecodeSegment& open = joined.back();
    open.last = segment.last;
    open.cost += segment.cost;
    open.targets.insert(open.targets.end(), segment.targets.begin(), segment.targets.end());
  }
  return joined;
}

ThreadPlan planThreads(const DecodePlan& plan, int budget) {
  // Frame threads wait for each other's references: 1080p HEVC on two of them took half of one
  // thread's time divided by 0.87, AV1 by 0.79.
  constexpr double kThreadEfficiency = 0.85;
  ThreadPlan best = {1, std::max(1, budget)};
  if (budget <= 1 || plan.segments.empty()) return best;
  const int most = std::min<int>(budget, static_cast<int>(plan.segments.size()));
  std::vector<double> costs;
  for (const DecodeSegment& segment : plan.segments) costs.push_back(segment.cost);
  std::sort(costs.rbegin(), costs.rend());
  // They fill and empty with every segment.
  const double packet = std::accumulate(costs.begin(), costs.end(), 0.0) /
                        static_cast<double>(std::max<int64_t>(1, plan.packets()));
  double bestTime = 0;
  for (int decoders = 1; decoders <= most; ++decoders) {
    const int threads = budget / decoders;
    const double speed = threads == 1 ? 1 : threads * kThreadEfficiency;
    std::vector<double> busy(static_cast<size_t>(decoders), 0);
    for (const double cost : costs) {
      *std::min_element(busy.begin(), busy.end()) += cost / speed + (threads - 1) * packet;
    }
    const double time = *std::max_element(busy.begin(), busy.end());
    if (decoders == 1 || time < bestTime) {
      best = {decoders, threads};
      bestTime = time;
    }
  }
  return best;
}

}  // namespace cps
