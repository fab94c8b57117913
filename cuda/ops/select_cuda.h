#pragma once

#include "cuda/ops/radix_select.h"
#include "ops/geometry.h"
#include "ops/select_math.h"

namespace cps {

// Kernels::block2x2Scores: one thread a block of patches.
struct UnitScores {
  using Shared = NoShared;
  static constexpr int kThreads = 256;

  const float* scores;
  PatchGrid grid;
  int32_t frames;
  float* units;

  int64_t blocks() const {
    return ceilDiv64(static_cast<int64_t>(frames) * (grid.rows / 2) * (grid.cols / 2), kThreads);
  }

  template <class Block>
  CPS_DEVICE void run(Block& block, Shared&) const {
    block.forEach([&](int thread) {
      const int32_t cols = grid.cols / 2, perFrame = grid.rows / 2 * cols;
      const int64_t i = block.index() * kThreads + thread;
      if (i >= static_cast<int64_t>(frames) * perFrame) return;
      const int64_t frame = i / perFrame;
      const int32_t unit = static_cast<int32_t>(i % perFrame);
      units[i] = block2x2Score(scores + frame * grid.rows * grid.cols, grid.cols, unit / cols,
                               unit % cols);
    });
  }
};

// Kernels::topK, by one thread block: the k-th largest key is the threshold (keys are distinct),
// then every thread takes a contiguous run of units, so that indices come out ascending.
struct TopK {
  static constexpr int kThreads = 1024;

  struct Shared {
    RadixState select;
    int32_t found[kThreads];
    int32_t offset[kThreads];
  };

  const float* unitScores;
  const uint8_t* frameIsI;  // [frames], device
  const float* frameBoost;  // [frames], device
  int32_t unitsPerFrame;
  int64_t units;  // frames * unitsPerFrame
  int64_t k;
  int32_t* indices;  // [k], device

  int64_t blocks() const { return 1; }

  CPS_DEVICE uint64_t key(int64_t i) const {
    const int64_t frame = i / unitsPerFrame;
    return unitKey(frameIsI[frame] != 0, unitScores[i] + frameBoost[frame],
                   static_cast<int32_t>(i));
  }

  template <class Block>
  CPS_DEVICE void run(Block& block, Shared& shared) const {
    radixSelect<kThreads>(block, shared.select, units, k, 64, [&](int64_t i) { return key(i); });
    const int64_t run = (units + kThreads - 1) / kThreads;
    block.forEach([&](int thread) {
      int32_t found = 0;
      const int64_t end = minInt64((thread + 1) * run, units);
      for (int64_t i = thread * run; i < end; i++) found += key(i) >= shared.select.prefix ? 1 : 0;
      shared.found[thread] = found;
    });
    block.forEach([&](int thread) {
      if (thread != 0) return;
      int32_t sum = 0;
      for (int i = 0; i < kThreads; i++) {
        shared.offset[i] = sum;
        sum += shared.found[i];
      }
    });
    block.forEach([&](int thread) {
      int32_t* out = indices + shared.offset[thread];
      const int64_t end = minInt64((thread + 1) * run, units);
      for (int64_t i = thread * run; i < end; i++) {
        if (key(i) >= shared.select.prefix) *out++ = static_cast<int32_t>(i);
      }
    });
  }
};

void launch(const UnitScores& program, CudaStream stream);
void launch(const TopK& program, CudaStream stream);

}  // namespace cps
