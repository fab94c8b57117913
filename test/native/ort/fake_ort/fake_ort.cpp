// Note [Fake ONNX Runtime]
// A shared library with the table of ONNX Runtime's C API, as far as native/ort uses it, that
// computes nothing: what is bound and run is written to the file CPS_FAKE_ORT_LOG, line by line,
// with sums of the bytes. Memory of "Cuda" is the fake driver's, which the host can read. A model
// is a text:
//
//   in NAME TYPE SIDE...      out NAME TYPE SIDE...      (types by ONNX's numbers)
//   copy OUT IN
//
// Open sides of outputs are 1. Outputs are zero, or a copy, on the device that they are bound to.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

#include "cuda/fake_driver/fake_driver.h"
#include "ort/api.h"

namespace cps::ort {

struct OrtStatusHandle {
  int code;
  std::string text;
};
struct OrtTensorTypeAndShapeInfoHandle {
  int type = 0;
  std::vector<int64_t> dims;
  std::vector<std::string> symbols;
};
struct OrtTypeInfoHandle {
  OrtTensorTypeAndShapeInfoHandle shape;
};
struct OrtMemoryInfoHandle {
  std::string name;
  int id = 0;
};
struct OrtValueHandle {
  OrtTensorTypeAndShapeInfoHandle shape;
  OrtMemoryInfoHandle place;
  void* data = nullptr;
  size_t bytes = 0;
  bool own = false;
};
struct Named {
  std::string name;
  OrtTensorTypeAndShapeInfoHandle shape;
};
struct OrtSessionHandle {
  std::vector<Named> inputs, outputs;
  std::map<std::string, std::string> copies;  // of inputs, by the output's name
};
struct OrtSessionOptionsHandle {
  std::string providers;
};
struct OrtCudaOptionsHandle {
  std::string text;
};
struct OrtIoBindingHandle {
  const OrtSessionHandle* session;
  std::map<std::string, const Value*> inputs;
  std::vector<OrtMemoryInfoHandle> places;
  mutable std::map<std::string, std::vector<char>> results;  // by the output's name
};

namespace {

void log(const std::string& line) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  const char* file = std::getenv("CPS_FAKE_ORT_LOG");
  if (file == nullptr) return;
  if (std::FILE* out = std::fopen(file, "a")) {
    std::fprintf(out, "%s\n", line.c_str());
    std::fclose(out);
  }
}

std::string dimsText(const std::vector<int64_t>& dims) {
  std::string text;
  for (const int64_t side : dims) text += (text.empty() ? "" : ",") + std::to_string(side);
  return "[" + text + "]";
}

// FNV-1a
uint64_t sumOf(const void* data, size_t bytes) {
  uint64_t sum = 0xcbf29ce484222325u;
  for (size_t i = 0; i < bytes; ++i) {
    sum = (sum ^ static_cast<const unsigned char*>(data)[i]) * 0x100000001b3u;
  }
  return sum;
}

size_t elementBytes(int type) {
  return type == 1 || type == 6 ? 4 : type == 7 ? 8 : type == 10 || type == 16 ? 2 : 1;
}

Status* parse(const std::string& text, SessionHandle& session) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string kind, side;
    Named value;
    words >> kind >> value.name;
    if (kind == "copy") {
      words >> session.copies[value.name];
      continue;
    }
    words >> value.shape.type;
    while (words >> side) {
      const bool open = side.find_first_not_of("0123456789") != std::string::npos;
      value.shape.dims.push_back(open ? -1 : std::stoll(side));
      value.shape.symbols.push_back(open ? side : "");
    }
    if (kind != "in" && kind != "out") return new OrtStatusHandle{kInvalidProtobuf, "no model"};
    (kind == "in" ? session.inputs : session.outputs).push_back(value);
  }
  return nullptr;
}

