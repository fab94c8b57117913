#include "cuda/ops/launch_failures.h"

#include "cuda/ops/kernel_error.h"

namespace cps {

void tooManyBlocks(const char* kernel, int64_t blocks) {
  throw Error(ErrorCode::InvalidArgument, Stage::Process,
              std::string("GPU kernel ") + kernel + " would need " + std::to_string(blocks) +
                  " blocks; ask for fewer or smaller patches");
}

void launchFailed(const char* kernel, int code, const char* name, const char* text) {
  throw KernelError(kernel, code, std::string(name) + " (" + text + ")");
}

}  // namespace cps
