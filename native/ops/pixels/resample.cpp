#include "ops/pixels/resample.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "ops/pixels/resample_math.h"

namespace cps {
namespace {

double radiusOf(ResampleKernel kernel) {
  switch (kernel) {
    case ResampleKernel::Area:
      return 0.5;
    case ResampleKernel::Bilinear:
      return 1;
    case ResampleKernel::Bicubic:
      return 2;
    case ResampleKernel::Lanczos:
      return 3;
  }
  return 1;
}

double sinc(double x) {
  if (x == 0) return 1;
  const double t = x * std::numbers::pi;
  return std::sin(t) / t;
}

double valueOf(ResampleKernel kernel, double x) {
  const double a = std::abs(x);
  constexpr double kKeys = -0.5;
  switch (kernel) {
    case ResampleKernel::Area:
      return x > -0.5 && x <= 0.5 ? 1 : 0;
    case ResampleKernel::Bilinear:
      return a < 1 ? 1 - a : 0;
    case ResampleKernel::Bicubic:
      if (a < 1) return ((kKeys + 2) * a - (kKeys + 3)) * a * a + 1;
      return a < 2 ? ((kKeys * a - 5 * kKeys) * a + 8 * kKeys) * a - 4 * kKeys : 0;
    case ResampleKernel::Lanczos:
      return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
  }
  return 0;
}

// The taps of one output sample, in double.
struct Line {
  int32_t first = 0;
  std::vector<double> weights;
};

void makeLine(int32_t i, int32_t from, int32_t to, ResampleKernel kernel, Line& line) {
  const double scale = static_cast<double>(from) / to;
  const double stretch = std::max(scale, 1.0);
  const double support = radiusOf(kernel) * stretch;
  const double inverse = 1.0 / stretch;
  const double centre = scale * (i + 0.5);
  line.first = std::max(0, static_cast<int32_t>(centre - support + 0.5));
  const int32_t end = std::min(from, static_cast<int32_t>(centre + support + 0.5));
  line.weights.resize(static_cast<size_t>(std::max(0, end - line.first)));
  double sum = 0;
  for (size_t j = 0; j < line.weights.size(); ++j) {
    const double x = (static_cast<double>(j) + line.first - centre + 0.5) * inverse;
    line.weights[j] = valueOf(kernel, x);
    sum += line.weights[j];
  }
  for (double& w : line.weights) w /= sum;
}

int32_t bitsFor(double greatest) {
  int32_t bits = 0;
  while (bits < kMostResampleBits && std::floor(0.5 + std::ldexp(greatest, bits + 1)) < 1 << 15) {
    ++bits;
  }
  return bits;
}

int16_t fixedPoint(double weight, int32_t bits) {
  const double scaled = std::ldexp(weight, bits);
  return static_cast<int16_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
}

// Where position `p` of the displayed axis is stored.
int32_t stored(const ResampleAxis& axis, int32_t p, bool mirrored) {
  return mirrored ? axis.length - 1 - p : p;
}

}  // namespace

ResampleTaps makeResampleTaps(const ResampleAxis& axis, ResampleKernel kernel, bool mirrored) {
  ResampleTaps taps;
  taps.count = axis.count;
  taps.copies = axis.sourceCount == axis.size;
  const auto wanted = [&](int32_t i) {
    return axis.begin + (axis.reversed ? axis.count - 1 - i : i);
  };
  std::vector<Line> lines(static_cast<size_t>(axis.count));
  if (taps.copies) {
    for (int32_t i = 0; i < axis.count; ++i) lines[static_cast<size_t>(i)] = {wanted(i), {1.0}};
    taps.bits = 14;
  } else {
    // The precision is that of the whole axis, whatever part of it is wanted.
    double greatest = 0;
    Line line;
    for (int32_t i = 0; i < axis.size; ++i) {
      makeLine(i, axis.sourceCount, axis.size, kernel, line);
      for (const double w : line.weights) greatest = std::max(greatest, w);
    }
    taps.bits = bitsFor(greatest);
    for (int32_t i = 0; i < axis.count; ++i) {
      makeLine(wanted(i), axis.sourceCount, axis.size, kernel, lines[static_cast<size_t>(i)]);
    }
  }
  size_t most = 1;
  for (const Line& line : lines) most = std::max(most, line.weights.size());
  taps.stride = (static_cast<int32_t>(most) + kResampleGroup - 1) / kResampleGroup * kResampleGroup;
  taps.weights.assign(static_cast<size_t>(axis.count) * static_cast<size_t>(taps.stride), 0);
  taps.sourceBegin = axis.length;
  for (size_t i = 0; i < lines.size(); ++i) {
    Line& line = lines[i];
    const auto used = static_cast<int32_t>(line.weights.size());
    const int32_t begin = axis.sourceBegin + line.first;
    const int32_t first = mirrored ? stored(axis, begin + used - 1, true) : begin;
    if (mirrored) std::reverse(line.weights.begin(), line.weights.end());
    int16_t* weights = taps.weights.data() + i * static_cast<size_t>(taps.stride);
    for (size_t j = 0; j < line.weights.size(); ++j) {
      weights[j] = fixedPoint(line.weights[j], taps.bits);
    }
    taps.first.push_back(first);
    taps.used.push_back(used);
    taps.sourceBegin = std::min(taps.sourceBegin, first);
    taps.sourceEnd = std::max(taps.sourceEnd, first + used);
  }
  return taps;
}

ResampleQuads makeResampleQuads(const ResampleTaps& taps) {
  ResampleQuads quads;
  for (size_t i = 0; i < taps.first.size(); ++i) {
    quads.perSample = std::max(quads.perSample, ((taps.first[i] & 3) + taps.used[i] + 3) / 4);
  }
  for (size_t i = 0; i < taps.first.size(); i += 4) {
    const size_t last = std::min(i + 3, taps.first.size() - 1);
    const int32_t apart = std::abs((taps.first[last] >> 2) - (taps.first[i] >> 2));
    quads.span = std::max(quads.span, apart + quads.perSample);
  }
  const auto packed = [](int32_t a, int32_t b, int32_t bits) {
    const uint32_t mask = (1u << bits) - 1;
    return (static_cast<uint32_t>(a) & mask) | (static_cast<uint32_t>(b) & mask) << bits;
  };
  const auto per = static_cast<size_t>(quads.perSample);
  bool fits = true;
  std::vector<int32_t> line(4 * per);
  for (size_t i = 0; i < taps.first.size(); ++i) {
    std::ranges::fill(line, 0);
    const int16_t* weights = taps.weights.data() + i * static_cast<size_t>(taps.stride);
    std::copy_n(weights, taps.used[i], line.begin() + (taps.first[i] & 3));
    for (size_t q = 0; q < line.size(); q += 4) {
      const int32_t* w = line.data() + q;
      int32_t high[4], low[4];
      for (int k = 0; k < 4; ++k) {
        high[k] = (w[k] + 128) >> 8;
        low[k] = w[k] - 256 * high[k];
        fits = fits && high[k] < 128;
      }
      const auto four = [&](const int32_t* v) {
        const uint32_t pairs[] = {packed(v[0], v[1], 8), packed(v[2], v[3], 8)};
        return static_cast<int32_t>(pairs[0] | pairs[1] << 16);
      };
      quads.words.push_back(static_cast<int32_t>(packed(w[0], w[2], 16)));
      quads.words.push_back(static_cast<int32_t>(packed(w[1], w[3], 16)));
      quads.bytes.push_back(four(high));
      quads.bytes.push_back(four(low));
    }
  }
  if (!fits) quads.bytes.clear();
  return quads;
}

ResamplePlan makeResamplePlan(const FrameView& frame, const ResampleAxis& x, const ResampleAxis& y,
                              ResampleKernel kernel) {
  const Orientation& o = frame.orientation;
  // flipX and flipY are of the stored axes; a swapped picture shows its rows along the width.
  ResamplePlan plan;
  plan.orientation = o;
  plan.x = makeResampleTaps(x, kernel, o.swapXY ? o.flipY : o.flipX);
  plan.y = makeResampleTaps(y, kernel, o.swapXY ? o.flipX : o.flipY);
  if (!o.swapXY && !plan.x.copiesRun()) plan.x.quads = makeResampleQuads(plan.x);
  return plan;
}

}  // namespace cps
