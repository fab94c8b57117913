#include "ops/energy/block_energy_cpu.h"

#include <algorithm>
#include <cstring>

#include "ops/energy/block_match_math.h"
#include "ops/energy/block_scores_math.h"
#include "ops/energy/cells_math.h"
#include "ops/energy/patch_scores_cpu.h"
#include "ops/energy/percentile_math.h"
#include "ops/pixels/pixels_cpu.h"

namespace cps {
namespace {

int64_t roundUp(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

// Luma of a picture in rows of samples that lie next to each other, which the vector loops want.
class LumaRows {
 public:
  LumaRows(const OpsTable& ops, const FrameView& frame, const ColorCoeffs& coeffs, int32_t cell,
           ScratchPool& scratch)
      : ops_(ops),
        frame_(frame),
        coeffs_(coeffs),
        rgb_(coeffs.planar3 == 2),
        depth_(rgb_ ? 8 : frame.bitDepth),
        bytes_(depth_ > 8 ? 2 : 1),
        direct_(!rgb_ && frame.plane[0].step == bytes_),
        copy_(scratch.take(direct_ ? 1 : static_cast<size_t>(frame.width) * cell * bytes_)),
        rgbRow_(scratch.take(rgb_ ? static_cast<size_t>(frame.width) * 3 : 1)) {}

  int32_t depth() const { return depth_; }
  int32_t bytes() const { return bytes_; }
  int32_t shift() const { return direct_ ? frame_.plane[0].shift : 0; }
  int64_t stride() const {
    return direct_ ? frame_.plane[0].stride : int64_t{frame_.width} * bytes_;
  }
  // Stored rows [row, row + count).
  const uint8_t* rows(int32_t row, int32_t count) {
    if (direct_) return frame_.plane[0].data + row * frame_.plane[0].stride;
    uint8_t* out = copy_.as<uint8_t>();
    for (int32_t y = row; y < row + count; y++, out += stride()) {
      if (rgb_) {
        lumaOfRgbRow(y, out);
        continue;
      }
      const uint8_t* in = frame_.plane[0].data + y * frame_.plane[0].stride;
      const int64_t step = frame_.plane[0].step;
      if (bytes_ == 1) {
        for (int32_t x = 0; x < frame_.width; x++) out[x] = in[x * step];
        continue;
      }
      for (int32_t x = 0; x < frame_.width; x++) {
        const int32_t v = loadSample(in + x * step, depth_, frame_.plane[0].shift);
        out[2 * x] = static_cast<uint8_t>(v);
        out[2 * x + 1] = static_cast<uint8_t>(v >> 8);
      }
    }
    return copy_.as<uint8_t>();
  }

 private:
  void lumaOfRgbRow(int32_t y, uint8_t* out) {
    uint8_t* rgb = rgbRow_.as<uint8_t>();
    ops_.rgbRow(storedRow(frame_, coeffs_, y, rgb));
    for (int32_t x = 0; x < frame_.width; x++, rgb += 3) {
      out[x] = static_cast<uint8_t>(lumaOfRgb8({rgb[0], rgb[1], rgb[2]}));
    }
  }

  const OpsTable& ops_;
  const FrameView& frame_;
  const ColorCoeffs& coeffs_;
  bool rgb_;
  int32_t depth_, bytes_;
  bool direct_;
  ScratchPool::Lease copy_, rgbRow_;
};

// A cell that is cut off by the picture's edge.
uint8_t partialCell(const LumaRows& luma, const uint8_t* src, int32_t height, int32_t width) {
  int32_t sum = 0;
  for (int32_t y = 0; y < height; y++) {
    for (int32_t x = 0; x < width; x++) {
      sum += loadSample(src + y * luma.stride() + x * luma.bytes(), luma.depth(), luma.shift());
    }
  }
  return cellMean(sum, height * width, luma.depth());
}

}  // namespace

// Flips only say at which end of the stored picture the cells start, and a transposed picture has
// the transposed cells; so the samples are read in stored order whatever the orientation.
void lumaCellsCpu(const OpsTable& ops, ScratchPool& scratch, const FrameView& frame,
                  const CellGrid& grid, uint8_t* out, const CancelToken* cancel) {
  const ColorCoeffs coeffs = makeColorCoeffs(frame);
  if (!hasSizeOf(frame, grid)) {
    for (int32_t row = 0; row < grid.rows; row++) {
      for (int32_t col = 0; col < grid.cols; col++) {
        *out++ = cellOfOtherSize(frame, coeffs, grid, row, col);
      }
    }
    return;
  }
  const Orientation& o = frame.orientation;
  const int32_t rows = o.swapXY ? grid.cols : grid.rows, cols = o.swapXY ? grid.rows : grid.cols;
  const int32_t cell = grid.cell, whole = frame.width / cell;
  LumaRows luma(ops, frame, coeffs, cell, scratch);
  const auto transposed = scratch.take(o.swapXY ? static_cast<size_t>(grid.cells()) : 1);
  uint8_t* cells = o.swapXY ? transposed.as<uint8_t>() : out;
  for (int32_t row = 0; row < rows; row++, cells += cols) {
    if (cancel) cancel->check(Stage::Process);
    const int32_t begin = row * cell, end = std::min(begin + cell, frame.height);
    const int32_t height = end - begin;
    const uint8_t* src = luma.rows(o.flipY ? frame.height - end : begin, height);
    const uint8_t* first = src + (o.flipX ? int64_t{frame.width - whole * cell} * luma.bytes() : 0);
    if (height < cell) {
      for (int32_t i = 0; i < whole; i++) {
        cells[i] = partialCell(luma, first + int64_t{i} * cell * luma.bytes(), height, cell);
      }
    } else if (luma.bytes() == 1) {
      ops.cells8(first, luma.stride(), cell, whole, cells);
    } else {
      ops.cells16(first, luma.stride(), cell, luma.depth(), luma.shift(), whole, cells);
    }
    if (o.flipX) std::reverse(cells, cells + whole);
    if (whole < cols) {
      const int32_t width = frame.width - whole * cell;
      const int64_t at = o.flipX ? 0 : int64_t{whole} * cell * luma.bytes();
      cells[whole] = partialCell(luma, src + at, height, width);
    }
  }
  if (!o.swapXY) return;
  const uint8_t* in = transposed.as<uint8_t>();
  for (int32_t y = 0; y < grid.rows; y++) {
    for (int32_t x = 0; x < grid.cols; x++) *out++ = in[int64_t{x} * cols + y];
  }
}

void blockMatchCpu(const OpsTable& ops, ScratchPool& scratch, const uint8_t* cur,
                   const uint8_t* prev, const CellGrid& grid, uint8_t* motion2, uint8_t* residual,
                   const CancelToken* cancel, uint8_t* ranks) {
  constexpr int64_t kReadable = 64;  // bytes a vector may read behind a row
  const int64_t rows = grid.rows, cols = grid.cols;
  const int64_t stride = roundUp(kMatchRadius + cols + kMatchRadius + kReadable, 64);
  const auto memory = scratch.take(static_cast<size_t>((rows + 2 * kMatchRadius + 4) * stride));
  // The previous frame with its edges repeated, then room for the last row of blocks.
  uint8_t* padded = memory.as<uint8_t>();
  for (int64_t y = -kMatchRadius; y < rows + kMatchRadius; y++) {
    const uint8_t* from = prev + std::clamp<int64_t>(y, 0, rows - 1) * cols;
    uint8_t* to = padded + (y + kMatchRadius) * stride;
    std::memset(to, from[0], kMatchRadius);
    std::memcpy(to + kMatchRadius, from, static_cast<size_t>(cols));
    std::memset(to + kMatchRadius + cols, from[cols - 1],
                static_cast<size_t>(stride - kMatchRadius - cols));
  }
  uint8_t* tail = padded + (rows + 2 * kMatchRadius) * stride;
  MatchRow row;
  row.prevStride = stride;
  row.cols = grid.cols;
  for (int32_t block = 0; block < grid.blockRows; block++) {
    if (cancel) cancel->check(Stage::Process);
    const int64_t y = int64_t{block} * kMatchBlock;
    row.rows = static_cast<int32_t>(std::min<int64_t>(kMatchBlock, rows - y));
    row.cur = cur + y * cols;
    row.curStride = cols;
    if ((y + row.rows) * cols + kReadable > rows * cols) {  // nothing to read behind the last rows
      std::memset(tail, 0, static_cast<size_t>(4 * stride));
      for (int32_t i = 0; i < row.rows; i++) {
        std::memcpy(tail + i * stride, cur + (y + i) * cols, static_cast<size_t>(cols));
      }
      row.cur = tail;
      row.curStride = stride;
    }
    row.prev = padded + (y + kMatchRadius) * stride + kMatchRadius;
    row.motion2 = motion2 + int64_t{block} * grid.blockCols;
    row.residual = residual + y * cols;
    if (ranks) row.ranks = ranks + int64_t{block} * grid.blockCols;
    ops.matchRow(row);
  }
}

namespace {

struct EnergyTables {
  float motion[kMotionLevels];
  float residual[kResidualLevels];
};

EnergyTables makeEnergyTables(const uint8_t* motion2, const uint8_t* residual,
                              const CellGrid& cells, double energyPct) {
  int32_t motionCounts[kMotionLevels] = {};
  for (int32_t by = 0; by < cells.blockRows; by++) {
    const int32_t height = std::min(kMatchBlock, cells.rows - by * kMatchBlock);
    const uint8_t* row = motion2 + int64_t{by} * cells.blockCols;
    for (int32_t bx = 0; bx < cells.blockCols; bx++) {
      motionCounts[row[bx]] += height * std::min(kMatchBlock, cells.cols - bx * kMatchBlock);
    }
  }
  // Four histograms: neighbouring cells are often equal, and one counter would wait for itself.
  int32_t counts[4][kResidualLevels] = {};
  const int64_t n = cells.cells();
  int64_t i = 0;
  for (; i + 4 <= n; i += 4) {
    for (int k = 0; k < 4; k++) counts[k][residual[i + k]]++;
  }
  for (; i < n; i++) counts[0][residual[i]]++;
  for (int32_t v = 0; v < kResidualLevels; v++) {
    counts[0][v] += counts[1][v] + counts[2][v] + counts[3][v];
  }
  const int64_t rank = percentileRank(energyPct, n);
  const int32_t m = histogramPercentile(motionCounts, kMotionLevels, rank);
  const int32_t r = histogramPercentile(counts[0], kResidualLevels, rank);
  EnergyTables tables;
  for (int32_t v = 0; v < kMotionLevels; v++) tables.motion[v] = motionEnergy(v, m);
  for (int32_t v = 0; v < kResidualLevels; v++) tables.residual[v] = residualEnergy(v, r);
  return tables;
}

}  // namespace

void blockScoresCpu(const OpsTable& /*ops*/, ScratchPool& scratch, const uint8_t* motion2,
                    const uint8_t* residual, const CellGrid& cells, const PatchGrid& grid,
                    double energyPct, float* scores, const CancelToken* cancel) {
  const EnergyTables tables = makeEnergyTables(motion2, residual, cells, energyPct);
  const int32_t cols = cells.cols;
  patchScoresCpu(scratch, cells, grid, scores, cancel, [&](int32_t y0, int32_t height, float* out) {
    const uint8_t* motion = motion2 + int64_t{y0 / kMatchBlock} * cells.blockCols;
    const uint8_t* rows[kScoredRows];
    for (int32_t k = 0; k < kScoredRows; k++) {
      rows[k] = residual + int64_t{y0 + std::min(k, height - 1)} * cols;
    }
    for (int32_t x = 0; x < cols; x++) {
      const float m = tables.motion[motion[x / kMatchBlock]];
      for (int32_t k = 0; k < kScoredRows; k++) {
        out[4 * x + k] = mixEnergy(m, tables.residual[rows[k][x]]);
      }
    }
  });
}

}  // namespace cps
