#pragma once

#include "cuda/ops/block_program.h"
#include "ops/hd.h"

namespace cps {

// Note [Radix select]
// The k-th largest of n keys, exactly, by one thread block: eight bits of the answer a pass, from
// the top. A pass counts the next digit of the keys that agree with the answer so far, and the
// digit in which the k-th largest falls is kept. No key moves and nothing is sorted.
constexpr int kRadixDigits = 256;

struct RadixState {
  int32_t counts[kRadixDigits];
  uint64_t prefix;
  int64_t remaining;  // 1-based rank among the keys that agree with prefix
};

// keyAt(i) for i in [0, n); `bits` (a multiple of 8) of a key are used. 0 < k <= n. The answer is
// in state.prefix for all threads when it returns.
template <int kThreads, class Block, class KeyAt>
CPS_DEVICE void radixSelect(Block& block, RadixState& state, int64_t n, int64_t k, int bits,
                            const KeyAt& keyAt) {
  block.forEach([&](int thread) {
    if (thread != 0) return;
    state.prefix = 0;
    state.remaining = k;
  });
  for (int shift = bits - 8; shift >= 0; shift -= 8) {
    block.forEach([&](int thread) {
      for (int i = thread; i < kRadixDigits; i += kThreads) state.counts[i] = 0;
    });
    block.forEach([&](int thread) {
      // The digits above this one; nothing in the first pass (a shift by all 64 bits is undefined).
      const uint64_t mask = shift + 8 >= 64 ? 0 : ~uint64_t{0} << (shift + 8);
      for (int64_t i = thread; i < n; i += kThreads) {
        const uint64_t key = keyAt(i);
        if ((key & mask) != (state.prefix & mask)) continue;
        Block::add(&state.counts[(key >> shift) & (kRadixDigits - 1)], 1);
      }
    });
    block.forEach([&](int thread) {
      if (thread != 0) return;
      int digit = kRadixDigits - 1;
      while (digit > 0 && state.remaining > state.counts[digit]) {
        state.remaining -= state.counts[digit];
        digit--;
      }
      state.prefix |= static_cast<uint64_t>(digit) << shift;
    });
  }
}

}  // namespace cps
