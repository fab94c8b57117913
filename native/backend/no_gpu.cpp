#include "backend/gpu_backend.h"

namespace cps {

std::optional<GpuBackend> makeGpuBackend() { return std::nullopt; }

}  // namespace cps
