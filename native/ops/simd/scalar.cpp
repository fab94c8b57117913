#include "ops/simd/rows_math.h"

namespace cps {
namespace {

constexpr MatchCandidates kCandidates = makeMatchCandidates();

void cells8(const uint8_t* src, int64_t stride, int32_t cell, int32_t count, uint8_t* out) {
  cells8Plain(src, stride, cell, 0, count, out);
}

void cells16(const uint8_t* src, int64_t stride, int32_t cell, int32_t bitDepth, int32_t shift,
             int32_t count, uint8_t* out) {
  cells16Plain(src, stride, cell, bitDepth, shift, 0, count, out);
}

void matchRow(const MatchRow& row) {
  const int32_t blocks = (row.cols + kMatchBlock - 1) / kMatchBlock;
  for (int32_t block = 0; block < blocks; block++) {
    const int32_t begin = block * kMatchBlock, end = minInt(begin + kMatchBlock, row.cols);
    int32_t best = INT32_MAX;
    for (int32_t rank = 0; rank < kMatchCandidates; rank++) {
      const int32_t dy = kCandidates.dy[rank], dx = kCandidates.dx[rank];
      int32_t sad = 0;
      for (int32_t y = 0; y < row.rows; y++) {
        const uint8_t* prev = row.prev + (y - dy) * row.prevStride - dx;
        for (int32_t x = begin; x < end; x++) {
          const int32_t d = row.cur[y * row.curStride + x] - prev[x];
          sad += d < 0 ? -d : d;
        }
      }
      best = minInt(best, matchKey(sad, matchPenalty(dy, dx), rank));
    }
    matchResult(row, kCandidates, block, matchRank(best));
  }
}

void rgbRow(const RgbRow& row) { rgbRowPlain(row, 0, row.count); }

void castValues(const float* in, int64_t count, float scale, float mean, float std, DType dtype,
                void* out) {
  castValuesPlain(in, 0, count, scale, mean, std, dtype, out);
}

void referenceMatchRow(const float* cur, const float* prev, int64_t prevStride, int32_t radius,
                       int32_t cols, float* motion, float* residual) {
  for (int32_t x = 0; x < cols; x++) {
    residual[x] = INFINITY;
    motion[x] = 0.0f;
  }
  for (int32_t dy = -radius; dy <= radius; dy++) {
    for (int32_t dx = -radius; dx <= radius; dx++) {
      const float* p = prev - dy * prevStride - dx;
      const float length = referenceMotionLength(dy, dx);
      for (int32_t x = 0; x < cols; x++) {
        const float d = fabsf(cur[x] - p[x]);
        const bool better = d < residual[x];
        residual[x] = better ? d : residual[x];
        motion[x] = better ? length : motion[x];
      }
    }
  }
}

}  // namespace

const OpsTable kScalarOps = {"scalar",        cells8,          cells16,    matchRow,         rgbRow,
                             resizeRowsPlain, resizeLumaPlain, castValues, referenceMatchRow};

}  // namespace cps
