#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/option_values.h"

namespace cps {

// When each candidate is shown, ascending.
using Seconds = std::function<double(int64_t)>;
// Times that are written in decimals or come from another clock differ in their last digits.
inline constexpr double kTimeTolerance = 1e-6;

// Note [Exact places]
// Where n frames lie among N candidates: positions 0..N-1, ascending, repeats where n > N. N > 0,
// n > 0. In the arithmetic that each rule has where it comes from, so that a model gets the very
// frames it was trained with: integers where those are exact, else float64 in the order written
// here, which is numpy's. (For 3 % of all N 'linspace' and 'ends' differ in some position.)

// floor(i * (N - 1) / (n - 1)); n = 1: 0. N up to 2^62.
std::vector<int64_t> placeEnds(int64_t candidates, int64_t count);
// trunc(i * s), s = (N - 1) / (n - 1) in float64, the last one N - 1; n = 1: 0.
std::vector<int64_t> placeLinspace(int64_t candidates, int64_t count);
// The same rounded, halves to even.
std::vector<int64_t> placeEndsRound(int64_t candidates, int64_t count);
// floor(i * N / n)
std::vector<int64_t> placeStarts(int64_t candidates, int64_t count);
// floor((2 * i + 1) * N / (2 * n))
std::vector<int64_t> placeMiddles(int64_t candidates, int64_t count);
// Each max(1, round(rate / fps))-th from 0 on, halves to even; of more than `most` 'ends' over
// those.
std::vector<int64_t> placeEvery(int64_t candidates, double rate, double fps, int64_t most);
// The candidate on screen at t = t0 + i * (t1 - t0) / (n - 1), t0 and t1 the first and the last
// one's time; n = 1: the first.
std::vector<int64_t> placeTimes(int64_t candidates, const Seconds& seconds, int64_t count);

// By name. 'every' needs a count by fps, which placeEvery has: it throws here.
std::vector<int64_t> place(SamplePlace how, int64_t candidates, int64_t count,
                           const Seconds& seconds);

// The last of `candidates` whose time is at most t + 1 us; 0 where none is.
int64_t onScreen(int64_t candidates, const Seconds& seconds, double t);
// The first whose time + 1 us is at least t; N where none is.
int64_t firstFrom(int64_t candidates, const Seconds& seconds, double t);

// Halves to even. Finite values below 2^62.
int64_t roundHalfEven(double value);

}  // namespace cps
