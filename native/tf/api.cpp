#include "tf/api.h"

#include <dlfcn.h>

#include "core/error.h"

namespace cps::tf {

Api loadedApi() {
  // tfjs-node is linked to the first; the second is what Python's packages have.
  void* library = nullptr;
  for (const char* name : {"libtensorflow.so.2", "libtensorflow_cc.so.2"}) {
    library = ::dlopen(name, RTLD_NOLOAD | RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library != nullptr) break;
  }
  if (library == nullptr) {
    throw Error(ErrorCode::BackendUnavailable, Stage::Process,
                "No TensorFlow is loaded in this process; import @tensorflow/tfjs-node first");
  }
  Api api;
  std::string missing;
#define CPS_TF_FIND(name, ...)                                              \
  api.name = reinterpret_cast<decltype(api.name)>(::dlsym(library, #name)); \
  if (api.name == nullptr) missing += std::string(missing.empty() ? "" : ", ") + #name;
  CPS_TF_FUNCTIONS(CPS_TF_FIND)
#undef CPS_TF_FIND
  ::dlclose(library);  // it stays for NODELETE
  if (!missing.empty()) {
    throw Error(ErrorCode::BackendUnavailable, Stage::Process,
                "The TensorFlow in this process lacks " + missing);
  }
  return api;
}

}  // namespace cps::tf
