#include "cuda/ops/launch.cuh"
#include "cuda/ops/reference_cuda.h"

namespace cps {

void launch(const ReferenceLuma& program, CudaStream stream) {
  launchProgram(program, stream, "referenceLuma");
}
void launch(const ReferenceMatch& program, CudaStream stream) {
  launchProgram(program, stream, "referenceMatch");
}
void launch(const ReferencePercentiles& program, CudaStream stream) {
  launchProgram(program, stream, "referencePercentiles");
}
void launch(const ReferenceEnergy& program, CudaStream stream) {
  launchProgram(program, stream, "referenceEnergy");
}
void launch(const ReferenceScores& program, CudaStream stream) {
  launchProgram(program, stream, "referenceScores");
}

}  // namespace cps
