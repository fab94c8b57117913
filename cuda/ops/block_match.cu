#include "cuda/ops/block_match_cuda.h"
#include "cuda/ops/launch.cuh"

namespace cps {

void launch(const BlockMatch& program, CudaStream stream) {
  launchProgram(program, stream, "blockMatch");
}

}  // namespace cps
