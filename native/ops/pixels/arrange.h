#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "ops/hd.h"
#include "ops/pixels/values.h"

namespace cps {

// Note [Arranging pixels]
// Every layout of a model's input is a permutation and a grouping of the same few axes: frames,
// patches, merge blocks, channels, pixels. TypeScript parses the axes once (src/inputs/axes.ts) and
// makes loops of them; here they run. A loop moves through the tensor, through the list of units
// (frames or patches, so that units can repeat, and be left out) and within a unit. The value comes
// out of a table (Note [Value tables]), so that the copy is all that a layout costs.
struct ArrangeAxis {
  int64_t size = 1;
  int64_t out = 0;       // elements of the tensor
  int64_t unit = 0;      // places in the list of units
  int64_t inner = 0;     // bytes within a unit
  bool channel = false;  // its index is the channel
};

// Where one pass of some loops is.
struct ArrangePlace {
  int64_t rest = 0;  // above 0: behind the last pass
  int64_t unit = 0, inner = 0, out = 0, channel = 0;
};

// Pass `index` of the first `loops` of `axes`, whose innermost loop counts first.
CPS_HD ArrangePlace arrangePlace(const ArrangeAxis* axes, int32_t loops, int64_t index,
                                 int64_t offset) {
  ArrangePlace place{index, 0, 0, offset, 0};
  for (int32_t i = loops; i-- > 0;) {
    const ArrangeAxis& a = axes[i];
    const int64_t at = place.rest % a.size;
    place.rest /= a.size;
    place.unit += at * a.unit;
    place.inner += at * a.inner;
    place.out += at * a.out;
    if (a.channel) place.channel = at;
  }
  return place;
}

// What one video gives to the tensor.
struct ArrangePart {
  const uint8_t* source = nullptr;  // 8-bit RGB, unitBytes apart
  size_t sourceBytes = 0;
  int64_t unitBytes = 0;
  std::vector<int32_t> units;     // of the source; below 0: none, the tensor keeps what it has
  std::vector<ArrangeAxis> axes;  // outermost first
  int64_t offset = 0;             // of its first element, in elements
};

// More than any layout of src/inputs has.
inline constexpr size_t kMostArrangeAxes = 16;

// Throws Error(InvalidArgument) where a loop would leave the source, the units or the tensor.
void checkArrange(const ArrangePart& part, int64_t elements);

// How the parts of a loop are run: fn(i) for i in [0, n).
using RunAll = std::function<void(size_t n, const std::function<void(size_t)>& fn)>;

// `out`: of table.dtype. `part` has been checked.
void arrangePixels(const ArrangePart& part, const ValueTable& table, void* out, const RunAll& run);

}  // namespace cps
