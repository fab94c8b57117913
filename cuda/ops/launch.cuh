#pragma once

// Runs block programs (Note [Block programs]) on the GPU. Included by ops/*.cu only.

#include <cuda_runtime.h>

#include "cuda/ops/block_program.h"
#include "cuda/ops/launch_failures.h"

namespace cps {

class DeviceBlock {
 public:
  __device__ int64_t index() const { return blockIdx.x; }
  template <class Fn>
  __device__ void forEach(const Fn& fn) {
    fn(static_cast<int>(threadIdx.x));
    __syncthreads();
  }
  __device__ static void add(int32_t* p, int32_t v) { atomicAdd(p, v); }
  __device__ static void min(int32_t* p, int32_t v) { atomicMin(p, v); }
};

template <class Program>
__global__ void __launch_bounds__(Program::kThreads) runProgram(const Program program) {
  __shared__ typename Program::Shared shared;
  DeviceBlock block;
  program.run(block, shared);
}

template <class Program>
void launchProgram(const Program& program, CudaStream stream, const char* name) {
  const int64_t blocks = program.blocks();
  if (blocks <= 0) return;
  if (blocks > INT32_MAX) tooManyBlocks(name, blocks);
  runProgram<<<static_cast<unsigned>(blocks), Program::kThreads, 0, stream>>>(program);
  const cudaError_t result = cudaGetLastError();
  if (result != cudaSuccess) {
    launchFailed(name, result, cudaGetErrorName(result), cudaGetErrorString(result));
  }
}

}  // namespace cps
