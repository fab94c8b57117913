#pragma once

namespace cps {

// The instruction set the CPU kernels use on this machine: "avx512", "avx2", "sse4.1" or "scalar".
const char* simdName();

}  // namespace cps
