#include "cuda/ops/launch.cuh"
#include "cuda/ops/refine_match_cuda.h"

namespace cps {

void launch(const RefineMatch& program, CudaStream stream) {
  launchProgram(program, stream, "refineMatch");
}

}  // namespace cps
