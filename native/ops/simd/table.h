#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "ops/energy/cell_maps.h"
#include "ops/geometry_math.h"
#include "ops/hd.h"
#include "ops/pixels/color_math.h"

namespace cps {

// Note [Dispatch]
// The inner loops exist in several variants, one translation unit each, compiled with its own
// instruction set and gathered in an OpsTable; the best one the processor knows is chosen once.
// Every variant gives the same bytes as the scalar one. Variants contain no std:: templates and no
// inline function with external linkage (see Note [Shared arithmetic]).

// One row of blocks. `cur` and `prev` are padded copies: 64 readable bytes behind `cols` in cur,
// kMatchRadius edge cells around prev and 64 readable bytes behind those.
struct MatchRow {
  const uint8_t* cur;
  int64_t curStride;
  const uint8_t* prev;  // the cell below cur's first, without displacement
  int64_t prevStride;
  int32_t rows, cols;        // cells: 1..4 rows
  uint8_t* motion2;          // [ceil(cols / 4)]
  uint8_t* residual;         // [rows][cols]
  uint8_t* ranks = nullptr;  // [ceil(cols / 4)] or null: the winning candidates
};

// One row of blocks of a level after the first (Note [Pyramid matching]). `prev` has kMaxRefineMove
// edge cells around it, `cur` needs none.
struct RefineRow {
  const uint8_t* cur;
  int64_t curStride;
  const uint8_t* prev;  // the cell below cur's first, without displacement
  int64_t prevStride;
  int32_t rows, cols;  // cells: 1..block rows
  int32_t block;       // cells a side: 8 or 16
  Move* moves;         // [ceil(cols / block)]: of the level before, then of this one
  uint8_t* residual;   // [rows][cols], or null
};

// One stored row of a picture, to interleaved RGB or to three planes.
struct RgbRow {
  const uint8_t* plane[3];
  int32_t step[3];   // bytes from a sample to the next
  int32_t shift[3];  // of the stored value
  int32_t bitDepth;
  int32_t log2ChromaW;
  int32_t count;
  const ColorCoeffs* coeffs;
  // Way Table: the chroma rows above, where the mean of two is taken; else null.
  const uint8_t* above[2];
  uint8_t* out;
  int64_t outPlane;  // bytes from a plane of out to the next; 0: interleaved
};

// Note [Resize plan]
// Where the four neighbours of every output pixel lie, as two tables: an output row contributes an
// offset, an output column another, and their sum addresses the sample. Orientation, crop, chroma
// subsampling and packed layouts are all in the tables, so the loops do not know them. Samples are
// read through 4-byte windows (one gather lane), which the tables keep inside the picture's rows;
// `shift` says which bits of the window are meant. Kinds: [0] is the first plane, [1] the other
// two, [2] the chroma that way Table takes the mean with (the same as [1] where it takes none).
enum class ResizeFetch : uint8_t {
  Direct,  // by rgbAt, for whatever the windows cannot address
  Joint,   // both taps of a row in one window: planar layouts without transposition
  Semi,    // 8-bit semi-planar: both taps of both chroma components in one window
  Split,   // one window per sample: everything else
};
struct ResizeLine {
  int64_t offset[3][2];  // [kind][tap], bytes
  int32_t shift[3][2];
  float w0, w1;
};
struct ResizePlan {
  FrameView frame;
  ColorCoeffs coeffs;
  ResizeFetch fetch;
  uint32_t mask;  // of a sample in its shifted window
  // Semi: both chroma components start here, these bits apart.
  const uint8_t* chroma;
  int32_t chromaBits[2];
  const BilinearTap* tapY;  // [outHeight]
  const BilinearTap* tapX;  // [outWidth]
  const ResizeLine* lines;  // [outHeight]
  // [outWidth + kResizePadding] each
  const int32_t* offset[3][2];
  const int32_t* shift[3][2];
  const float* w0;
  const float* w1;
};
constexpr int32_t kResizePadding = 16;

// One row of the energy map of 'reference' at the target size. columns[a][c]: cell row c of the two
// that full-size row a lies between, interpolated to the target's columns (2 * count values: the
// left neighbour of every target pixel, then the right one).
struct EnergyRow {
  const float* columns[2][2];
  float cellWeight[2][2];
  float w0, w1;  // of the two full-size rows
  const float* wx0;
  const float* wx1;  // [count]
  int32_t count;
  float* out;  // [count]
};

// Note [Antialiased resize] in pixels/resample_math.h. One row of RGB along its width, ...
struct ResampleRow {
  const uint8_t* in;  // interleaved RGB; kResampleOverread readable bytes behind the last tap
  int32_t count;
  int32_t bits, stride;
  const int32_t* first;    // [count]
  const int32_t* used;     // [count]
  const int16_t* weights;  // [count, stride]
  uint8_t* out;            // [count, 3]; four bytes more may be written
};
// ... one sample of the height, for a row of bytes, ...
struct ResampleColumn {
  const uint8_t* in;  // of the first tap
  int64_t inStride;
  const int16_t* weights;  // [used]
  int32_t used, bits;
  int32_t count;  // bytes
  uint8_t* out;
};
constexpr int32_t kResampleOverread = 32;

// ... and some rows along their width at once (Note [Rows in lanes] in resample_block.h).
constexpr int32_t kResampleRows = 16;
constexpr int32_t kResampleFill = 16;        // quads by which a window grows
constexpr int32_t kResampleQuadBytes = 384;  // of a quad in a window, at most
struct ResampleBlock {
  // Channel c of row y: in + (3 * y + c) * inStride, both aligned to 64 bytes. kResampleRows rows
  // are read, up to the next multiple of 64 samples; what is behind `rows` and `width` is no
  // matter.
  const uint8_t* in;
  int64_t inStride;
  int32_t rows;   // 1..kResampleRows
  int32_t width;  // samples that outputs use: [0, width)
  int32_t count;
  int32_t bits, stride;
  const int32_t* first;  // [count], ascending or descending
  const int32_t* used;
  const int16_t* weights;
  int32_t quads;
  const int32_t* quadWords;  // [count, quads, 2]
  const int32_t* quadBytes;  // [count, quads, 2] or null
  // Room for `window` quads, which is kResampleFill and what four neighbouring outputs need, or
  // more, and for `quads` behind them; aligned to 64 bytes.
  uint8_t* scratch;
  int32_t window;
  uint8_t* out;  // interleaved RGB; 16 bytes behind each row may be written
  int64_t outStride;
};

// Values written behind the last one asked for, by the loops that say so.
constexpr int32_t kOverrun = 16;

struct OpsTable {
  const char* name;

