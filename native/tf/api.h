#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

// The functions of TensorFlow's C API in use, by name and type; handles stay opaque and no header
// is needed. test/adapters/tfjs/tfjs-node.test.ts compares them with the headers of
// TensorFlow 2.9.1, which tfjs-node ships, and of a newer one.
namespace cps::tf {

using Status = struct TfStatusHandle;
using Tensor = struct TfTensorHandle;
using OpBuilder = struct TfOpBuilderHandle;
using KernelBuilder = struct TfKernelBuilderHandle;
using Construction = struct TfConstructionHandle;
using KernelContext = struct TfKernelContextHandle;
using ShapeContext = struct TfShapeContextHandle;

// Values of its enums.
inline constexpr int kOk = 0;
inline constexpr int kNotFound = 5;

#define CPS_TF_FUNCTIONS(X)                                                                  \
  X(TF_Version, const char*())                                                               \
  X(TF_NewStatus, Status*())                                                                 \
  X(TF_DeleteStatus, void(Status*))                                                          \
  X(TF_SetStatus, void(Status*, int, const char*))                                           \
  X(TF_GetCode, int(const Status*))                                                          \
  X(TF_Message, const char*(const Status*))                                                  \
  X(TF_NewOpDefinitionBuilder, OpBuilder*(const char*))                                      \
  X(TF_OpDefinitionBuilderAddAttr, void(OpBuilder*, const char*))                            \
  X(TF_OpDefinitionBuilderAddInput, void(OpBuilder*, const char*))                           \
  X(TF_OpDefinitionBuilderAddOutput, void(OpBuilder*, const char*))                          \
  X(TF_OpDefinitionBuilderSetIsStateful, void(OpBuilder*, bool))                             \
  X(TF_OpDefinitionBuilderSetShapeInferenceFunction,                                         \
    void(OpBuilder*, void (*)(ShapeContext*, Status*)))                                      \
  X(TF_RegisterOpDefinition, void(OpBuilder*, Status*))                                      \
  X(TF_ShapeInferenceContextSetUnknownShape, void(ShapeContext*, Status*))                   \
  X(TF_NewKernelBuilder, KernelBuilder*(const char*, const char*, void* (*)(Construction*),  \
                                        void (*)(void*, KernelContext*), void (*)(void*)))   \
  X(TF_KernelBuilder_HostMemory, void(KernelBuilder*, const char*))                          \
  X(TF_RegisterKernelBuilder, void(const char*, KernelBuilder*, Status*))                    \
  X(TF_GetInput, void(KernelContext*, int, Tensor**, Status*))                               \
  X(TF_SetOutput, void(KernelContext*, int, const Tensor*, Status*))                         \
  X(TF_OpKernelContext_Failure, void(KernelContext*, Status*))                               \
  X(TF_NewTensor,                                                                            \
    Tensor*(int, const int64_t*, int, void*, size_t, void (*)(void*, size_t, void*), void*)) \
  X(TF_DeleteTensor, void(Tensor*))                                                          \
  X(TF_TensorData, void*(const Tensor*))

struct Api {
#define CPS_TF_MEMBER(name, ...) std::add_pointer_t<__VA_ARGS__> name = nullptr;
  CPS_TF_FUNCTIONS(CPS_TF_MEMBER)
#undef CPS_TF_MEMBER
};

// The functions of the TensorFlow that this process has loaded, which stays loaded. Throws
// Error(BackendUnavailable) where there is none, or one that lacks some of them.
Api loadedApi();

}  // namespace cps::tf
