#include "tf/adoption.h"

#include <dlfcn.h>
#if defined(__APPLE__)
#include <mach-o/dyld.h>
#else
#include <link.h>
#endif

#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

#include "core/error.h"
#include "tf/api.h"

namespace cps::tf {
namespace {

struct State {
  std::mutex mutex;
  Api api;
  Attached attached;  // version is empty until the op is registered
  std::unordered_map<int32_t, Offer> offers;
  int32_t next = 0;
  bool gpu = false;  // the kernel for GPUs is registered
};

// What a tensor of TensorFlow holds.
struct Hold {
  std::shared_ptr<const void> owner;
  std::function<void()> settle;
};

// Gives memory of the device back (Note [Adopted memory]). Never destroyed, as State.
class Returns {
 public:
  static Returns& one() {
    static auto* const returns = new Returns;
    return *returns;
  }
  // Called by TensorFlow, through whose frames no exception may go.
  void add(std::unique_ptr<Hold> hold) noexcept {
    try {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(std::move(hold));
      changed_.notify_one();
    } catch (const std::exception&) {
      settle(*hold);  // no room in the list: here, then
    }
  }

 private:
  Returns() {
    std::thread([this] { run(); }).detach();
  }
  void run() {
    for (;;) {
      std::vector<std::unique_ptr<Hold>> holds;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return !waiting_.empty(); });
        holds.swap(waiting_);
      }
      settle(*holds.front());  // does for all that came before it: there is one device
    }
  }
  static void settle(const Hold& hold) noexcept {
    try {
      hold.settle();
    } catch (const std::exception&) {
      // The device is lost, and its memory with it.
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<Hold>> waiting_;
};

// Never destroyed: TensorFlow may ask while the process is already exiting.
State& state() {
  static auto* const one = new State;
  return *one;
}

void* create(Construction*) { return nullptr; }
void destroy(void*) {}

void drop(void*, size_t, void* held) noexcept {
  std::unique_ptr<Hold> hold(static_cast<Hold*>(held));
  if (hold->settle) Returns::one().add(std::move(hold));
}

void unknownShape(ShapeContext* context, Status* status) {
  state().api.TF_ShapeInferenceContextSetUnknownShape(context, status);
}

bool take(int32_t token, Offer& out) {
  State& all = state();
  const std::lock_guard lock(all.mutex);
  const auto it = all.offers.find(token);
  if (it == all.offers.end()) return false;
  out = std::move(it->second);
  all.offers.erase(it);
  return true;
}

void compute(void*, KernelContext* context) {
  const Api& api = state().api;
  Status* const status = api.TF_NewStatus();
  Tensor* input = nullptr;
  api.TF_GetInput(context, 0, &input, status);
  if (api.TF_GetCode(status) == kOk) {
    int32_t token = 0;
    std::memcpy(&token, api.TF_TensorData(input), sizeof(token));
    api.TF_DeleteTensor(input);
    Offer taken;
    if (take(token, taken)) {
      Tensor* const tensor = api.TF_NewTensor(
          taken.type, taken.dims.data(), static_cast<int>(taken.dims.size()), taken.data,
          taken.bytes, drop, new Hold{std::move(taken.owner), std::move(taken.settle)});
      api.TF_SetOutput(context, 0, tensor, status);
      api.TF_DeleteTensor(tensor);
    } else {
      api.TF_SetStatus(status, kNotFound, "This memory was handed over already");
    }
  }
  if (api.TF_GetCode(status) != kOk) api.TF_OpKernelContext_Failure(context, status);
  api.TF_DeleteStatus(status);
}

// Throws what `status` says, if anything, and frees it.
void check(const Api& api, Status* status, const char* what) {
  const bool ok = api.TF_GetCode(status) == kOk;
  const std::string text = api.TF_Message(status);
  api.TF_DeleteStatus(status);
  if (!ok) {
    throw Error(ErrorCode::BackendUnavailable, Stage::Process,
                std::string("TensorFlow refuses ") + what + ": " + text);
  }
}

// Whether what lies at `here` is part of the program itself, as in tests.
bool isProgram(const void* here) {
  Dl_info info{};
#if defined(__APPLE__)
  return ::dladdr(here, &info) != 0 && info.dli_fbase == ::_dyld_get_image_header(0);
#else
  link_map* map = nullptr;
  const bool found = ::dladdr1(here, &info, reinterpret_cast<void**>(&map), RTLD_DL_LINKMAP) != 0;
  return found && map->l_name[0] == '\0';
#endif
}

// The functions above stay where they are, whatever unloads the addon.
void keepLoaded() {
  const void* const here = reinterpret_cast<const void*>(&create);
  if (isProgram(here)) return;
  Dl_info info{};
  if (::dladdr(here, &info) == 0 ||
      ::dlopen(info.dli_fname, RTLD_NOLOAD | RTLD_NOW | RTLD_NODELETE) == nullptr) {
    throw Error(ErrorCode::BackendUnavailable, Stage::Process,
                "The native addon cannot be kept loaded");
  }
}

void registerKernel(const Api& api, const std::string& op, const char* device) {
  KernelBuilder* const kernel =
      api.TF_NewKernelBuilder(op.c_str(), device, create, compute, destroy);
  // The token is read here, wherever the output is.
  api.TF_KernelBuilder_HostMemory(kernel, "token");
  Status* const status = api.TF_NewStatus();
  api.TF_RegisterKernelBuilder(op.c_str(), kernel, status);
  check(api, status, "the kernel");
}

void attachOnce(State& all) {
  if (!all.attached.version.empty()) return;
  keepLoaded();
  all.api = loadedApi();
  const Api& api = all.api;
  char op[64];
  std::snprintf(op, sizeof(op), "CodecPatchStreamAdopt%llx",
                static_cast<unsigned long long>(reinterpret_cast<uintptr_t>(&create)));
  OpBuilder* const definition = api.TF_NewOpDefinitionBuilder(op);
  api.TF_OpDefinitionBuilderAddInput(definition, "token: int32");
  api.TF_OpDefinitionBuilderAddOutput(definition, "output: T");
  api.TF_OpDefinitionBuilderAddAttr(definition, "T: type");
  api.TF_OpDefinitionBuilderSetIsStateful(definition, true);  // never folded, never run twice
  api.TF_OpDefinitionBuilderSetShapeInferenceFunction(definition, unknownShape);
  Status* const status = api.TF_NewStatus();
  api.TF_RegisterOpDefinition(definition, status);
  check(api, status, "the op");
  registerKernel(api, op, "CPU");
  all.attached = {api.TF_Version(), op};
}

}  // namespace

Attached attach(bool gpu) {
  State& all = state();
  const std::lock_guard lock(all.mutex);
  attachOnce(all);
  if (gpu && !all.gpu) {
    Returns::one();  // where there is no thread for it, this is the place to say so
    registerKernel(all.api, all.attached.op, "GPU");
    all.gpu = true;
  }
  return all.attached;
}

int32_t offer(Offer offer) {
  State& all = state();
  const std::lock_guard lock(all.mutex);
  do {
    all.next = all.next == INT32_MAX ? 0 : all.next + 1;
  } while (all.offers.count(all.next) != 0);
  all.offers.emplace(all.next, std::move(offer));
  return all.next;
}

void withdraw(int32_t token) noexcept {
  Offer dropped;
  take(token, dropped);
}

}  // namespace cps::tf
