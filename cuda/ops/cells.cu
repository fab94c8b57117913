#include "cuda/ops/cells_cuda.h"
#include "cuda/ops/launch.cuh"

namespace cps {

void launch(const LumaCells& program, CudaStream stream) {
  launchProgram(program, stream, "lumaCells");
}

}  // namespace cps
