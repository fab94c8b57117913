#pragma once

#include <span>

#include "core/dtype.h"
#include "core/options.h"
#include "ops/geometry.h"
#include "ops/pixels/kept_rows.h"

namespace cps {

// Where patches go: index list in, tensor out.
struct GatherSpec {
  PatchGrid grid;
  DType dtype = DType::BF16;
  Layout layout = Layout::Nchw;
  Normalize normalize;
  // Per frame, which rows of it its view still holds; null or nothing at all: every row. Only what
  // keepForGather of the same kernels gave.
  std::span<const KeptRows* const> rows = {};
};

}  // namespace cps
