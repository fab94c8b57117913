#include "pipeline/sampling/rule.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <unordered_set>
#include <variant>

#include "pipeline/sampling/candidates.h"
#include "pipeline/sampling/places.h"
#include "pipeline/sampling/texts.h"

namespace cps {
namespace {

[[noreturn]] void needsRate(const std::string& name) {
  throw badSample("a video with a frame rate", name, "one whose container tells none");
}

void checkCount(int64_t count) {
  if (count <= kMostSampled) return;
  throw badSample("a rule that gives at most " + frameText(kMostSampled), "sample.count",
                  "one that gives " + std::to_string(count));
}

// What count and clip have in common. `trimLongerThan`: see Among.
template <typename Rule>
Among amongOf(const Rule& rule, const Timeline& timeline, std::optional<double> trimLongerThan) {
  Among among;
  among.onlyKeyFrames = rule.only.has_value();
  if (rule.range) {
    among.range = {rule.range->fromSec, rule.range->toSec, rule.range->from, rule.range->to};
  }
  if (rule.trim) {
    if (timeline.fps <= 0) needsRate("sample.trim");
    among.trimSec = *rule.trim;
    if (trimLongerThan) among.trimLongerThan = *trimLongerThan;
  }
  return among;
}

template <typename Rule>
std::vector<int64_t> framesAt(const Rule& rule, const Candidates& candidates,
                              std::vector<int64_t> positions) {
  for (int64_t& position : positions) position = candidates.frameAt(position);
  if (!rule.unique) return positions;
  std::unordered_set<int64_t> seen;
  std::erase_if(positions, [&](int64_t frame) { return !seen.insert(frame).second; });
  return positions;
}

// x frames by rate and duration, between the bounds, a multiple of what is
// asked.
int64_t countByRate(const FpsCount& count, double rate, const Candidates& candidates) {
  if (rate <= 0) needsRate("sample.count.fps");
  const int64_t multiple = count.multipleOf;
  int64_t most = candidates.size();
  if (count.max) most = std::min<int64_t>(most, *count.max);
  if (multiple > 1) most = most / multiple * multiple;
  const double exact = static_cast<double>(candidates.inRange()) / rate * count.fps;
  const double wanted = std::min(exact, static_cast<double>(candidates.size()));
  const int64_t whole =
      count.round == CountRound::Nearest ? roundHalfEven(wanted) : static_cast<int64_t>(wanted);
  const int64_t frames = std::min(std::max<int64_t>(whole, count.min.value_or(1)), most);
  return std::max<int64_t>(1, frames / multiple * multiple);
}

int64_t countByDuration(const std::vector<CountRow>& table, double rate,
                        const Candidates& candidates) {
  if (rate <= 0) needsRate("sample.count");
  const double seconds = static_cast<double>(candidates.inRange()) / rate;
  const auto row = std::find_if(table.begin(), table.end(),
                                [&](const CountRow& r) { return seconds < r.belowSeconds; });
  return row == table.end() ? table.back().frames : row->frames;
}

int64_t countOf(const Count& count, double rate, const Candidates& candidates) {
  if (const auto* frames = std::get_if<int>(&count.value)) return *frames;
  if (const auto* byRate = std::get_if<FpsCount>(&count.value)) {
    return countByRate(*byRate, rate, candidates);
  }
  return countByDuration(std::get<std::vector<CountRow>>(count.value), rate, candidates);
}

std::vector<int64_t> pick(const CountRule& rule, const Timeline& timeline) {
  const auto* byRate = std::get_if<FpsCount>(&rule.count.value);
  std::optional<double> trimLongerThan;
  if (byRate && byRate->max) trimLongerThan = static_cast<double>(*byRate->max) * byRate->fps;
  const Candidates candidates(timeline, amongOf(rule, timeline, trimLongerThan));
  if (rule.place == SamplePlace::Every && byRate) {
    if (timeline.fps <= 0) needsRate("sample.count.fps");
    const int64_t most = byRate->max ? *byRate->max : std::numeric_limits<int64_t>::max();
    std::vector<int64_t> positions = placeEvery(candidates.size(), timeline.fps, byRate->fps, most);
    checkCount(std::ssize(positions));
    return framesAt(rule, candidates, std::move(positions));
  }
  int64_t count = countOf(rule.count, timeline.fps, candidates);
  checkCount(count);
  const int64_t size = candidates.size(), missing = std::max<int64_t>(0, count - size);
  if (missing > 0) {
    switch (rule.short_) {
      case WhenShort::RepeatIds:
        break;
      case WhenShort::All:
      case WhenShort::RepeatLast:
        count = size;
        break;
      case WhenShort::Error:
        throw badSample("at most " + frameText(size) + ", as many as there are to choose from",
                        "sample.count", std::to_string(count) + " (short is 'error')");
    }
  }
  // Every frame at a rate has a count of its own.
  if (rule.place == SamplePlace::Every)
    throw badSample("a count by fps", "sample.place", "'every'");
  std::vector<int64_t> positions = place(rule.place, size, count, [&](int64_t position) {
    return timeline.seconds(candidates.frameAt(position));
  });
  if (rule.short_ == WhenShort::RepeatLast) {
    positions.insert(positions.end(), static_cast<size_t>(missing), size - 1);
  }
  return framesAt(rule, candidates, std::move(positions));
}

int64_t spanOf(const ClipRule& rule) { return int64_t{rule.clip - 1} * rule.stride + 1; }

// Where a clip that spans so many candidates begins.
int64_t startOf(const ClipRule& rule, int64_t span, int64_t size) {
  if (const auto* given = std::get_if<int64_t>(&rule.start.value)) return *given;
  const int64_t room = std::max<int64_t>(0, size - span);  // starts that fit, less one
  if (std::get<ClipPlace>(rule.start.value) == ClipPlace::Centre) return room / 2;
  const auto drawn = static_cast<int64_t>(rule.seed * static_cast<double>(room + 1));
  return std::clamp<int64_t>(drawn, 0, room);
}

std::vector<int64_t> pick(const ClipRule& rule, const Timeline& timeline) {
  const Candidates candidates(timeline, amongOf(rule, timeline, std::nullopt));
  const int64_t size = candidates.size();
  const int64_t start = startOf(rule, spanOf(rule), size);
  if (start >= size) {
    throw badSample("an integer between 0 and " + std::to_string(size - 1) + ", since there are " +
                        frameText(size) + " to choose from,",
                    "sample.start", std::to_string(start));
  }
  const int64_t fit = std::min<int64_t>(rule.clip, (size - 1 - start) / rule.stride + 1);
  if (fit < rule.clip && rule.short_ == WhenShort::Error) {
    throw badSample("a clip that ends by frame " + std::to_string(size - 1) + " of " +
                        frameText(size) + " to choose from",
                    "sample.clip",
                    std::to_string(rule.clip) + " frames, which end at " +
                        std::to_string(start + spanOf(rule) - 1) + " (short is 'error')");
  }
  std::vector<int64_t> positions;
  for (int64_t i = 0; i < fit; ++i) positions.push_back(start + i * rule.stride);
  if (rule.short_ != WhenShort::All) {
    positions.resize(static_cast<size_t>(rule.clip), positions.back());
  }
  return framesAt(rule, candidates, std::move(positions));
}

std::vector<int64_t> pick(const IndicesRule& rule, const Timeline& timeline) {
  const int64_t frames = timeline.frames;
  std::vector<int64_t> ids;
  ids.reserve(rule.indices.size());
  for (const int64_t index : rule.indices) {
    if (index < -frames || index >= frames) {
      throw badSample("an integer between " + std::to_string(-frames) + " and " +
                          std::to_string(frames - 1) + ", since the video has " +
                          frameText(frames) + ",",
                      "sample.indices[" + std::to_string(ids.size()) + "]", std::to_string(index));
    }
    ids.push_back(index < 0 ? index + frames : index);
  }
  return ids;
}

std::vector<int64_t> pick(const TimesRule& rule, const Timeline& timeline) {
  std::vector<int64_t> ids;
  ids.reserve(rule.timesSec.size());
  for (const double t : rule.timesSec) {
    if (!(t >= 0 && t <= timeline.durationSec + kTimeTolerance)) {
      throw badSample(
          "seconds between 0 and " + numberText(timeline.durationSec) + ", the video's duration,",
          "sample.timesSec[" + std::to_string(ids.size()) + "]", numberText(t));
    }
    ids.push_back(onScreen(timeline.frames, timeline.seconds, t));
  }
  return ids;
}

}  // namespace

std::vector<int64_t> sampledFrames(const SampleRule& rule, const Timeline& timeline) {
  return std::visit([&](const auto& form) { return pick(form, timeline); }, rule.value);
}

double secondsInRange(const SampleRule& rule, const Timeline& timeline,
                      const std::string& wantedBy) {
  if (timeline.fps <= 0) needsRate(wantedBy);
  const auto inRange = [&](const auto& form) {
    if constexpr (requires { form.range; }) {
      if (form.range) return Candidates(timeline, amongOf(form, timeline, {})).inRange();
    }
    return timeline.frames;
  };
  return static_cast<double>(std::visit(inRange, rule.value)) / timeline.fps;
}

}  // namespace cps
