#include "cuda/ops/gather_cuda.h"
#include "cuda/ops/launch.cuh"

namespace cps {

void launch(const GatherPatches& program, CudaStream stream) {
  launchProgram(program, stream, "gatherPatches");
}
void launch(const ToRgb& program, CudaStream stream) { launchProgram(program, stream, "toRgb"); }

}  // namespace cps
