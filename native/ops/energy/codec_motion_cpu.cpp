#include "ops/energy/codec_motion_cpu.h"

#include <algorithm>
#include <vector>

#include "ops/energy/cells_math.h"

namespace cps {
namespace {

constexpr int32_t kUnit = 4;         // samples a side that share a block at least
constexpr int32_t kMostMove = 2047;  // quarter samples

// A vector of the stored picture as a viewer sees it.
Move turned(int32_t my, int32_t mx, const Orientation& o) {
  if (o.flipY) my = -my;
  if (o.flipX) mx = -mx;
  if (o.swapXY) std::swap(my, mx);
  return {static_cast<int16_t>(my), static_cast<int16_t>(mx)};
}

// Vectors by place in the stored picture.
class MotionField {
 public:
  MotionField(const FrameView& frame, std::span<const MotionBlock> motion)
      : cols_((frame.width + kUnit - 1) / kUnit),
        rows_((frame.height + kUnit - 1) / kUnit),
        moves_(static_cast<size_t>(cols_) * static_cast<size_t>(rows_), kNoMove) {
    for (const MotionBlock& b : motion) {
      const Move move = turned(std::clamp(b.my, -kMostMove, kMostMove),
                               std::clamp(b.mx, -kMostMove, kMostMove), frame.orientation);
      const int32_t top = std::max(0, b.top / kUnit), left = std::max(0, b.left / kUnit);
      const int32_t bottom = std::min(rows_, (b.top + b.height) / kUnit);
      const int32_t right = std::min(cols_, (b.left + b.width) / kUnit);
      for (int32_t y = top; y < bottom; y++) {
        for (int32_t x = left; x < right; x++) moves_[static_cast<size_t>(y * cols_ + x)] = move;
      }
    }
  }
  Move at(SourcePosition s) const {
    return moves_[static_cast<size_t>(s.y / kUnit * cols_ + s.x / kUnit)];
  }

 private:
  int32_t cols_, rows_;
  std::vector<Move> moves_;
};

int32_t wholeSamples(int32_t quarters) { return (quarters + 2) >> 2; }

// Rounded mean of the reference under display samples [y0, y1) x [x0, x1) moved by (dy, dx).
uint8_t movedMean(const FrameView& f, int32_t y0, int32_t y1, int32_t x0, int32_t x1, int32_t dy,
                  int32_t dx) {
  const int32_t lastY = f.displayHeight() - 1, lastX = f.displayWidth() - 1;
  const PlaneView& plane = f.plane[0];
  const bool plain = f.bitDepth == 8 && !f.orientation.swapXY && !f.orientation.flipX &&
                     !f.orientation.flipY && y0 + dy >= 0 && y1 + dy <= lastY + 1 && x0 + dx >= 0 &&
                     x1 + dx <= lastX + 1;
  int32_t sum = 0;
  if (plain) {
    for (int32_t y = y0 + dy; y < y1 + dy; y++) {
      const uint8_t* row = plane.data + int64_t{y} * plane.stride;
      for (int32_t x = x0 + dx; x < x1 + dx; x++) sum += row[int64_t{x} * plane.step];
    }
  } else {
    for (int32_t y = y0 + dy; y < y1 + dy; y++) {
      for (int32_t x = x0 + dx; x < x1 + dx; x++) {
        const SourcePosition s =
            sourcePosition(f, std::clamp(y, 0, lastY), std::clamp(x, 0, lastX));
        sum += planeSample(f, 0, s.y, s.x);
      }
    }
  }
  return cellMean(sum, (y1 - y0) * (x1 - x0), f.bitDepth);
}

}  // namespace

void codecMapsCpu(const FrameView& frame, const FrameView& reference,
                  std::span<const MotionBlock> motion, const uint8_t* cells, const CellGrid& grid,
                  Move* moves, uint8_t* residual) {
  const MotionField field(frame, motion);
  const int32_t half = grid.cell / 2;
  for (int32_t row = 0; row < grid.rows; row++) {
    const int32_t y0 = row * grid.cell, y1 = std::min(y0 + grid.cell, grid.frameHeight);
    for (int32_t col = 0; col < grid.cols; col++) {
      const int32_t x0 = col * grid.cell, x1 = std::min(x0 + grid.cell, grid.frameWidth);
      const SourcePosition s = sourcePosition(frame, std::min(y0 + half, grid.frameHeight - 1),
                                              std::min(x0 + half, grid.frameWidth - 1));
      const Move move = field.at(s);
      const int64_t i = int64_t{row} * grid.cols + col;
      const bool intra = isNoMove(move);
      const int32_t mean = movedMean(reference, y0, y1, x0, x1, intra ? 0 : wholeSamples(move.dy),
                                     intra ? 0 : wholeSamples(move.dx));
      moves[i] = move;
      residual[i] = static_cast<uint8_t>(std::abs(cells[i] - mean));
    }
  }
}

}  // namespace cps
