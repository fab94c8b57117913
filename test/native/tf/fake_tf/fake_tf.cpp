#include "tf/fake_tf/fake_tf.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace cps::tf {

struct TfStatusHandle {
  int code = 0;
  std::string text;
};
struct TfTensorHandle {
  int type = 0;
  std::vector<int64_t> dims;
  std::shared_ptr<fake::Memory> memory;
};
struct TfOpBuilderHandle {
  std::string name;
};
struct TfKernelBuilderHandle {
  std::string op, device, hostArguments;
  void* (*create)(Construction*) = nullptr;
  void (*compute)(void*, KernelContext*) = nullptr;
  void (*destroy)(void*) = nullptr;
};
struct TfKernelContextHandle {
  Tensor* input = nullptr;
  std::unique_ptr<Tensor> output;
  std::string failure;
};

namespace fake {
namespace {

std::vector<std::unique_ptr<KernelBuilder>>& registered() {
  static auto* const all = new std::vector<std::unique_ptr<KernelBuilder>>;
  return *all;
}

std::string lineOf(const KernelBuilder& kernel) {
  return kernel.op + " " + kernel.device + " " + kernel.hostArguments;
}

void log(const std::string& line) {
  const char* file = std::getenv("CPS_FAKE_TF_LOG");
  if (file == nullptr) return;
  if (std::FILE* out = std::fopen(file, "a")) {
    std::fprintf(out, "%s\n", line.c_str());
    std::fclose(out);
  }
}

void set(Status* status, int code, const std::string& text) {
  status->code = code;
  status->text = text;
}

}  // namespace

std::vector<std::string> kernels() {
  std::vector<std::string> lines;
  for (const auto& kernel : registered()) lines.push_back(lineOf(*kernel));
  return lines;
}

Result run(const std::string& op, const std::string& device, int32_t token) {
  for (const auto& kernel : registered()) {
    if (kernel->op != op || kernel->device != device) continue;
    Tensor input;
    input.memory = std::make_shared<Memory>();
    input.memory->data = &token;
    KernelContext context;
    context.input = &input;
    void* const made = kernel->create(nullptr);
    kernel->compute(made, &context);
    kernel->destroy(made);
    Result result;
    result.error = context.failure;
    if (context.output) {
      result.type = context.output->type;
      result.dims = context.output->dims;
      result.memory = context.output->memory;
    }
    return result;
  }
  return {"no kernel for " + device, 0, {}, nullptr};
}

}  // namespace fake
}  // namespace cps::tf

using namespace cps::tf;

extern "C" {

const char* TF_Version() { return "fake"; }
Status* TF_NewStatus() { return new Status; }
void TF_DeleteStatus(Status* status) { delete status; }
void TF_SetStatus(Status* status, int code, const char* text) { fake::set(status, code, text); }
int TF_GetCode(const Status* status) { return status->code; }
const char* TF_Message(const Status* status) { return status->text.c_str(); }
OpBuilder* TF_NewOpDefinitionBuilder(const char* name) { return new OpBuilder{name}; }
void TF_OpDefinitionBuilderAddAttr(OpBuilder*, const char*) {}
void TF_OpDefinitionBuilderAddInput(OpBuilder*, const char*) {}
void TF_OpDefinitionBuilderAddOutput(OpBuilder*, const char*) {}
void TF_OpDefinitionBuilderSetIsStateful(OpBuilder*, bool) {}
void TF_OpDefinitionBuilderSetShapeInferenceFunction(OpBuilder*, void (*)(ShapeContext*, Status*)) {
}
void TF_RegisterOpDefinition(OpBuilder* builder, Status*) {
  fake::log("op " + builder->name);
  delete builder;
}
void TF_ShapeInferenceContextSetUnknownShape(ShapeContext*, Status*) {}
KernelBuilder* TF_NewKernelBuilder(const char* op, const char* device,
                                   void* (*create)(Construction*),
                                   void (*compute)(void*, KernelContext*), void (*destroy)(void*)) {
  return new KernelBuilder{op, device, "", create, compute, destroy};
}
void TF_KernelBuilder_HostMemory(KernelBuilder* builder, const char* argument) {
  builder->hostArguments += argument;
}
void TF_RegisterKernelBuilder(const char*, KernelBuilder* builder, Status* status) {
  for (const auto& other : fake::registered()) {
    if (other->op == builder->op && other->device == builder->device) {
      fake::set(status, 6, "registered twice");
    }
  }
  fake::log("kernel " + fake::lineOf(*builder));
  fake::registered().emplace_back(builder);
}
void TF_GetInput(KernelContext* context, int, Tensor** out, Status*) {
  *out = new Tensor(*context->input);
}
void TF_SetOutput(KernelContext* context, int, const Tensor* tensor, Status*) {
  context->output = std::make_unique<Tensor>(*tensor);
}
void TF_OpKernelContext_Failure(KernelContext* context, Status* status) {
  context->failure = status->text;
}
Tensor* TF_NewTensor(int type, const int64_t* dims, int rank, void* data, size_t bytes,
                     void (*deallocator)(void*, size_t, void*), void* argument) {
  auto* tensor = new Tensor;
  tensor->type = type;
  tensor->dims.assign(dims, dims + rank);
  tensor->memory = std::make_shared<fake::Memory>();
  tensor->memory->data = data;
  tensor->memory->bytes = bytes;
  tensor->memory->deallocator = deallocator;
  tensor->memory->argument = argument;
  return tensor;
}
void TF_DeleteTensor(Tensor* tensor) { delete tensor; }
void* TF_TensorData(const Tensor* tensor) { return tensor->memory->data; }

}  // extern "C"
