#include "cuda/ops/launch.cuh"
#include "cuda/ops/resample_cuda.h"

namespace cps {

void launch(const ResampleAcross& program, CudaStream stream) {
  launchProgram(program, stream, "resampleAcross");
}
void launch(const ResampleDown& program, CudaStream stream) {
  launchProgram(program, stream, "resampleDown");
}

}  // namespace cps
