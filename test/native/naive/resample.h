#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include "naive/picture.h"

// Note [Antialiased resize] once more, from its text: whole pictures, one axis after the other, no
// fixed tables. Parts, mirrors and turns are done to the whole result.
namespace naive {

struct ResampleKernel {
  double radius;
  std::function<double(double)> value;
};

inline ResampleKernel triangle() {
  return {1, [](double x) { return std::max(0.0, 1 - std::abs(x)); }};
}
inline ResampleKernel keys() {
  return {2, [](double x) {
            x = std::abs(x);
            if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
            return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0.0;
          }};
}
inline ResampleKernel lanczos3() {
  return {3, [](double x) {
            const auto sinc = [](double v) { return v == 0 ? 1 : std::sin(M_PI * v) / (M_PI * v); };
            return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0.0;
          }};
}
inline ResampleKernel box() {
  return {0.5, [](double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }};
}

struct Channels {
  int c[3];
};

// Along the rows of a picture. `bits` of the weights: 0 takes as many as fit int16.
inline Map<Channels> resampledAcross(const Map<Channels>& in, int size, const ResampleKernel& k,
                                     int bits = 0) {
  if (in.width == size) return in;
  const double ratio = static_cast<double>(in.width) / size, stretch = std::max(ratio, 1.0);
  std::vector<int> first(static_cast<size_t>(size));
  std::vector<std::vector<double>> weights(static_cast<size_t>(size));
  double greatest = 0;
  for (int i = 0; i < size; i++) {
    const double centre = (i + 0.5) * ratio;
    const int lo = std::max(0, static_cast<int>(centre - k.radius * stretch + 0.5));
    const int hi = std::min(in.width, static_cast<int>(centre + k.radius * stretch + 0.5));
    std::vector<double>& w = weights[static_cast<size_t>(i)];
    double sum = 0;
    for (int j = lo; j < hi; j++) w.push_back(k.value((j - centre + 0.5) * (1 / stretch)));
    for (const double v : w) sum += v;
    for (double& v : w) greatest = std::max(greatest, v /= sum);
    first[static_cast<size_t>(i)] = lo;
  }
  if (bits == 0) {
    bits = 22;
    while (std::floor(greatest * std::pow(2, bits) + 0.5) >= 32768) bits--;
  }
  Map<Channels> out(in.height, size);
  for (int y = 0; y < in.height; y++) {
    for (int i = 0; i < size; i++) {
      for (int c = 0; c < 3; c++) {
        int64_t sum = 0;
        const std::vector<double>& w = weights[static_cast<size_t>(i)];
        for (size_t j = 0; j < w.size(); j++) {
          const double scaled = w[j] * std::pow(2, bits);
          const auto whole = static_cast<int64_t>(scaled + (scaled < 0 ? -0.5 : 0.5));
          sum += whole * in.at(y, first[static_cast<size_t>(i)] + static_cast<int>(j)).c[c];
        }
        const int64_t rounded = (sum + (int64_t{1} << (bits - 1))) >> bits;
        out.at(y, i).c[c] = static_cast<int>(std::clamp<int64_t>(rounded, 0, 255));
      }
    }
  }
  return out;
}

inline Map<Channels> resampled(const Map<Channels>& in, int height, int width,
                               const ResampleKernel& k) {
  return transposed(resampledAcross(transposed(resampledAcross(in, width, k)), height, k));
}

// As Pillow does it: weights of 22 bits, and from Pillow 13 on the height first where the width
// grows and the height shrinks.
inline Map<Channels> resampledAsPillow(const Map<Channels>& in, int height, int width,
                                       const ResampleKernel& k) {
  constexpr int kBits = 22;
  if (width > in.width && height < in.height) {
    return resampledAcross(transposed(resampledAcross(transposed(in), height, k, kBits)), width, k,
                           kBits);
  }
  return transposed(
      resampledAcross(transposed(resampledAcross(in, width, k, kBits)), height, k, kBits));
}

template <typename T>
Map<T> part(const Map<T>& in, int top, int left, int height, int width) {
  Map<T> out(height, width);
  for (int y = 0; y < height; y++) {
    for (int x = 0; x < width; x++) out.at(y, x) = in.at(top + y, left + x);
  }
  return out;
}

}  // namespace naive
