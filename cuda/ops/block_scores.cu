#include "cuda/ops/block_scores_cuda.h"
#include "cuda/ops/launch.cuh"

namespace cps {

void launch(const BlockHistogram& program, CudaStream stream) {
  launchProgram(program, stream, "blockHistogram");
}
void launch(const BlockScores& program, CudaStream stream) {
  launchProgram(program, stream, "blockScores");
}

}  // namespace cps
