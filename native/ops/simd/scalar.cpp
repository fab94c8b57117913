#include "ops/simd/energy_plain.h"
#include "ops/simd/match_order.h"
#include "ops/simd/refine_plain.h"
#include "ops/simd/resample_block.h"
#include "ops/simd/resample_plain.h"
#include "ops/simd/resize_impl.h"
#include "ops/simd/vec_scalar.h"

namespace cps {
namespace {

constexpr MatchOrder kOrder = makeMatchOrder();

void cells8(const uint8_t* src, int64_t stride, int32_t cell, int32_t count, uint8_t* out) {
  cells8Plain(src, stride, cell, 0, count, out);
}

void cells16(const uint8_t* src, int64_t stride, int32_t cell, int32_t bitDepth, int32_t shift,
             int32_t count, uint8_t* out) {
  cells16Plain(src, stride, cell, bitDepth, shift, 0, count, out);
}

// 16 blocks at a time, in loops over 64 cells that a compiler turns into vectors.
void matchRow(const MatchRow& row) {
  constexpr int32_t kCells = 64, kBlocks = kCells / kMatchBlock;
  for (int32_t x = 0; x < row.cols; x += kCells) {
    const int32_t left = minInt(row.cols - x, kCells);
    int32_t best[kBlocks];
    for (int32_t& b : best) b = INT32_MAX;
    for (int32_t rank = 0; rank < kMatchCandidates; rank++) {
      if (kOrder.checkBefore[rank]) {
        int32_t worst = 0;
        for (const int32_t b : best) worst = maxInt(worst, b);
        if (worst < kOrder.floorKey[rank]) break;
      }
      uint16_t sums[kCells] = {};
      for (int32_t y = 0; y < row.rows; y++) {
        const uint8_t* cur = row.cur + y * row.curStride + x;
        const uint8_t* prev = row.prev + (y - kOrder.candidates.dy[rank]) * row.prevStride + x -
                              kOrder.candidates.dx[rank];
        for (int32_t i = 0; i < kCells; i++) {
          const uint8_t d =
              static_cast<uint8_t>(cur[i] > prev[i] ? cur[i] - prev[i] : prev[i] - cur[i]);
          sums[i] = static_cast<uint16_t>(sums[i] + d);
        }
      }
      for (int32_t i = left; i < kCells; i++) sums[i] = 0;
      for (int32_t b = 0; b < kBlocks; b++) {
        const uint16_t* s = sums + b * kMatchBlock;
        const int32_t sad = s[0] + s[1] + s[2] + s[3];
        best[b] = minInt(best[b], (sad << kMatchRankBits) + kOrder.addend[rank]);
      }
    }
    const int32_t blocks = (left + kMatchBlock - 1) / kMatchBlock;
    for (int32_t b = 0; b < blocks; b++) {
      matchResult(row, kOrder.candidates, x / kMatchBlock + b, matchRank(best[b]));
    }
  }
}

void rgbRow(const RgbRow& row) { rgbRowPlain(row, 0, row.count); }

void castValues(const float* in, int64_t count, float scale, float mean, float std, DType dtype,
                void* out) {
  castValuesPlain(in, 0, count, scale, mean, std, dtype, out);
}

void resampleAcross(const ResampleRow& row) { resampleAcrossPlain(row, 0); }
void addDifferences(const uint8_t* a, const uint8_t* b, int64_t count, uint16_t* sums) {
  addDifferencesPlain(a, b, 0, count, sums);
}
void resampleDown(const ResampleColumn& column) { resampleDownPlain(column, 0); }

}  // namespace

const OpsTable kScalarOps = {"scalar",
                             cells8,
                             cells16,
                             matchRow,
                             refineRowPlain,
                             addDifferences,
                             rgbRow,
                             resizeRowsWide<Scalar>,
                             resizeLumaWide<Scalar>,
                             castValues,
                             referenceMatchRowWide<Scalar>,
                             lerpColumnsPlain,
                             energyRowPlain,
                             resampleAcross,
                             resampleDown,
                             resampleBlockWide<BlockPlain>};

}  // namespace cps
