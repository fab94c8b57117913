#include "pipeline/damage.h"

#include <algorithm>
#include <iterator>

namespace cps {
namespace {

constexpr int64_t kFirstWindow = 4;  // frames on each side of a lost one
constexpr const char* kWhy =
    "These frames cannot be decoded, since they or frames they depend on are damaged or "
    "incomplete, "
    "or larger than maxFramePixels; ";

// Finds out which pictures can be had, and keeps none.
class Survey final : public FrameSink {
 public:
  void onFrame(SourceFrame) override {}
  size_t keepsFrames(size_t /*wanted*/) const override { return 0; }
  bool takesAnySize() const override { return true; }
  bool takesLosses() const override { return true; }
  void onLost(int64_t displayIndex, const Error& why) override {
    const std::lock_guard lock(mutex_);
    lost_.emplace(displayIndex, why);
  }
  const std::map<int64_t, Error>& lost() const { return lost_; }

 private:
  std::mutex mutex_;
  std::map<int64_t, Error> lost_;
};

}  // namespace

void KnownFrames::learn(std::span<const int64_t> frames, const std::map<int64_t, Error>& lost) {
  for (const int64_t frame : frames) {
    // Once lost is lost: what comes only sometimes is nothing to build on.
    uint8_t& state = states_[static_cast<size_t>(frame)];
    if (state != kLost) state = lost.contains(frame) ? kLost : kHad;
  }
}

std::vector<int64_t> KnownFrames::unknownAround(std::span<const int64_t> frames,
                                                int64_t window) const {
  std::vector<int64_t> unknown;
  int64_t next = 0;  // everything before was looked at for an earlier one
  for (const int64_t frame : frames) {
    const int64_t end = std::min<int64_t>(std::ssize(states_), frame + window + 1);
    for (next = std::max(next, frame - window); next < end; ++next) {
      if (states_[static_cast<size_t>(next)] == kUnknown) unknown.push_back(next);
    }
  }
  return unknown;
}

std::optional<std::map<int64_t, int64_t>> KnownFrames::nearest(std::span<const int64_t> lost,
                                                               FrameSource& source) {
  constexpr int64_t kNone = -1;
  std::map<int64_t, int64_t> found;
  std::vector<int64_t> open(lost.begin(), lost.end());
  for (int64_t window = kFirstWindow;; window *= 2) {
    const std::vector<int64_t> targets = unknownAround(open, window);
    Survey survey;
    source.decode(targets, survey);
    learn(targets, survey.lost());
    std::vector<int64_t> still;
    int64_t before = kNone, at = 0, after = 0;  // frames that can be had, on both sides of `at`
    for (const int64_t frame : open) {
      for (; at < frame; ++at) {
        if (states_[static_cast<size_t>(at)] == kHad) before = at;
      }
      after = std::max(after, frame);
      while (after < std::ssize(states_) && states_[static_cast<size_t>(after)] != kHad) ++after;
      const bool isBefore = before != kNone && frame - before <= window;
      const bool isAfter = after < std::ssize(states_) && after - frame <= window;
      if (isBefore && (!isAfter || frame - before <= after - frame)) {
        found[frame] = before;
      } else if (isAfter) {
        found[frame] = after;
      } else {
        still.push_back(frame);
      }
    }
    open = std::move(still);
    if (open.empty()) return found;
    if (window >= std::ssize(states_)) return std::nullopt;
  }
}

std::optional<SampledFrames> chooseFrames(std::span<const int64_t> wanted, Damaged damaged,
                                          KnownFrames& known, FrameSource& source) {
  SampledFrames out;
  std::vector<int64_t> lost;
  for (const int64_t frame : wanted) {
    if (known.isLost(frame)) lost.push_back(frame);
  }
  std::sort(lost.begin(), lost.end());
  lost.erase(std::unique(lost.begin(), lost.end()), lost.end());
  std::map<int64_t, int64_t> stands;
  if (damaged == Damaged::Nearest && !lost.empty()) {
    auto found = known.nearest(lost, source);
    if (!found) return std::nullopt;
    stands = std::move(*found);
  }
  for (const int64_t frame : wanted) {
    if (!known.isLost(frame)) {
      out.ids.push_back(frame);
    } else if (const auto it = stands.find(frame); it != stands.end()) {
      out.replaced.push_back({static_cast<int32_t>(out.ids.size()), frame, it->second});
      out.ids.push_back(it->second);
    } else {
      out.skipped.push_back(frame);
    }
  }
  if (out.ids.empty()) return std::nullopt;
  return out;
}

void noteDamage(const SampledFrames& sampled, Notes& notes) {
  for (const ReplacedFrame& frame : sampled.replaced) {
    notes.add("replaced-frames",
              std::string(kWhy) + "the nearest frames that can be stand in their places",
              frame.wanted);
  }
  for (const int64_t frame : sampled.skipped) {
    notes.add("skipped-frames", std::string(kWhy) + "they were left out", frame);
  }
}

}  // namespace cps
