#pragma once

#include <cstdint>

namespace cps {

// Sizes every operation agrees on. All in display space (after orientation).

// What patches show of one axis of the video's frames: patch i spans
// [i * span + offset, (i + 1) * span + offset) / unit samples, of which those in [begin, end) /
// unit are there (the rest is padding). `reversed`: the last patch is i = 0 (columns
// alone: pictures are mirrored left to right).
struct PatchAxis {
  int64_t span = 0, unit = 1, offset = 0, begin = 0, end = 0;
  int32_t patches = 0;
  bool reversed = false;

  // All of `size` samples.
  static PatchAxis whole(int32_t size, int32_t patches) {
    return {size, patches, 0, 0, int64_t{size} * patches, patches, false};
  }
};

// Patch grid and the resized picture the patches are cut from.
struct PatchGrid {
  int32_t frameHeight = 0, frameWidth = 0;    // display size of the video
  int32_t targetHeight = 0, targetWidth = 0;  // multiples of 2 * patchSize
  int32_t patchSize = 0;
  int32_t rows = 0, cols = 0;  // hb, wb
  PatchAxis y, x;              // where patch rows and columns lie in the frame

  int32_t perFrame() const { return rows * cols; }
};

// Cells of energy 'block': `cell` luma samples a side; the last row and column may cover fewer.
struct CellGrid {
  int32_t frameHeight = 0, frameWidth = 0;
  int32_t cell = 4;
  int32_t rows = 0, cols = 0;            // hs, ws
  int32_t blockRows = 0, blockCols = 0;  // blocks of 4x4 cells

  int64_t cells() const { return int64_t{rows} * cols; }
  int64_t blocks() const { return int64_t{blockRows} * blockCols; }
};

// Levels of energy 'adjacent': cells of half the side from one to the next, down to single samples.
// Blocks are the same everywhere: 4x4 cells of level 0, so their side doubles in cells.
constexpr int32_t kMaxPyramidLevels = 3;
struct PyramidGrid {
  CellGrid level[kMaxPyramidLevels];  // blockRows and blockCols as in level 0
  int32_t levels = 0;

  const CellGrid& last() const { return level[levels - 1]; }
};

// Luma map of energy 'reference'.
struct ReferenceGrid {
  int32_t frameHeight = 0, frameWidth = 0;
  int32_t rows = 0, cols = 0;  // hs, ws
  int32_t radius = 0;          // r

  int64_t cells() const { return int64_t{rows} * cols; }
};

// DESIGN section 4, steps 3 and the two energies. Host only; throws Error(InvalidArgument) when
// minPixels > maxPixels.
PatchGrid makePatchGrid(int32_t frameHeight, int32_t frameWidth, int64_t minPixels,
                        int64_t maxPixels, int32_t patchSize);
CellGrid makeCellGrid(int32_t frameHeight, int32_t frameWidth);
PyramidGrid makePyramidGrid(int32_t frameHeight, int32_t frameWidth);
ReferenceGrid makeReferenceGrid(int32_t frameHeight, int32_t frameWidth);

}  // namespace cps
