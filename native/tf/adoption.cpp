#include "tf/adoption.h"

#include <dlfcn.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <mutex>
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
};

// Never destroyed: TensorFlow may ask while the process is already exiting.
State& state() {
  static auto* const one = new State;
  return *one;
}

void* create(Construction*) { return nullptr; }
void destroy(void*) {}

void drop(void*, size_t, void* owner) { delete static_cast<std::shared_ptr<const void>*>(owner); }

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
          taken.bytes, drop, new std::shared_ptr<const void>(std::move(taken.owner)));
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

// The functions above stay where they are, whatever unloads the addon.
void keepLoaded() {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&create), &info) == 0 ||
      ::dlopen(info.dli_fname, RTLD_NOLOAD | RTLD_NOW | RTLD_NODELETE) == nullptr) {
    throw Error(ErrorCode::BackendUnavailable, Stage::Process,
                "The native addon cannot be kept loaded");
  }
}

}  // namespace

Attached attach() {
  State& all = state();
  const std::lock_guard lock(all.mutex);
  if (!all.attached.version.empty()) return all.attached;
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
  Status* status = api.TF_NewStatus();
  api.TF_RegisterOpDefinition(definition, status);
  check(api, status, "the op");
  KernelBuilder* const kernel = api.TF_NewKernelBuilder(op, "CPU", create, compute, destroy);
  status = api.TF_NewStatus();
  api.TF_RegisterKernelBuilder(op, kernel, status);
  check(api, status, "the kernel");
  all.attached = {api.TF_Version(), op};
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
