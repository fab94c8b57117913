#include "cuda/driver/driver_api.h"

#include <dlfcn.h>

namespace cps {
namespace {

void* openLibrary(const std::string& path, std::string* problem) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = dlerror();
    *problem = path + " could not be opened (" + (reason ? reason : "no reason given") + ")";
  }
  return library;
}

template <typename Fn>
void resolve(void* library, const char* symbol, Fn* fn, std::string* missing) {
  *fn = reinterpret_cast<Fn>(dlsym(library, symbol));
  if (*fn == nullptr && missing->empty()) *missing = symbol;
}

std::string tooOld(const std::string& path, const std::string& symbol) {
  return path + " lacks " + symbol + "; update the NVIDIA driver";
}

}  // namespace

std::shared_ptr<const DriverApi> DriverApi::load(const DriverPaths& paths) {
  auto api = std::make_shared<DriverApi>();
  std::string missing;
  void* cuda = openLibrary(paths.cuda, &api->cudaProblem);
  if (cuda == nullptr) {
    api->cudaProblem = "no NVIDIA driver: " + api->cudaProblem +
                       "; install the driver (in a container, start it with GPU support)";
    api->nvcuvidProblem = api->cudaProblem;
    return api;
  }
#define CPS_RESOLVE(member, type, symbol) resolve(cuda, symbol, &api->member, &missing);
  CPS_CUDA_ENTRY_POINTS(CPS_RESOLVE)
  if (!missing.empty()) api->cudaProblem = tooOld(paths.cuda, missing);
  CPS_CUDA_OPTIONAL_ENTRY_POINTS(CPS_RESOLVE)
#undef CPS_RESOLVE
  if (api->cudaProblem.empty()) {
    const CUresult result = api->init(0);
    if (result == kCuErrorNoDevice) {
      api->cudaProblem = "the NVIDIA driver finds no GPU on this machine";
    } else if (result != CUDA_SUCCESS) {
      api->mayStartLater = true;
      api->cudaProblem =
          "the NVIDIA driver could not start: cuInit failed with " + api->describe(result);
    }
  }
  if (!api->cudaProblem.empty()) {
    api->nvcuvidProblem = api->cudaProblem;
    return api;
  }
  void* nvcuvid = openLibrary(paths.nvcuvid, &api->nvcuvidProblem);
  if (nvcuvid == nullptr) {
    api->nvcuvidProblem = "no NVDEC library: " + api->nvcuvidProblem +
                          "; install the driver's decode library (in a container, set "
                          "NVIDIA_DRIVER_CAPABILITIES=compute,utility,video)";
    return api;
  }
  missing.clear();
#define CPS_RESOLVE(member, type, symbol) resolve(nvcuvid, symbol, &api->member, &missing);
  CPS_NVCUVID_ENTRY_POINTS(CPS_RESOLVE)
#undef CPS_RESOLVE
  if (!missing.empty()) api->nvcuvidProblem = tooOld(paths.nvcuvid, missing);
  return api;
}

std::string DriverApi::describe(CUresult result) const {
  const char* name = nullptr;
  const char* text = nullptr;
  if (getErrorName) getErrorName(result, &name);
  if (getErrorString) getErrorString(result, &text);
  if (name == nullptr) return "CUDA error " + std::to_string(static_cast<int>(result));
  return std::string(name) + (text ? std::string(" (") + text + ")" : std::string());
}

}  // namespace cps
