#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "backend/gpu_backend.h"
#include "backend/kernels.h"
#include "media/decode/cpu_source.h"

namespace cps {

// What 'auto' and 'gpu' say where no GPU backend is built in.
inline constexpr const char* kNoCudaBuild = "this build of codec-patch-stream has no CUDA";

// Everything calls share. One per process while any addon instance lives (Note [One context]).
class Context {
 public:
  explicit Context(int threads);

  // Note [One context]
  // Thread budget, frame indexes and decoder pools only make sense per process: eight workers with
  // eight budgets would oversubscribe the machine eightfold. Every addon instance holds a
  // reference; the last one to go joins the threads, so that the library can be unloaded safely.
  // `gpu` is asked once, by whoever comes first.
  static std::shared_ptr<Context> shared(const std::function<std::optional<GpuBackend>()>& gpu);

  // For calls that begin from now on; 0: as many as the machine gives this process (affinity,
  // control groups). Everything that the process shares changes with it.
  void setThreads(int threads);

  const MediaServices& media() const { return media_; }
  const GpuBackend* gpu() const { return gpu_ ? &*gpu_ : nullptr; }
  void setGpu(std::optional<GpuBackend> backend) { gpu_ = std::move(backend); }

 private:
  std::mutex threadsMutex_;
  MediaServices media_;
  std::optional<GpuBackend> gpu_;
};

}  // namespace cps