  // Means of `count` whole cells side by side, in 8-bit units; samples lie next to each other.
  void (*cells8)(const uint8_t* src, int64_t stride, int32_t cell, int32_t count, uint8_t* out);
  void (*cells16)(const uint8_t* src, int64_t stride, int32_t cell, int32_t bitDepth, int32_t shift,
                  int32_t count, uint8_t* out);
  void (*matchRow)(const MatchRow& row);
  void (*refineRow)(const RefineRow& row);
  // sums[i] += |a[i] - b[i]|, saturating.
  void (*addDifferences)(const uint8_t* a, const uint8_t* b, int64_t count, uint16_t* sums);
  void (*rgbRow)(const RgbRow& row);
  // Pixels [x, x + count) of output rows [y, y + rows), as float planes; row i of plane c starts at
  // out[c] + i * outStride. Writes up to kOverrun values behind each row, rows in ascending order.
  void (*resizeRows)(const ResizePlan& plan, int32_t y, int32_t rows, int32_t x, int32_t count,
                     float* const out[3], int64_t outStride);
  // The same for the luma of energy 'reference'; one plane.
  void (*resizeLuma)(const ResizePlan& plan, int32_t y, int32_t rows, int32_t x, int32_t count,
                     float* out, int64_t outStride);
  // (v * scale - mean) / std, cast. Skipped arithmetic when scale 1, mean 0, std 1.
  void (*castValues)(const float* in, int64_t count, float scale, float mean, float std,
                     DType dtype, void* out);
  // Best displacement of each cell of one row. prev: the row at no displacement, with `radius`
  // cells of infinity on all sides and kOverrun more on the right; cur and the results have
  // kOverrun values of room.
  void (*referenceMatchRow)(const float* cur, const float* prev, int64_t prevStride, int32_t radius,
                            int32_t cols, float* motion, float* residual);
  // out[i] = row[i0[i]] * w0[i] + row[i1[i]] * w1[i], fused as in geometry_math.h.
  void (*lerpColumns)(const float* row, const int32_t* i0, const int32_t* i1, const float* w0,
                      const float* w1, int32_t count, float* out);
  void (*energyRow)(const EnergyRow& row);
  void (*resampleAcross)(const ResampleRow& row);
  void (*resampleDown)(const ResampleColumn& column);
  void (*resampleBlock)(const ResampleBlock& block);
};

// The variants this machine can run, best first; the last one is scalar.
struct OpsTables {
  const OpsTable* table[3];
  int32_t count;
};
const OpsTables& opsTables();

extern const OpsTable kScalarOps;
#if defined(CPS_SIMD_X86)
extern const OpsTable kAvx2Ops;
extern const OpsTable kAvx512Ops;
#endif

}  // namespace cps
