// The launch functions of cuda/ops for tests without a GPU: every block program runs on the host, a
// thread after another, on the fake driver's streams (Note [Block programs], Note [Fake driver]).

#include <cstring>
#include <iterator>
#include <memory>

#include "cuda/fake_driver/fake_driver.h"
#include "cuda/ops/block_match_cuda.h"
#include "cuda/ops/block_scores_cuda.h"
#include "cuda/ops/cell_maps_cuda.h"
#include "cuda/ops/cells_cuda.h"
#include "cuda/ops/gather_cuda.h"
#include "cuda/ops/global_motion_cuda.h"
#include "cuda/ops/kernel_error.h"
#include "cuda/ops/reference_cuda.h"
#include "cuda/ops/refine_match_cuda.h"
#include "cuda/ops/resample_cuda.h"
#include "cuda/ops/values_cuda.h"
#include "cuda/runtime_version.h"

namespace cps {
namespace {

// Odd blocks run their threads backwards: a step whose threads depend on each other then gives
// other results than the CPU.
template <int kThreads>
class HostBlock {
 public:
  explicit HostBlock(int64_t index) : index_(index) {}
  int64_t index() const { return index_; }
  template <class Fn>
  void forEach(const Fn& fn) {
    for (int i = 0; i < kThreads; i++) fn(index_ % 2 == 0 ? i : kThreads - 1 - i);
  }
  static void add(int32_t* p, int32_t v) { *p += v; }
  static void min(int32_t* p, int32_t v) { *p = v < *p ? v : *p; }

 private:
  int64_t index_;
};

template <class Program>
void emulate(const Program& program, CudaStream stream) {
  if (const int code = fake::failing("kernel")) {
    throw KernelError("kernel", code, fake::errorName(code));
  }
  fake::enqueue(stream, [program] {
    const auto memory = std::make_unique<typename Program::Shared>();
    for (int64_t i = 0; i < program.blocks(); i++) {
      std::memset(static_cast<void*>(memory.get()), 0xcd, sizeof *memory);  // uninitialised
      HostBlock<Program::kThreads> block(i);
      program.run(block, *memory);
    }
  });
}

}  // namespace

void launch(const ArrangeProgram& program, CudaStream stream) { emulate(program, stream); }
void launch(const LookUpPicture& program, CudaStream stream) { emulate(program, stream); }
void launch(const CutPatches& program, CudaStream stream) { emulate(program, stream); }
void launch(const BlockLevels& program, CudaStream stream) { emulate(program, stream); }
void launch(const SubtractGlobalMotion& program, CudaStream stream) { emulate(program, stream); }
void launch(const LumaCells& program, CudaStream stream) { emulate(program, stream); }
void launch(const BlockMatch& program, CudaStream stream) { emulate(program, stream); }
void launch(const RefineMatch& program, CudaStream stream) { emulate(program, stream); }
void launch(const AddDifferences& program, CudaStream stream) { emulate(program, stream); }
void launch(const CellTexture& program, CudaStream stream) { emulate(program, stream); }
void launch(const CellHistogram& program, CudaStream stream) { emulate(program, stream); }
void launch(const CellPercentile& program, CudaStream stream) { emulate(program, stream); }
void launch(const CellScores& program, CudaStream stream) { emulate(program, stream); }
void launch(const BlockHistogram& program, CudaStream stream) { emulate(program, stream); }
void launch(const BlockScores& program, CudaStream stream) { emulate(program, stream); }
void launch(const ReferenceLuma& program, CudaStream stream) { emulate(program, stream); }
void launch(const ReferenceMatch& program, CudaStream stream) { emulate(program, stream); }
void launch(const ReferencePercentiles& program, CudaStream stream) { emulate(program, stream); }
void launch(const ReferenceEnergy& program, CudaStream stream) { emulate(program, stream); }
void launch(const ReferenceScores& program, CudaStream stream) { emulate(program, stream); }
void launch(const GatherPatches& program, CudaStream stream) { emulate(program, stream); }
void launch(const ToRgb& program, CudaStream stream) { emulate(program, stream); }
void launch(const ResampleAcross& program, CudaStream stream) { emulate(program, stream); }
void launch(const ResampleDown& program, CudaStream stream) { emulate(program, stream); }

KernelBuild kernelBuild() {
  static constexpr int kArchs[] = {75, 80, 86, 89, 90, 100, 120};
  return {13000, kArchs, std::size(kArchs)};
}
void resetCurrentDevice() { fake::resetContext(); }

}  // namespace cps
