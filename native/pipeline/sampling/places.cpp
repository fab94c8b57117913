#include "pipeline/sampling/places.h"

#include <algorithm>
#include <cmath>

#include "pipeline/sampling/texts.h"

namespace cps {
namespace {

std::vector<int64_t> filled(int64_t count, auto position) {
  std::vector<int64_t> out(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) out[static_cast<size_t>(i)] = position(i);
  return out;
}

// trunc or round of i * s, by `whole`.
std::vector<int64_t> fractions(int64_t candidates, int64_t count, auto whole) {
  if (count == 1) return {0};
  const double step = static_cast<double>(candidates - 1) / static_cast<double>(count - 1);
  auto out = filled(count, [&](int64_t i) { return whole(static_cast<double>(i) * step); });
  out.back() = candidates - 1;
  return out;
}

}  // namespace

int64_t roundHalfEven(double value) { return static_cast<int64_t>(std::nearbyint(value)); }

std::vector<int64_t> placeEnds(int64_t candidates, int64_t count) {
  if (count == 1) return {0};
  // i * (N - 1) split so that no product overflows, whatever a container claims about N.
  const int64_t steps = count - 1;
  const int64_t whole = (candidates - 1) / steps, rest = (candidates - 1) % steps;
  return filled(count, [&](int64_t i) { return i * whole + i * rest / steps; });
}

std::vector<int64_t> placeLinspace(int64_t candidates, int64_t count) {
  return fractions(candidates, count, [](double v) { return static_cast<int64_t>(v); });
}

std::vector<int64_t> placeEndsRound(int64_t candidates, int64_t count) {
  return fractions(candidates, count, roundHalfEven);
}

std::vector<int64_t> placeStarts(int64_t candidates, int64_t count) {
  const int64_t whole = candidates / count, rest = candidates % count;
  return filled(count, [&](int64_t i) { return i * whole + i * rest / count; });
}

std::vector<int64_t> placeMiddles(int64_t candidates, int64_t count) {
  const int64_t halves = 2 * count;
  const int64_t whole = candidates / halves, rest = candidates % halves;
  return filled(count, [&](int64_t i) {
    const int64_t odd = 2 * i + 1;
    return odd * whole + odd * rest / halves;
  });
}

std::vector<int64_t> placeEvery(int64_t candidates, double rate, double fps, int64_t most) {
  // As far apart as there are candidates is the first one alone.
  const double wanted = std::min(rate / fps, static_cast<double>(candidates));
  const int64_t step = std::max<int64_t>(1, roundHalfEven(wanted));
  const int64_t count = (candidates - 1) / step + 1;
  if (count <= most) return filled(count, [&](int64_t i) { return i * step; });
  std::vector<int64_t> out = placeEnds(count, most);
  for (int64_t& position : out) position *= step;
  return out;
}

int64_t onScreen(int64_t candidates, const Seconds& seconds, double t) {
  int64_t begin = 0, end = candidates;  // all before `begin` are at most t, all from `end` on later
  while (begin < end) {
    const int64_t middle = begin + (end - begin) / 2;
    if (seconds(middle) <= t + kTimeTolerance) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return std::max<int64_t>(0, begin - 1);
}

int64_t firstFrom(int64_t candidates, const Seconds& seconds, double t) {
  int64_t begin = 0, end = candidates;
  while (begin < end) {
    const int64_t middle = begin + (end - begin) / 2;
    if (seconds(middle) + kTimeTolerance >= t) {
      end = middle;
    } else {
      begin = middle + 1;
    }
  }
  return begin;
}

std::vector<int64_t> placeTimes(int64_t candidates, const Seconds& seconds, int64_t count) {
  if (count == 1) return {0};
  const double first = seconds(0), span = seconds(candidates - 1) - first;
  return filled(count, [&](int64_t i) {
    const double at = first + static_cast<double>(i) * span / static_cast<double>(count - 1);
    return onScreen(candidates, seconds, at);
  });
}

std::vector<int64_t> place(SamplePlace how, int64_t candidates, int64_t count,
                           const Seconds& seconds) {
  switch (how) {
    case SamplePlace::Ends:
      return placeEnds(candidates, count);
    case SamplePlace::EndsRound:
      return placeEndsRound(candidates, count);
    case SamplePlace::Linspace:
      return placeLinspace(candidates, count);
    case SamplePlace::Starts:
      return placeStarts(candidates, count);
    case SamplePlace::Middles:
      return placeMiddles(candidates, count);
    case SamplePlace::Times:
      return placeTimes(candidates, seconds, count);
    case SamplePlace::Every:
      break;
  }
  throw badSample("a count by fps", "sample.place", "'every'");
}

}  // namespace cps
