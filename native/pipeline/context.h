#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "media/cpu_source.h"
#include "media/gpu_backend.h"
#include "ops/kernels.h"

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
  // `configure` runs once, for the instance that creates the context.
  static std::shared_ptr<Context> shared(const std::function<void(Context&)>& configure);

  // For calls that begin from now on; 0: as many as the machine gives this process (affinity,
  // control groups). Everything that the process shares changes with it.
  void setThreads(int threads);

  const MediaServices& media() const { return media_; }
  const GpuBackend* gpu() const { return gpu_ ? gpu_.get() : nullptr; }
  void setGpu(GpuBackend backend) { gpu_ = std::make_unique<GpuBackend>(std::move(backend)); }

 private:
  std::mutex threadsMutex_;
  MediaServices media_;
  std::unique_ptr<GpuBackend> gpu_;
};

}  // namespace cps
