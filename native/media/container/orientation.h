#pragma once

#include <cstdint>

#include "core/picture.h"

namespace cps {

// The nearest of the eight orientations to a container's 3x3 display matrix (null: upright).
Orientation orientationFromMatrix(const int32_t* matrix);

}  // namespace cps
