#pragma once

#include "core/dtype.h"
#include "cuda/ops/block_program.h"
#include "ops/geometry.h"
#include "ops/hd.h"
#include "ops/pixels/arrange.h"

namespace cps {

// Stores a value that is there as bits (Note [Value tables]).
CPS_DEVICE static inline void storeBits(void* out, int64_t at, uint32_t bits, int32_t bytes) {
  if (bytes == 1) {
    static_cast<uint8_t*>(out)[at] = static_cast<uint8_t>(bits);
  } else if (bytes == 2) {
    static_cast<uint16_t*>(out)[at] = static_cast<uint16_t>(bits);
  } else {
    static_cast<uint32_t*>(out)[at] = bits;
  }
}

// FrameKernels::lookUp: one thread a pixel.
struct LookUpPicture {
  using Shared = NoShared;
  static constexpr int kThreads = 256;

  const uint8_t* rgb;
  int64_t inStride;
  int32_t height, width;
  const uint32_t* table;  // [3, 256]
  int32_t bytes;          // of an element
  int64_t channel, row, column;
  void* out;

  int64_t pixels() const { return static_cast<int64_t>(height) * width; }
  int64_t blocks() const { return ceilDiv64(pixels(), kThreads); }

  template <class Block>
  CPS_DEVICE void run(Block& block, Shared&) const {
    block.forEach([&](int thread) {
      const int64_t i = block.index() * kThreads + thread;
      if (i >= static_cast<int64_t>(height) * width) return;
      const int64_t y = i / width, x = i % width;
      const uint8_t* in = rgb + y * inStride + 3 * x;
      for (int32_t c = 0; c < 3; c++) {
        storeBits(out, c * channel + y * row + x * column, table[256 * c + in[c]], bytes);
      }
    });
  }
};

// GatherKernels::cutPatches: one thread a pixel of a patch.
struct CutPatches {
  using Shared = NoShared;
  static constexpr int kThreads = 256;

  const uint8_t* const* pictures;  // [T], device
  const int32_t* indices;          // [count], device
  int64_t count;
  PatchGrid grid;
  const uint32_t* table;  // [3, 256]
  int32_t bytes;          // of an element
  bool nchw;
  void* out;

  int64_t pixels() const { return count * grid.patchSize * grid.patchSize; }
  int64_t blocks() const { return ceilDiv64(pixels(), kThreads); }

  template <class Block>
  CPS_DEVICE void run(Block& block, Shared&) const {
    block.forEach([&](int thread) {
      const int32_t p = grid.patchSize, area = p * p;
      const int64_t i = block.index() * kThreads + thread;
      if (i >= count * area) return;
      const int64_t patch = i / area;
      const int32_t inPatch = static_cast<int32_t>(i % area);
      const int32_t linear = indices[patch], perFrame = grid.rows * grid.cols;
      const int32_t inFrame = linear % perFrame;
      const int64_t y = inFrame / grid.cols * p + inPatch / p;
      const int64_t x = inFrame % grid.cols * p + inPatch % p;
      const uint8_t* in = pictures[linear / perFrame] + 3 * (y * grid.targetWidth + x);
      for (int32_t c = 0; c < 3; c++) {
        const int64_t at = patch * 3 * area + (nchw ? static_cast<int64_t>(c) * area + inPatch
                                                    : static_cast<int64_t>(inPatch) * 3 + c);
        storeBits(out, at, table[256 * c + in[c]], bytes);
      }
    });
  }
};

// ArrangeKernels::arrange: one thread an element of the loops.
struct ArrangeProgram {
  using Shared = NoShared;
  static constexpr int kThreads = 256;

  const uint8_t* source;
  int64_t unitBytes;
  const int32_t* units;   // device
  const uint32_t* table;  // [3, 256]
  int32_t bytes;          // of an element
  int32_t loops;
  ArrangeAxis axes[kMostArrangeAxes];  // outermost first
  int64_t offset;
  void* out;

  int64_t elements() const {
    int64_t n = 1;
    for (int32_t i = 0; i < loops; i++) n *= axes[i].size;
    return n;
  }
  int64_t blocks() const { return ceilDiv64(elements(), kThreads); }

  template <class Block>
  CPS_DEVICE void run(Block& block, Shared&) const {
    block.forEach([&](int thread) {
      const int64_t index = block.index() * kThreads + thread;
      const ArrangePlace at = arrangePlace(axes, loops, index, offset);
      if (at.rest > 0) return;  // behind the last element
      const int32_t from = units[at.unit];
      if (from < 0) return;
      const uint8_t value = source[from * unitBytes + at.inner];
      storeBits(out, at.out, table[256 * at.channel + value], bytes);
    });
  }
};

void launch(const ArrangeProgram& program, CudaStream stream);
void launch(const LookUpPicture& program, CudaStream stream);
void launch(const CutPatches& program, CudaStream stream);

}  // namespace cps
