#pragma once

#include <cstdint>

#include "ops/pixels/gather.h"
#include "ops/scratch.h"
#include "ops/simd/table.h"

namespace cps {

// Stored row y, to be converted into out.
RgbRow storedRow(const FrameView& frame, const ColorCoeffs& coeffs, int32_t y, uint8_t* out);
// Rows [begin, end) of the stored picture, converted into `out` (display orientation, display
// size).
void rgbRowsCpu(const OpsTable& ops, ScratchPool& scratch, const FrameView& frame, int32_t begin,
                int32_t end, uint8_t* out);
// Rows [begin, end) of a resized picture; `out` is row 0.
void resizedRgbRowsCpu(const OpsTable& ops, ScratchPool& scratch, const ResizePlan& plan,
                       int32_t begin, int32_t end, int32_t outWidth, uint8_t* out,
                       int64_t outStride);
// Patch (row, col) of a picture into out.
void patchCpu(const OpsTable& ops, ScratchPool& scratch, const ResizePlan& plan,
              const GatherSpec& spec, int32_t row, int32_t col, void* out);

}  // namespace cps
