#include "cuda/ops/launch.cuh"
#include "cuda/ops/values_cuda.h"

namespace cps {

void launch(const LookUpPicture& program, CudaStream stream) {
  launchProgram(program, stream, "lookUpPicture");
}
void launch(const ArrangeProgram& program, CudaStream stream) {
  launchProgram(program, stream, "arrange");
}
void launch(const CutPatches& program, CudaStream stream) {
  launchProgram(program, stream, "cutPatches");
}

}  // namespace cps
