#pragma once

#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "core/options.h"
#include "core/picture.h"
#include "ops/geometry.h"

namespace cps {

// Note [Ignored parts]
// Option `ignore` names parts of the displayed frame; 'letterbox' are the bars that are found in
// the sampled frames. A patch is no candidate when these together cover more than half of what it
// shows of the frame, or when it shows nothing of it (padding). It is decided once for all frames.

// Black bars in pixels of the displayed frame, from each edge.
struct Bars {
  int32_t top = 0, bottom = 0, left = 0, right = 0;
  bool any() const { return top > 0 || bottom > 0 || left > 0 || right > 0; }
};

// A row or column of cells (CellGrid) is black when, in every frame that was added, all its cells
// lie within 24 of the black level of that frame. Bars are the unbroken runs of these from the
// edges; where everything is black there are none.
class BarFinder {
 public:
  explicit BarFinder(const CellGrid& grid);
  // In units of cells: 16, or 0 where the range is full.
  static int32_t blackLevel(const FrameView& luma);

  // False once no bar is possible any more: nothing needs to be added then. Thread-safe.
  bool open() const;
  // Host memory, [grid.rows, grid.cols]. Thread-safe.
  void add(std::span<const uint8_t> cells, int32_t blackLevel);
  Bars bars() const;

 private:
  bool isOpen() const;

  const CellGrid grid_;
  mutable std::mutex mutex_;
  std::vector<uint8_t> rows_, cols_;  // whether black so far
};

// Whether 'letterbox' is among what is ignored.
bool ignoresBars(const Ignore& ignore);

// [rows, cols]: 1 for patches that are candidates.
std::vector<uint8_t> candidatePatches(const PatchGrid& grid, const Ignore& ignore,
                                      const Bars& bars);

}  // namespace cps
