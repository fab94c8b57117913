#include "pipeline/context.h"

#include <algorithm>
#include <mutex>

#include "core/cpu_budget.h"
#include "media/decode/decoder_pool.h"

namespace cps {
namespace {

// More decoder threads than this cost memory without adding speed.
constexpr int kMaxThreads = 64;

int machineThreads() { return std::clamp(availableCpus(), 1, kMaxThreads); }

struct SharedSlot {
  std::mutex mutex;
  std::weak_ptr<Context> context;
};

}  // namespace

Context::Context(int threads)
    : media_(makeMediaServices(std::make_shared<TaskPool>(threads),
                               std::make_shared<ThreadBudget>(threads))) {}

void Context::setThreads(int threads) {
  const int count = threads > 0 ? threads : machineThreads();
  std::lock_guard lock(threadsMutex_);
  media_.budget->setTotal(count);
  media_.decoders->setCapacity(idleDecoders(count));
  media_.pool->setThreads(count);
}

std::shared_ptr<Context> Context::shared(const std::function<std::optional<GpuBackend>()>& gpu) {
  // Leaked on purpose: a thread may still come by while the process exits.
  static auto* slot = new SharedSlot;
  std::lock_guard lock(slot->mutex);
  auto context = slot->context.lock();
  if (!context) {
    context = std::make_shared<Context>(machineThreads());
    context->setGpu(gpu());
    slot->context = context;
  }
  return context;
}

}  // namespace cps