int getErrorCode(const Status* status) { return status->code; }
const char* getErrorMessage(const Status* status) { return status->text.c_str(); }
Status* createEnv(int, const char*, Env** out) {
  *out = reinterpret_cast<Env*>(new int(0));
  return nullptr;
}
void releaseEnv(Env* env) { delete reinterpret_cast<int*>(env); }
Status* createSession(const Env*, const void* data, size_t size, const SessionOptions* options,
                      SessionHandle** out) {
  auto session = std::make_unique<OrtSessionHandle>();
  if (Status* bad = parse(std::string(static_cast<const char*>(data), size), *session)) return bad;
  log("session" + options->providers);
  *out = session.release();
  return nullptr;
}
Status* createSessionOptions(SessionOptions** out) {
  *out = new OrtSessionOptionsHandle;
  return nullptr;
}
template <bool kInput>
const std::vector<Named>& valuesOf(const SessionHandle* session) {
  return kInput ? session->inputs : session->outputs;
}
template <bool kInput>
Status* count(const SessionHandle* session, size_t* out) {
  *out = valuesOf<kInput>(session).size();
  return nullptr;
}
template <bool kInput>
Status* typeInfo(const SessionHandle* session, size_t i, TypeInfo** out) {
  *out = new OrtTypeInfoHandle{valuesOf<kInput>(session)[i].shape};
  return nullptr;
}
template <bool kInput>
Status* nameOf(const SessionHandle* session, size_t i, Allocator*, char** out) {
  *out = ::strdup(valuesOf<kInput>(session)[i].name.c_str());
  return nullptr;
}
Status* createRunOptions(RunOptions** out) {
  *out = reinterpret_cast<RunOptions*>(new int(0));
  return nullptr;
}
Status* setRunLog(RunOptions*, int) { return nullptr; }
void releaseRunOptions(RunOptions* options) { delete reinterpret_cast<int*>(options); }
Status* createTensor(const MemoryInfo* place, void* data, size_t bytes, const int64_t* dims,
                     size_t rank, int type, Value** out) {
  auto* value = new OrtValueHandle{{type, {dims, dims + rank}, {}}, *place, data, bytes, false};
  *out = value;
  return nullptr;
}
void releaseValue(Value* value) {
  if (value->own && value->place.name == "Cuda") fake::deviceRelease(value->data);
  if (value->own && value->place.name == "Cpu") std::free(value->data);
  delete value;
}
Status* one(const Value*, int* out) {
  *out = 1;
  return nullptr;
}
Status* mutableData(Value* value, void** out) {
  *out = value->data;
  return nullptr;
}
Status* castTypeInfo(const TypeInfo* info, const ShapeInfo** out) {
  *out = &info->shape;
  return nullptr;
}
Status* onnxType(const TypeInfo*, int* out) {
  *out = kOnnxTensor;
  return nullptr;
}
Status* elementType(const ShapeInfo* info, int* out) {
  *out = info->type;
  return nullptr;
}
Status* dimensionsCount(const ShapeInfo* info, size_t* out) {
  *out = info->dims.size();
  return nullptr;
}
Status* dimensions(const ShapeInfo* info, int64_t* out, size_t rank) {
  std::copy_n(info->dims.begin(), rank, out);
  return nullptr;
}
Status* symbolicDimensions(const ShapeInfo* info, const char** out, size_t rank) {
  for (size_t i = 0; i < rank; ++i) out[i] = info->symbols[i].c_str();
  return nullptr;
}
Status* typeAndShape(const Value* value, ShapeInfo** out) {
  *out = new OrtTensorTypeAndShapeInfoHandle(value->shape);
  return nullptr;
}
Status* createMemoryInfo(const char* name, int, int id, int, MemoryInfo** out) {
  *out = new OrtMemoryInfoHandle{name, id};
  return nullptr;
}
Status* memoryName(const MemoryInfo* info, const char** out) {
  *out = info->name.c_str();
  return nullptr;
}
Status* memoryId(const MemoryInfo* info, int* out) {
  *out = info->id;
  return nullptr;
}
Status* allocatorFree(Allocator*, void* data) {
  std::free(data);
  return nullptr;
}
Status* defaultAllocator(Allocator** out) {
  *out = nullptr;
  return nullptr;
}
Status* createIoBinding(SessionHandle* session, IoBinding** out) {
  *out = new OrtIoBindingHandle{session, {}, {}, {}};
  return nullptr;
}
Status* bindInput(IoBinding* binding, const char* name, const Value* value) {
  binding->inputs[name] = value;
  char text[64];
  std::snprintf(text, sizeof(text), " %p %016llx", value->data,
                static_cast<unsigned long long>(sumOf(value->data, value->bytes)));
  log("bind " + std::string(name) + " " + value->place.name + ":" +
      std::to_string(value->place.id) + " " + dimsText(value->shape.dims) + " type " +
      std::to_string(value->shape.type) + text);
  return nullptr;
}
Status* bindOutput(IoBinding* binding, const char*, const MemoryInfo* place) {
  binding->places.push_back(*place);
  return nullptr;
}
Status* runWithBinding(SessionHandle* session, const RunOptions*, const IoBinding* binding) {
  log("run");
  for (const auto& [out, in] : session->copies) {
    const Value* value = binding->inputs.at(in);
    const auto* from = static_cast<const char*>(value->data);
    binding->results[out].assign(from, from + value->bytes);
  }
  return nullptr;
}
Status* boundOutputs(const IoBinding* binding, Allocator*, Value*** out, size_t* count) {
  *count = binding->places.size();
  *out = static_cast<Value**>(std::malloc(*count * sizeof(Value*)));
  for (size_t i = 0; i < *count; ++i) {
    auto* value = new OrtValueHandle{binding->session->outputs[i].shape, binding->places[i]};
    value->bytes = elementBytes(value->shape.type);
    for (int64_t& side : value->shape.dims) {
      if (side < 0) side = 1;
      value->bytes *= static_cast<size_t>(side);
    }
    value->own = true;
    value->data = value->place.name == "Cuda" ? fake::deviceAllocate(value->bytes)
                                              : std::malloc(value->bytes + 1);
    std::memset(value->data, 0, value->bytes);
    const std::vector<char>& result = binding->results[binding->session->outputs[i].name];
    std::copy_n(result.begin(), std::min(result.size(), value->bytes),
                static_cast<char*>(value->data));
    (*out)[i] = value;
  }
  return nullptr;
}
Status* memoryInfoOf(const Value* value, const MemoryInfo** out) {
  *out = &value->place;
  return nullptr;
}
Status* synchronise(IoBinding*) { return nullptr; }
Status* createCuda(CudaOptions** out) {
  *out = new OrtCudaOptionsHandle;
  return nullptr;
}
Status* updateCuda(CudaOptions* options, const char* const* keys, const char* const* values,
                   size_t count) {
  for (size_t i = 0; i < count; ++i) {
    options->text += std::string(" ") + keys[i] + "=" + values[i];
  }
  return nullptr;
}
Status* appendCuda(SessionOptions* options, const CudaOptions* cuda) {
  options->providers += " cuda" + cuda->text;
  return nullptr;
}
template <typename T>
void release(T* object) {
  delete object;
}

