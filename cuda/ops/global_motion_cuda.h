#pragma once

#include "cuda/ops/block_program.h"
#include "cuda/ops/radix_select.h"
#include "ops/energy/cell_maps_math.h"

namespace cps {

// Kernels::subtractGlobalMotion (Note [Global motion]), in two parts. First the level of each block
// that has a displacement, and 1 more; 0 for the others.
struct BlockLevels {
  using Shared = NoShared;
  static constexpr int kThreads = 256;

  CellMaps maps;
  uint32_t* levels;  // [maps.cells.blocks()]

  int64_t blocks() const { return ceilDiv64(maps.cells.blocks(), kThreads); }

  template <class Block>
  CPS_DEVICE void run(Block& block, Shared&) const {
    block.forEach([&](int thread) {
      const int64_t b = block.index() * kThreads + thread;
      if (b >= static_cast<int64_t>(maps.cells.blockRows) * maps.cells.blockCols) return;
      levels[b] = isNoMove(maps.moves[b]) ? 0 : static_cast<uint32_t>(residualLevel(maps, b)) + 1;
    });
  }
};

// Second, one thread block: the median level, the medians of the votes, and the difference. What is
// no candidate for a median has key 0, below all others.
struct SubtractGlobalMotion {
  static constexpr int kThreads = 256;
  struct Shared {
    RadixState radix;
    int32_t count;
    uint32_t most;
    int32_t dy, dx;
  };

  const uint32_t* levels;
  int64_t count;
  Move* moves;

  int64_t blocks() const { return 1; }

  template <class Block>
  CPS_DEVICE void run(Block& block, Shared& shared) const {
    const uint32_t* all = levels;
    const Move* from = moves;
    const int64_t n = count;
    const auto level = [all](int64_t b) { return static_cast<uint64_t>(all[b]); };
    if (!median(block, shared, 32, level)) return;
    block.forEach([&](int thread) {
      if (thread == 0) shared.most = static_cast<uint32_t>(shared.radix.prefix);
    });
    const uint32_t most = shared.most;
    const auto votes = [all, most](int64_t b) { return all[b] != 0 && all[b] <= most; };
    // Displacements from below, without a sign.
    const auto y = [&](int64_t b) {
      return votes(b) ? static_cast<uint64_t>(from[b].dy + 32769) : 0;
    };
    const auto x = [&](int64_t b) {
      return votes(b) ? static_cast<uint64_t>(from[b].dx + 32769) : 0;
    };
    median(block, shared, 24, y);
    block.forEach([&](int thread) {
      if (thread == 0) shared.dy = static_cast<int32_t>(shared.radix.prefix) - 32769;
    });
    median(block, shared, 24, x);
    block.forEach([&](int thread) {
      if (thread == 0) shared.dx = static_cast<int32_t>(shared.radix.prefix) - 32769;
    });
    block.forEach([&](int thread) {
      for (int64_t b = thread; b < n; b += kThreads) {
        if (all[b] == 0) continue;
        moves[b] = {static_cast<int16_t>(moves[b].dy - shared.dy),
                    static_cast<int16_t>(moves[b].dx - shared.dx)};
      }
    });
  }

  // The one of rank floor((n - 1) / 2) in ascending order, into radix.prefix; false: there is none.
  template <class Block, class KeyAt>
  CPS_DEVICE bool median(Block& block, Shared& shared, int bits, const KeyAt& keyAt) const {
    block.forEach([&](int thread) {
      if (thread == 0) shared.count = 0;
    });
    block.forEach([&](int thread) {
      int32_t own = 0;
      for (int64_t b = thread; b < count; b += kThreads) own += keyAt(b) != 0 ? 1 : 0;
      Block::add(&shared.count, own);
    });
    const int64_t candidates = shared.count;
    if (candidates == 0) return false;
    radixSelect<kThreads>(block, shared.radix, count, candidates - (candidates - 1) / 2, bits,
                          keyAt);
    return true;
  }
};

void launch(const BlockLevels& program, CudaStream stream);
void launch(const SubtractGlobalMotion& program, CudaStream stream);

}  // namespace cps
