#include "cuda/ops/cell_maps_cuda.h"
#include "cuda/ops/launch.cuh"

namespace cps {

void launch(const AddDifferences& program, CudaStream stream) {
  launchProgram(program, stream, "addDifferences");
}
void launch(const CellTexture& program, CudaStream stream) {
  launchProgram(program, stream, "cellTexture");
}
void launch(const CellHistogram& program, CudaStream stream) {
  launchProgram(program, stream, "cellHistogram");
}
void launch(const CellPercentile& program, CudaStream stream) {
  launchProgram(program, stream, "cellPercentile");
}
void launch(const CellScores& program, CudaStream stream) {
  launchProgram(program, stream, "cellScores");
}

}  // namespace cps
