#pragma once

#include <cstdint>

// Note [Block programs]
// A kernel is a struct: its parameters, `kThreads`, `blocks()`, `Shared` (the block's shared
// memory) and
//   template <class Block> CPS_DEVICE void run(Block& block, Shared& shared) const;
// whose body is a sequence of block.forEach([&](int thread) {...}) steps with a barrier after each.
// Nothing survives a step but `Shared` and device memory, so the same source runs in two ways: on a
// GPU a step is done by the block's threads at once (ops/launch.cuh); in tests one thread after
// another, in any order (test/native/cuda/ops/emulation.cpp). Which program runs where is decided
// at link time: the `launch` functions below are defined by ops/*.cu or by the emulation.
//
// No CUDA header here: these headers are read by the C++ compiler and by nvcc.
#if defined(__CUDACC__)
#define CPS_DEVICE __device__
#define CPS_DEVICE_CONSTANT __constant__ const
#else
#define CPS_DEVICE
#define CPS_DEVICE_CONSTANT static constexpr
#endif

struct CUstream_st;

namespace cps {

// cudaStream_t and CUstream are both this. Never null: CUDA's default stream is not used.
using CudaStream = CUstream_st*;

struct NoShared {};

constexpr int64_t ceilDiv64(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace cps
