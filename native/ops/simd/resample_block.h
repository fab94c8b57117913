#pragma once

#include "ops/pixels/resample_math.h"
#include "ops/simd/table.h"

// Note [Rows in lanes]
// The pass along the width does the same to every row, so kResampleRows rows lie side by side in
// the lanes of vectors: weights are broadcast and nothing is summed across lanes. Rows come as
// planes. Four neighbouring samples of a channel are a quad; Block::fill turns quads of the rows
// into lanes, just before the first output that needs them, and a window of them is kept, small
// enough for the first cache. What a quad looks like in there is each variant's own business.
//
// An output takes as many quads as any does, from first / 4 on; weights it does not have are 0. Two
// tables of them are derived from the int16 weights, two 32-bit values a quad:
//   quadWords: pairs (w0, w2) and (w1, w3), for multiply-adds of 16-bit values;
//   quadBytes: four signed bytes each, high and low, w = 256 * high + low, for those of bytes;
//   there are none where a weight is so great (32640 and more) that high would be 128.
namespace cps {
namespace {

// Four outputs at a time, in ascending order of what they need.
template <class Block>
inline void resampleBlockWide(const ResampleBlock& b) {
  constexpr int64_t kQuad = Block::kQuadBytes;
  static_assert(kQuad <= kResampleQuadBytes && kQuad % 64 == 0);
  const Block block(b);
  const int32_t groups = (b.count + 3) / 4, end = (b.width + 3) / 4;
  const bool backwards = b.first[b.count - 1] < b.first[0];
  int32_t from = 0, to = 0;  // quads in the window
  for (int32_t g = 0; g < groups; g++) {
    const int32_t i = 4 * (backwards ? groups - 1 - g : g), n = minInt(4, b.count - i);
    const int32_t one = b.first[i] >> 2, other = b.first[i + n - 1] >> 2;
    const int32_t low = minInt(one, other), high = minInt(maxInt(one, other) + b.quads, end);
    if (low < from || low > to) from = to = low / kResampleFill * kResampleFill;
    for (; to < high; to += kResampleFill) {
      if (to + kResampleFill - from > b.window) {
        __builtin_memmove(b.scratch, b.scratch + (low - from) * kQuad,
                          static_cast<uint64_t>((to - low) * kQuad));
        from = low;
      }
      block.fill(to, b.scratch + (to - from) * kQuad);
    }
    block.four(i, n, b.scratch - from * kQuad, backwards);
  }
}

// Sample by sample: [sample][channel][row] of bytes in the window, in loops over rows that a
// compiler turns into vectors.
class BlockPlain {
 public:
  static constexpr int32_t kQuadBytes = 4 * 3 * kResampleRows;

  explicit BlockPlain(const ResampleBlock& b) : b_(b) {}

  void fill(int32_t quad, uint8_t* to) const {
    constexpr int32_t kSide = kResampleRows;
    for (int32_t c = 0; c < 3; c++) {
      const uint8_t* in = b_.in + c * b_.inStride + quad * 4;
      for (int32_t x = 0; x < 4 * kResampleFill; x += kSide) {
        // Two halves dealt into each other turn the bits of an index by one; half of the bits are
        // a row's, so doing it four times exchanges rows and columns.
        uint8_t a[kSide * kSide], dealt[kSide * kSide];
        for (int32_t y = 0; y < kSide; y++) {
          __builtin_memcpy(a + kSide * y, in + 3 * y * b_.inStride + x, kSide);
        }
        for (int32_t turn = 0; turn < 2; turn++) {
          deal(a, dealt);
          deal(dealt, a);
        }
        for (int32_t k = 0; k < kSide; k++) {
          __builtin_memcpy(to + ((x + k) * 3 + c) * kSide, a + kSide * k, kSide);
        }
      }
    }
  }

  void four(int32_t i, int32_t n, const uint8_t* quads, bool) const {
    for (int32_t k = i; k < i + n; k++) {
      const int16_t* weights = b_.weights + int64_t{k} * b_.stride;
      for (int32_t c = 0; c < 3; c++) {
        const uint8_t* in = quads + (int64_t{b_.first[k]} * 3 + c) * kResampleRows;
        int32_t sum[kResampleRows] = {};
        for (int32_t j = 0; j < b_.used[k]; j++, in += 3 * kResampleRows) {
          const int16_t w = weights[j];
          for (int32_t y = 0; y < kResampleRows; y++) {
            sum[y] += w * static_cast<int16_t>(in[y]);
          }
        }
        uint8_t* out = b_.out + 3 * int64_t{k} + c;
        for (int32_t y = 0; y < b_.rows; y++) out[y * b_.outStride] = resampled(sum[y], b_.bits);
      }
    }
  }

 private:
  static void deal(const uint8_t* in, uint8_t* out) {
    constexpr int32_t kHalf = kResampleRows * kResampleRows / 2;
    for (int32_t m = 0; m < kHalf; m++) {
      out[2 * m] = in[m];
      out[2 * m + 1] = in[m + kHalf];
    }
  }

  const ResampleBlock& b_;
};

}  // namespace
}  // namespace cps
