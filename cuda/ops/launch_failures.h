#pragma once

#include <cstdint>

namespace cps {

// Note [Kernels without a C++ library]
// nvcc's host compiler need not be that of the rest: the platform package with CUDA has its kernels
// from GCC and everything else from zig, which has another std::string. So what nvcc compiles uses
// nothing of std but its numbers, and neither takes nor gives it; errors are made here.
[[noreturn]] void tooManyBlocks(const char* kernel, int64_t blocks);
// `code` is a cudaError_t, with what CUDA calls it and says of it.
[[noreturn]] void launchFailed(const char* kernel, int code, const char* name, const char* text);

}  // namespace cps
