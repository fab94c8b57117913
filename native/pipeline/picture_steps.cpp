#include "pipeline/picture_steps.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>

#include "core/error.h"

namespace cps {
namespace {

constexpr double kMostSide = 16384;
constexpr double kMostAspect = 200;

std::string text(FrameSize size) {
  return std::to_string(size.width) + "x" + std::to_string(size.height);
}

[[noreturn]] void noSize(const char* what, FrameSize source) {
  throw Error(
      ErrorCode::InvalidArgument, Stage::Options,
      std::string("Expected ") + what + " for size but received a " + text(source) + " picture");
}

// To the nearest, halves to the even one.
double roundEven(double v) { return std::nearbyint(v); }

FrameSize checked(double height, double width, FrameSize source) {
  if (!(height >= 1 && width >= 1)) noSize("a rule that leaves at least one pixel", source);
  if (height > kMostSide || width > kMostSide) {
    noSize("a rule that gives at most 16384 pixels a side", source);
  }
  return {static_cast<int32_t>(height), static_cast<int32_t>(width)};
}

// The shorter side becomes `side`, the other one is cut down to an integer (torchvision).
FrameSize shortSize(int32_t side, FrameSize source) {
  const int64_t shorter = std::min(source.height, source.width);
  const int64_t longer = std::max(source.height, source.width);
  const auto other = static_cast<double>(side * longer / shorter);
  return source.height <= source.width ? checked(side, other, source)
                                       : checked(other, side, source);
}

// The longer side becomes `side`, the other one is cut down to an integer, in double precision by
// the ratio as SmolVLM's processor does it; at least 1.
FrameSize longSize(const SizeStepRule& rule, FrameSize source) {
  const double ratio = static_cast<double>(source.width) / source.height;
  const bool wide = source.width >= source.height;
  auto other = static_cast<int32_t>(wide ? rule.side / ratio : rule.side * ratio);
  if (rule.even) other += other % 2;
  other = std::max(other, 1);
  return wide ? checked(other, rule.side, source) : checked(rule.side, other, source);
}

// Note [Area rules]
// The "smart resize" of the Qwen family: sides are multiples of F, their product lies in [least,
// most]. What is compared with the bounds is the product of the rounded sides (times the frames,
// rounded to whole steps, where the bounds are of the video), or the picture's own area
// ('original').
FrameSize areaSize(const SizeStepRule& rule, FrameSize source, int64_t frames) {
  const double f = rule.multipleOf, pair = rule.framesPerStep;
  const auto count = static_cast<double>(frames);
  double h = source.height, w = source.width;
  if (std::max(h, w) > kMostAspect * std::min(h, w)) {
    noSize("a picture whose sides differ 200 times at most", source);
  }
  double most = rule.most;
  if (rule.maxOverFrames) most = std::floor(most / count);
  if (rule.capTokens > 0) {
    const double budget = std::trunc(rule.capTokens * f * f * rule.capShare);
    const double least = std::trunc(1.05 * rule.least);
    most = rule.ofVideo ? std::max(std::min(budget, std::floor(most / count)), least) * count
                        : std::max(std::min(most, std::floor(budget * pair / count)), least);
  }
  double times = 1, trueTimes = 1;
  if (rule.ofVideo) {
    if (count < pair) {
      const std::string least = std::to_string(rule.framesPerStep);
      throw Error(ErrorCode::InvalidArgument, Stage::Options,
                  "Expected at least " + least +
                      " sampled frames, as many as a temporal patch takes (size with of 'video'), "
                      "but received " +
                      std::to_string(frames) + "; sample { count: " + least +
                      " } repeats those of a shorter video");
    }
    if (std::min(h, w) < f) {
      const double scale = std::max(f / h, f / w);
      h = std::trunc(h * scale);
      w = std::trunc(w * scale);
    }
    times = roundEven(count / pair) * pair;
    trueTimes = count;
  }
  const bool factorFirst = rule.branch == AreaBranch::FactorFirst;
  const bool original = rule.branch == AreaBranch::Original;
  const auto rounded = [&](double side) {
    const double v = roundEven(side / f) * f;
    return factorFirst || original ? std::max(f, v) : v;
  };
  const double compared = original ? trueTimes * h * w : times * rounded(h) * rounded(w);
  if (compared > most) {
    const double beta = std::sqrt(trueTimes * h * w / most);
    const auto smaller = [&](double side) {
      const double v = std::floor(side / beta / f) * f;
      return factorFirst ? v : std::max(f, v);
    };
    return checked(smaller(h), smaller(w), source);
  }
  if (compared < rule.least) {
    const double beta = std::sqrt(rule.least / (trueTimes * h * w));
    const auto larger = [&](double side) { return std::ceil(side * beta / f) * f; };
    return checked(larger(h), larger(w), source);
  }
  return checked(rounded(h), rounded(w), source);
}

// The largest scale with which the patches of both sides are few enough (SigLIP 2).
FrameSize patchesSize(const SizeStepRule& rule, FrameSize source) {
  constexpr double kNear = 1e-5;
  const double p = rule.patchSize;
  const auto side = [&](double scale, double length) {
    return std::max(p, std::ceil(length * scale / p) * p);
  };
  double low = kNear / 10, high = 100;
  while (high - low >= kNear) {
    const double middle = (low + high) / 2;
    const bool fits = side(middle, source.height) / p * (side(middle, source.width) / p) <=
                      static_cast<double>(rule.patches);
    (fits ? low : high) = middle;
  }
  return checked(side(low, source.height), side(low, source.width), source);
}

// Half of what is over, cut down; of what is missing, too (negative).
int32_t centred(int32_t length, int32_t wanted) {
  return length >= wanted ? (length - wanted) / 2 : -((wanted - length) / 2);
}

// The wanted part of an axis and where it stands.
struct Placed {
  ResampleAxis axis;
  int32_t at;
};
Placed place(int32_t length, int32_t size, int32_t wanted, int32_t begin) {
  ResampleAxis axis = ResampleAxis::whole(length, size);
  axis.begin = std::max(0, begin);
  axis.count = std::min(size, begin + wanted) - axis.begin;
  return {axis, std::max(0, -begin)};
}

PictureStep makeStep(FrameSize source, FrameSize resized, FrameSize result, int32_t top,
                     int32_t left) {
  const Placed y = place(source.height, resized.height, result.height, top);
  const Placed x = place(source.width, resized.width, result.width, left);
  return {y.axis, x.axis, y.at, x.at, result};
}

int32_t drawn(double u, int32_t from, int32_t count) {
  return from + std::min(count - 1, static_cast<int32_t>(u * count));
}

// torchvision's RandomResizedCrop: ten attempts, then the largest part in the middle whose ratio is
// allowed.
ChosenPart choosePart(const Augment& a, FrameSize source) {
  const double h = source.height, w = source.width;
  for (size_t i = 0; i + 4 <= a.draws.size(); i += 4) {
    const double* u = a.draws.data() + i;
    const double area = h * w * (a.scale[0] + u[0] * (a.scale[1] - a.scale[0]));
    const double low = std::log(a.ratio[0]), high = std::log(a.ratio[1]);
    const double ratio = std::exp(low + u[1] * (high - low));
    const double width = roundEven(std::sqrt(area * ratio));
    const double height = roundEven(std::sqrt(area / ratio));
    if (!(width > 0 && width <= w && height > 0 && height <= h)) continue;
    const auto ch = static_cast<int32_t>(height), cw = static_cast<int32_t>(width);
    return {drawn(u[2], 0, source.height - ch + 1), drawn(u[3], 0, source.width - cw + 1), ch, cw};
  }
  const double ratio = w / h;
  double height = h, width = w;
  if (ratio < a.ratio[0]) height = std::min(h, roundEven(w / a.ratio[0]));
  if (ratio > a.ratio[1]) width = std::min(w, roundEven(h * a.ratio[1]));
  const auto ch = std::max(1, static_cast<int32_t>(height));
  const auto cw = std::max(1, static_cast<int32_t>(width));
  return {(source.height - ch) / 2, (source.width - cw) / 2, ch, cw};
}

PictureStep stepOf(const SizeStepRule& rule, const Augment& augment, FrameSize source,
                   int64_t frames) {
  const FrameSize resized = resizedBy(rule, source, frames);
  if (rule.kind == SizeKind::Long && rule.pad) {
    const FrameSize square{rule.side, rule.side};
    return makeStep(
        source, resized,
        {std::max(square.height, resized.height), std::max(square.width, resized.width)},
        centred(resized.height, std::max(square.height, resized.height)),
        centred(resized.width, std::max(square.width, resized.width)));
  }
  if (rule.kind != SizeKind::Short || rule.cropHeight == 0) {
    return makeStep(source, resized, resized, 0, 0);
  }
  const FrameSize crop{rule.cropHeight, rule.cropWidth};
  int32_t top = centred(resized.height, crop.height), left = centred(resized.width, crop.width);
  if (augment.randomCrop) {
    if (resized.height > crop.height) {
      top = drawn(augment.draws[2], 0, resized.height - crop.height + 1);
    }
    if (resized.width > crop.width) {
      left = drawn(augment.draws[3], 0, resized.width - crop.width + 1);
    }
  }
  return makeStep(source, resized, crop, top, left);
}

}  // namespace

FrameSize resizedBy(const SizeStepRule& rule, FrameSize source, int64_t frames) {
  switch (rule.kind) {
    case SizeKind::Exact:
      return checked(rule.height, rule.width, source);
    case SizeKind::Short:
      return shortSize(rule.side, source);
    case SizeKind::Long:
      return longSize(rule, source);
    case SizeKind::Area:
      return areaSize(rule, source, frames);
    case SizeKind::Patches:
      return patchesSize(rule, source);
  }
  return source;
}

PictureSteps makePictureSteps(std::span<const SizeStepRule> rules, const Augment& augment,
                              FrameSize source, int64_t frames) {
  PictureSteps out;
  out.source = source;
  out.part = {0, 0, source.height, source.width};
  if (augment.resizedCrop) out.part = choosePart(augment, source);
  FrameSize size{out.part.height, out.part.width};
  for (const SizeStepRule& rule : rules) {
    out.steps.push_back(stepOf(rule, augment, size, frames));
    size = out.steps.back().result;
  }
  if (out.steps.empty()) out.steps.push_back(makeStep(size, size, size, 0, 0));
  PictureStep& first = out.steps.front();
  first.y.length = source.height;
  first.y.sourceBegin = out.part.top;
  first.x.length = source.width;
  first.x.sourceBegin = out.part.left;
  out.flipped = augment.flip;
  if (out.flipped) {
    PictureStep& last = out.steps.back();
    last.x.reversed = true;
    last.left = last.result.width - last.left - last.x.count;
  }
  return out;
}

bool PictureSteps::onlyResizes() const {
  const auto whole = [](const ResampleAxis& a) {
    return a.sourceCount == a.length && a.count == a.size && !a.reversed;
  };
  const PictureStep& step = steps.front();
  return steps.size() == 1 && whole(step.y) && whole(step.x) && step.fillsResult();
}

namespace {

// Where the patches of the result's axis lie in the source: the steps' maps, one after the other,
// from the result back, as (n y + o) / d in integers.
PatchAxis patchAxis(const PictureSteps& steps, bool vertical, int32_t patchSize) {
  const FrameSize result = steps.result();
  const int32_t length = vertical ? result.height : result.width;
  int64_t n = 1, o = 0, d = 1, begin = 0, end = length;
  for (auto step = steps.steps.rbegin(); step != steps.steps.rend(); ++step) {
    const ResampleAxis& axis = vertical ? step->y : step->x;
    int64_t at = vertical ? step->top : step->left;
    if (axis.reversed) at = step->result.width - at - axis.count;  // as it was before the mirror
    begin = std::max(begin, at * d);
    end = std::min(end, (at + axis.count) * d);
    const int64_t move = (axis.begin - at) * d;
    const int64_t origin = int64_t{axis.sourceBegin} * d * axis.size;
    n *= axis.sourceCount;
    o = (o + move) * axis.sourceCount + origin;
    begin = (begin + move) * axis.sourceCount + origin;
    end = (end + move) * axis.sourceCount + origin;
    d *= axis.size;
    int64_t common = std::gcd(n, d);
    for (const int64_t v : {o, begin, end}) common = std::gcd(common, v);
    for (int64_t* v : {&n, &o, &d, &begin, &end}) *v /= common;
  }
  return {n * patchSize, d, o, begin, end, length / patchSize, vertical ? false : steps.flipped};
}

}  // namespace

PatchGrid makePatchGrid(const PictureSteps& steps, int32_t patchSize, bool blocks) {
  const FrameSize result = steps.result();
  const int32_t unit = blocks ? 2 * patchSize : patchSize;
  if (result.height % unit != 0 || result.width % unit != 0) {
    throw Error(ErrorCode::InvalidArgument, Stage::Options,
                "Expected sides that are multiples of " + std::to_string(unit) +
                    (blocks ? " (twice patchSize)" : " (patchSize)") + " for size but received " +
                    text(result) + ", made of a " + text(steps.source) + " picture");
  }
  PatchGrid grid;
  grid.frameHeight = steps.source.height;
  grid.frameWidth = steps.source.width;
  grid.targetHeight = result.height;
  grid.targetWidth = result.width;
  grid.patchSize = patchSize;
  grid.rows = result.height / patchSize;
  grid.cols = result.width / patchSize;
  if (steps.onlyResizes()) {
    grid.y = PatchAxis::whole(grid.frameHeight, grid.rows);
    grid.x = PatchAxis::whole(grid.frameWidth, grid.cols);
  } else {
    grid.y = patchAxis(steps, true, patchSize);
    grid.x = patchAxis(steps, false, patchSize);
  }
  return grid;
}

ShownPart shownPart(const PictureSteps& steps) {
  const auto shown = [&](bool vertical) {
    const PatchAxis axis = patchAxis(steps, vertical, 1);
    const auto unit = static_cast<double>(axis.unit);
    return std::pair(static_cast<double>(axis.begin) / unit,
                     static_cast<double>(std::max(axis.begin, axis.end) - axis.begin) / unit);
  };
  const auto [top, height] = shown(true);
  const auto [left, width] = shown(false);
  return {top, left, height, width};
}

PictureSteps stepsFor(const PictureSteps& steps, FrameSize picture) {
  if (picture == steps.source) return steps;
  PictureSteps out = steps;
  const auto moved = [](ResampleAxis& axis, int32_t from, int32_t to) {
    const auto at = [&](int32_t p) { return static_cast<int32_t>(int64_t{p} * to / from); };
    const int32_t end = at(axis.sourceBegin + axis.sourceCount);
    axis.sourceBegin = std::min(at(axis.sourceBegin), to - 1);
    axis.sourceCount = std::max(1, end - axis.sourceBegin);
    axis.length = to;
  };
  moved(out.steps.front().y, steps.source.height, picture.height);
  moved(out.steps.front().x, steps.source.width, picture.width);
  out.source = picture;
  return out;
}

}  // namespace cps