const void* const* getApi(uint32_t version) {
  static const void* table[512];
  if (version > kApiVersion) return nullptr;
  Api api;
  api.GetErrorCode = getErrorCode;
  api.GetErrorMessage = getErrorMessage;
  api.CreateEnv = createEnv;
  api.ReleaseEnv = releaseEnv;
  api.CreateSessionFromArray = createSession;
  api.CreateSessionOptions = createSessionOptions;
  api.SessionGetInputCount = count<true>;
  api.SessionGetOutputCount = count<false>;
  api.SessionGetInputTypeInfo = typeInfo<true>;
  api.SessionGetOutputTypeInfo = typeInfo<false>;
  api.SessionGetInputName = nameOf<true>;
  api.SessionGetOutputName = nameOf<false>;
  api.CreateRunOptions = createRunOptions;
  api.ReleaseRunOptions = releaseRunOptions;
  api.RunOptionsSetRunLogSeverityLevel = setRunLog;
  api.CreateTensorWithDataAsOrtValue = createTensor;
  api.IsTensor = api.HasValue = one;
  api.GetTensorMutableData = mutableData;
  api.CastTypeInfoToTensorInfo = castTypeInfo;
  api.GetOnnxTypeFromTypeInfo = onnxType;
  api.GetTensorElementType = elementType;
  api.GetDimensionsCount = dimensionsCount;
  api.GetDimensions = dimensions;
  api.GetSymbolicDimensions = symbolicDimensions;
  api.GetTensorTypeAndShape = typeAndShape;
  api.CreateMemoryInfo = createMemoryInfo;
  api.MemoryInfoGetName = memoryName;
  api.MemoryInfoGetId = memoryId;
  api.AllocatorFree = allocatorFree;
  api.GetAllocatorWithDefaultOptions = defaultAllocator;
  api.ReleaseStatus = release<Status>;
  api.ReleaseMemoryInfo = release<MemoryInfo>;
  api.ReleaseSession = release<SessionHandle>;
  api.ReleaseValue = releaseValue;
  api.ReleaseTypeInfo = release<TypeInfo>;
  api.ReleaseTensorTypeAndShapeInfo = release<ShapeInfo>;
  api.ReleaseSessionOptions = release<SessionOptions>;
  api.RunWithBinding = runWithBinding;
  api.CreateIoBinding = createIoBinding;
  api.ReleaseIoBinding = release<IoBinding>;
  api.BindInput = bindInput;
  api.BindOutputToDevice = bindOutput;
  api.GetBoundOutputValues = boundOutputs;
  api.GetTensorMemoryInfo = memoryInfoOf;
  api.SynchronizeBoundInputs = api.SynchronizeBoundOutputs = synchronise;
  api.SessionOptionsAppendExecutionProvider_CUDA_V2 = appendCuda;
  api.CreateCUDAProviderOptions = createCuda;
  api.UpdateCUDAProviderOptions = updateCuda;
  api.ReleaseCUDAProviderOptions = release<CudaOptions>;
#define CPS_ORT_WRITE(place, name, ...) table[place] = reinterpret_cast<const void*>(api.name);
  CPS_ORT_ENTRIES(CPS_ORT_WRITE)
#undef CPS_ORT_WRITE
  return table;
}

const char* versionString() { return "fake"; }

}  // namespace
}  // namespace cps::ort

extern "C" const cps::ort::ApiBase* OrtGetApiBase() {
  static const cps::ort::ApiBase base{cps::ort::getApi, cps::ort::versionString};
  return &base;
}
