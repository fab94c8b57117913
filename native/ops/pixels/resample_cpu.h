#pragma once

#include <cstdint>
#include <functional>

#include "ops/pixels/resample.h"
#include "ops/scratch.h"
#include "ops/simd/table.h"

namespace cps {

// Runs body(begin, end) over [0, n) in chunks, perhaps on several threads.
using ForRows = std::function<void(int32_t n, int32_t chunk,
                                   const std::function<void(int32_t begin, int32_t end)>& body)>;

// A picture by its plan into out: interleaved RGB rows, outStride bytes apart. Rows of the picture
// are converted as they are needed and kept only at the width of the result.
void resampleCpu(const OpsTable& ops, ScratchPool& scratch, const FrameView& frame,
                 const ResamplePlan& plan, uint8_t* out, int64_t outStride, const ForRows& forRows);

}  // namespace cps
