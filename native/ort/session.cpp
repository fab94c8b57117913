#include "ort/session.h"

#include <algorithm>
#include <utility>

#include "ort/providers.h"

namespace cps::ort {
namespace {

using Doing = Library::Doing;

// Memory of one output, freed by giving its value back.
class ValueMemory final : public MemoryResource {
 public:
  ValueMemory(Held<Value> value, Device device) : value_(std::move(value)), device_(device) {}
  Device device() const override { return device_; }
  void* allocate(size_t) override {
    throw std::bad_alloc();
  }                                                    // it has one block, and that is in use
  void deallocate(void*, size_t) noexcept override {}  // with the value

 private:
  Held<Value> value_;
  Device device_;
};

std::vector<int64_t> dimsOf(const Library& library, const ShapeInfo* info) {
  size_t count = 0;
  library.check(library.api().GetDimensionsCount(info, &count), Doing::Run, "The shape");
  std::vector<int64_t> dims(count);
  library.check(library.api().GetDimensions(info, dims.data(), count), Doing::Run, "The shape");
  return dims;
}

int typeOf(const Library& library, const ShapeInfo* info) {
  int type = 0;
  library.check(library.api().GetTensorElementType(info, &type), Doing::Run, "The type");
  return type;
}

ModelValue declared(const LibraryPtr& library, const SessionHandle* session, size_t index,
                    bool input) {
  const Api& api = library->api();
  const auto check = [&](Status* status) { library->check(status, Doing::Load, "The model"); };
  Allocator* allocator = nullptr;
  check(api.GetAllocatorWithDefaultOptions(&allocator));
  ModelValue value;
  char* name = nullptr;
  check((input ? api.SessionGetInputName : api.SessionGetOutputName)(session, index, allocator,
                                                                     &name));
  value.name = name;
  check(api.AllocatorFree(allocator, name));
  Held<TypeInfo> info(library, &Api::ReleaseTypeInfo);
  check((input ? api.SessionGetInputTypeInfo : api.SessionGetOutputTypeInfo)(session, index,
                                                                             info.out()));
  int kind = 0;
  check(api.GetOnnxTypeFromTypeInfo(info.get(), &kind));
  const ShapeInfo* shape = nullptr;  // the type's own
  if (kind == kOnnxTensor) check(api.CastTypeInfoToTensorInfo(info.get(), &shape));
  if (shape == nullptr) return value;
  value.type = typeOf(*library, shape);
  value.dims = dimsOf(*library, shape);
  std::vector<const char*> symbols(value.dims.size(), "");
  check(api.GetSymbolicDimensions(shape, symbols.data(), symbols.size()));
  value.symbols.assign(symbols.begin(), symbols.end());
  return value;
}

std::vector<ModelValue> declaredAll(const LibraryPtr& library, const SessionHandle* session,
                                    bool input) {
  const Api& api = library->api();
  size_t count = 0;
  library->check((input ? api.SessionGetInputCount : api.SessionGetOutputCount)(session, &count),
                 Doing::Load, "The model");
  std::vector<ModelValue> values;
  for (size_t i = 0; i < count; ++i) values.push_back(declared(library, session, i, input));
  return values;
}

Held<MemoryInfo> placeOf(const LibraryPtr& library, Device device) {
  Held<MemoryInfo> info(library, &Api::ReleaseMemoryInfo);
  library->check(library->api().CreateMemoryInfo(device.isCpu() ? "Cpu" : "Cuda", kDeviceAllocator,
                                                 device.id, kDefaultMemory, info.out()),
                 Doing::Run, device.name());
  return info;
}

Device deviceOf(const Library& library, const Value* value) {
  const MemoryInfo* info = nullptr;  // the value's own
  library.check(library.api().GetTensorMemoryInfo(value, &info), Doing::Run, "An output");
  const char* name = nullptr;
  int id = 0;
  library.check(library.api().MemoryInfoGetName(info, &name), Doing::Run, "An output");
  library.check(library.api().MemoryInfoGetId(info, &id), Doing::Run, "An output");
  return std::string(name) == "Cuda" ? Device::cuda(id) : Device::cpu();
}

// False for an output that the model left empty.
bool take(const LibraryPtr& library, Held<Value> value, Output& out) {
  const Api& api = library->api();
  const auto check = [&](Status* status) { library->check(status, Doing::Run, out.name); };
  int has = 0, tensor = 0;
  check(api.HasValue(value.get(), &has));
  if (has == 0) return false;
  check(api.IsTensor(value.get(), &tensor));
  Held<ShapeInfo> shape(library, &Api::ReleaseTensorTypeAndShapeInfo);
  if (tensor != 0) check(api.GetTensorTypeAndShape(value.get(), shape.out()));
  out.type = tensor != 0 ? typeOf(*library, shape.get()) : 0;
  if (elementBytes(out.type) == 0) {
    throw Error(ErrorCode::Unsupported, Stage::Process,
                "The output '" + out.name + "' of the model is no tensor of numbers");
  }
  out.dims = dimsOf(*library, shape.get());
  size_t bytes = elementBytes(out.type);
  for (const int64_t side : out.dims) bytes *= static_cast<size_t>(side);
  void* data = nullptr;
  check(api.GetTensorMutableData(value.get(), &data));
  const Device device = deviceOf(*library, value.get());
  static char none;  // an ArrayBuffer over no address counts as one that was given away
  if (data == nullptr) data = &none;
  out.buffer = Buffer::adopt(std::make_shared<ValueMemory>(std::move(value), device), data, bytes);
  return true;
}

}  // namespace

size_t elementBytes(int type) {
  // By ONNX's numbers: none, float32, (u)int8, (u)int16, int32, int64, string, bool, float16,
  // float64, uint32, uint64, complex64, complex128, bfloat16.
  constexpr size_t kBytes[] = {0, 4, 1, 1, 2, 2, 4, 8, 0, 1, 2, 8, 4, 8, 8, 16, 2};
  return type >= 0 && static_cast<size_t>(type) < std::size(kBytes) ? kBytes[type] : 0;
}

Session::Session(LibraryPtr library, Device device)
    : library_(library), session_(std::move(library), &Api::ReleaseSession), device_(device) {}

std::shared_ptr<const Session> Session::create(LibraryPtr library, const Model& model,
                                               const SessionConfig& config) {
  const Api& api = library->api();
  const std::string name =
      model.bytes ? "<model, " + std::to_string(model.bytes->size()) + " bytes>" : model.path;
  const auto check = [&](Status* status) { library->check(status, Doing::Load, name); };
  Held<SessionOptions> options(library, &Api::ReleaseSessionOptions);
  check(api.CreateSessionOptions(options.out()));
  if (config.intraOpNumThreads > 0) {
    check(api.SetIntraOpNumThreads(options.get(), config.intraOpNumThreads));
  }
  appendProviders(library, options.get(), config);
  const bool gpu = std::any_of(config.providers.begin(), config.providers.end(),
                               [](const std::string& p) { return p != "cpu"; });
  std::shared_ptr<Session> session(
      new Session(library, gpu ? Device::cuda(config.deviceId) : Device::cpu()));
  check(model.bytes
            ? api.CreateSessionFromArray(library->env(), model.bytes->data(), model.bytes->size(),
                                         options.get(), session->session_.out())
            : api.CreateSession(library->env(), model.path.c_str(), options.get(),
                                session->session_.out()));
  session->inputs_ = declaredAll(library, session->session_.get(), true);
  session->outputs_ = declaredAll(library, session->session_.get(), false);
  return session;
}

std::vector<Output> Session::run(const std::vector<Input>& inputs, bool onDevice,
                                 const CancelPtr& cancel) const {
  const Api& api = library_->api();
  const auto check = [&](Status* status, const std::string& what = "The run") {
    library_->check(status, Doing::Run, what);
  };
  cancel->check(Stage::Process);
  Held<IoBinding> binding(library_, &Api::ReleaseIoBinding);
  check(api.CreateIoBinding(session_.get(), binding.out()));
  const Held<MemoryInfo> host = placeOf(library_, Device::cpu());
  const Held<MemoryInfo> device = placeOf(library_, device_);
  for (const Input& input : inputs) {
    static int64_t nothing = 0;  // an address, for shapes and tensors without elements
    const bool here = input.device.isCpu();
    if (!here && !(input.device == device_)) {
      throw Error(ErrorCode::InvalidArgument, Stage::Process,
                  "The input '" + input.name + "' is on " + input.device.name() +
                      " and the session on " + device_.name());
    }
    void* data = const_cast<void*>(input.bytes == 0 ? &nothing : input.data);
    Held<Value> value(library_, &Api::ReleaseValue);
    check(api.CreateTensorWithDataAsOrtValue(here ? host.get() : device.get(), data, input.bytes,
                                             input.dims.empty() ? &nothing : input.dims.data(),
                                             input.dims.size(), input.type, value.out()),
          "The input '" + input.name + "'");
    check(api.BindInput(binding.get(), input.name.c_str(), value.get()),
          "The input '" + input.name + "'");
  }
  for (const ModelValue& output : outputs_) {
    check(api.BindOutputToDevice(binding.get(), output.name.c_str(),
                                 onDevice ? device.get() : host.get()),
          "The output '" + output.name + "'");
  }
  check(api.SynchronizeBoundInputs(binding.get()));
  Held<RunOptions> options(library_, &Api::ReleaseRunOptions);
  check(api.CreateRunOptions(options.out()));
  // What goes wrong is thrown; an abort would be reported on stderr as a node that failed.
  check(api.RunOptionsSetRunLogSeverityLevel(options.get(), kLogFatal));
  {
    const CancelToken::Stop stop(cancel, [&] {
      if (Status* status = api.RunOptionsSetTerminate(options.get())) api.ReleaseStatus(status);
    });
    Status* const status = api.RunWithBinding(session_.get(), options.get(), binding.get());
    if (status != nullptr && cancel->cancelled()) {
      api.ReleaseStatus(status);
      cancel->check(Stage::Process);
    }
    check(status);
  }
  check(api.SynchronizeBoundOutputs(binding.get()));
  Allocator* allocator = nullptr;
  check(api.GetAllocatorWithDefaultOptions(&allocator));
  Value** values = nullptr;
  size_t count = 0;
  check(api.GetBoundOutputValues(binding.get(), allocator, &values, &count));
  std::vector<Held<Value>> held;
  for (size_t i = 0; i < count; ++i) {
    *held.emplace_back(library_, &Api::ReleaseValue).out() = values[i];
  }
  check(api.AllocatorFree(allocator, values));
  std::vector<Output> results;
  for (size_t i = 0; i < held.size() && i < outputs_.size(); ++i) {
    Output out;
    out.name = outputs_[i].name;
    if (take(library_, std::move(held[i]), out)) results.push_back(std::move(out));
  }
  return results;
}

}  // namespace cps::ort
