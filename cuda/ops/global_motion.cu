#include "cuda/ops/global_motion_cuda.h"
#include "cuda/ops/launch.cuh"

namespace cps {

void launch(const BlockLevels& program, CudaStream stream) {
  launchProgram(program, stream, "blockLevels");
}
void launch(const SubtractGlobalMotion& program, CudaStream stream) {
  launchProgram(program, stream, "globalMotion");
}

}  // namespace cps
