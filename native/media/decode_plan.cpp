#include "media/decode_plan.h"

#include <algorithm>

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
  return index.startFor(first) == first ? first : 0;
}

DecodePlan streamPlan(const FrameIndex& index, const std::vector<int32_t>& targets) {
  DecodePlan plan;
  if (targets.empty()) return plan;
  const int32_t first = std::min(firstUseful(index), targets.front());
  plan.segments.push_back({first, lastPacketOf(index, targets.back()), targets});
  return plan;
}

DecodePlan seekPlan(const FrameIndex& index, const std::vector<int32_t>& targets) {
  DecodePlan plan;
  plan.jumps = true;
  for (const int32_t target : targets) {
    const int32_t first = index.startFor(target);
    const int32_t last = lastPacketOf(index, target);
    if (!plan.segments.empty() && first <= plan.segments.back().last) {
      DecodeSegment& open = plan.segments.back();
      open.targets.push_back(target);
      open.last = std::max(open.last, last);
      // An open GOP's leading picture needs the group before its own key: join what it overlaps.
      while (plan.segments.size() > 1 && first < plan.segments.back().first &&
             first <= plan.segments[plan.segments.size() - 2].last) {
        DecodeSegment joined = std::move(plan.segments.back());
        plan.segments.pop_back();
        DecodeSegment& into = plan.segments.back();
        into.last = std::max(into.last, joined.last);
        into.targets.insert(into.targets.end(), joined.targets.begin(), joined.targets.end());
      }
      plan.segments.back().first = std::min(plan.segments.back().first, first);
    } else {
      plan.segments.push_back({first, last, {target}});
    }
  }
  return plan;
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
  if (!index.seekable() || index.trust == IndexTrust::Sequential) {
    return streamPlan(index, targets);
  }
  switch (options.strategy) {
    case UniformStrategy::Stream:
      return streamPlan(index, targets);
    case UniformStrategy::Seek:
      return seekPlan(index, targets);
    case UniformStrategy::Auto:
      break;
  }
  if (options.autoRatio) {
    const double threshold = static_cast<double>(options.sequenceLength) * *options.autoRatio;
    const bool stream = static_cast<double>(index.display.size()) <= threshold;
    return stream ? streamPlan(index, targets) : seekPlan(index, targets);
  }
  DecodePlan seek = seekPlan(index, targets);
  DecodePlan stream = streamPlan(index, targets);
  return stream.packets() < seek.packets() ? stream : seek;
}

ThreadPlan planThreads(const DecodePlan& plan, int budget) {
  // Frame threads wait for each other's references and fill and empty with every segment.
  // 16 frames of 500 of 1080p H.264, 6 segments: two decoders took 0.94 of the time of one with two
  // threads, which a higher value had chosen.
  constexpr double kThreadEfficiency = 0.85;
  ThreadPlan best = {1, std::max(1, budget)};
  if (budget <= 1 || plan.segments.empty()) return best;
  double bestTime = 0;
  const int most = std::min<int>(budget, static_cast<int>(plan.segments.size()));
  std::vector<int64_t> lengths;
  for (const DecodeSegment& segment : plan.segments) lengths.push_back(segment.packets());
  std::sort(lengths.rbegin(), lengths.rend());
  for (int decoders = 1; decoders <= most; ++decoders) {
    const int threads = budget / decoders;
    const double speed = threads == 1 ? 1 : threads * kThreadEfficiency;
    std::vector<double> busy(static_cast<size_t>(decoders), 0);
    for (const int64_t length : lengths) {
      auto least = std::min_element(busy.begin(), busy.end());
      *least += static_cast<double>(length) / speed + (threads - 1);
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
