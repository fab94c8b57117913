#include "pipeline/context.h"

#include <algorithm>
#include <mutex>
#include <thread>

namespace cps {
namespace {

// More decoder threads than this cost memory without adding speed.
constexpr int kMaxThreads = 64;

int machineThreads() {
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kMaxThreads);
}

struct SharedSlot {
  std::mutex mutex;
  std::weak_ptr<Context> context;
};

}  // namespace

Context::Context(int threads)
    : media_(makeMediaServices(std::make_shared<TaskPool>(threads),
                               std::make_shared<ThreadBudget>(threads))) {}

std::shared_ptr<Context> Context::shared(const std::function<void(Context&)>& configure) {
  // Leaked on purpose: a thread may still come by while the process exits.
  static auto* slot = new SharedSlot;
  std::lock_guard lock(slot->mutex);
  auto context = slot->context.lock();
  if (!context) {
    context = std::make_shared<Context>(machineThreads());
    configure(*context);
    slot->context = context;
  }
  return context;
}

}  // namespace cps
