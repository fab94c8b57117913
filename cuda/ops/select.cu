#include "cuda/ops/launch.cuh"
#include "cuda/ops/select_cuda.h"

namespace cps {

void launch(const UnitScores& program, CudaStream stream) {
  launchProgram(program, stream, "block2x2Scores");
}
void launch(const TopK& program, CudaStream stream) { launchProgram(program, stream, "topK"); }

}  // namespace cps
