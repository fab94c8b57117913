#include "ort/library.h"

#include <dlfcn.h>

#include <utility>

namespace cps::ort {
namespace {

Error unavailable(const std::string& message) {
  return {ErrorCode::BackendUnavailable, Stage::Open, message};
}

ErrorCode codeOf(int status, Library::Doing doing, const std::string& text) {
  const auto says = [&](const char* part) { return text.find(part) != std::string::npos; };
  if (says("bad_alloc") || says("Failed to allocate memory") || says("out of memory")) {
    return ErrorCode::OutOfMemory;
  }
  switch (status) {
    case kInvalidArgument:
      return ErrorCode::InvalidArgument;
    case kNoSuchFile:
      return ErrorCode::NotFound;
    case kNoModel:
    case kInvalidProtobuf:
    case kInvalidGraph:
      return ErrorCode::Corrupt;
    case kNotImplemented:
      return ErrorCode::Unsupported;
    default:
      return doing == Library::Doing::Load ? ErrorCode::Unsupported : ErrorCode::Device;
  }
}

}  // namespace

Api readTable(const void* const* table) {
  Api api;
#define CPS_ORT_READ(place, name, ...) \
  api.name = reinterpret_cast<decltype(api.name)>(const_cast<void*>(table[place]));
  CPS_ORT_ENTRIES(CPS_ORT_READ)
#undef CPS_ORT_READ
  return api;
}

// Note [The library that is there]
// Two copies of ONNX Runtime in a process share nothing, and each has threads of its own. So the
// one that onnxruntime-node has loaded is used, and only if it has. It is asked to stay (NODELETE):
// a worker_thread that ends may otherwise unload it below sessions of other threads. Its
// environment is one per process and counted by ONNX Runtime itself.
std::shared_ptr<const Library> Library::attach(const std::string& path) {
  void* handle = ::dlopen(path.c_str(), RTLD_NOLOAD | RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) {
    throw unavailable("ONNX Runtime is not loaded from " + path +
                      "; import onnxruntime-node (the copy that has this file) first");
  }
  const auto getBase = reinterpret_cast<const ApiBase* (*)()>(::dlsym(handle, "OrtGetApiBase"));
  ::dlclose(handle);  // it stays for NODELETE
  if (getBase == nullptr) throw unavailable(path + " is no ONNX Runtime: it has no OrtGetApiBase");
  const ApiBase* const base = getBase();
  std::shared_ptr<Library> library(new Library);
  library->version_ = base->versionString();
  const void* const* const table = base->getApi(kApiVersion);
  if (table == nullptr) {
    throw unavailable("ONNX Runtime " + library->version_ + " (" + path + ") has no API version " +
                      std::to_string(kApiVersion) + "; install onnxruntime-node 1.11 or newer");
  }
  library->api_ = readTable(table);
  library->check(library->api_.CreateEnv(kLogWarning, "codec-patch-stream", &library->env_),
                 Doing::Load, "ONNX Runtime");
  return library;
}

Library::~Library() {
  if (env_ != nullptr) api_.ReleaseEnv(env_);
}

void Library::check(Status* status, Doing doing, const std::string& what) const {
  if (status == nullptr) return;
  const int code = api_.GetErrorCode(status);
  const std::string text = api_.GetErrorMessage(status);
  api_.ReleaseStatus(status);
  throw Error(codeOf(code, doing, text), doing == Doing::Load ? Stage::Open : Stage::Process,
              what + ": " + text);
}

}  // namespace cps::ort
