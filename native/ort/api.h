#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

// Note [ONNX Runtime's table]
// ONNX Runtime's C API is one table of functions that only ever grows at its end: the place of an
// entry is its identity, in every version from the one that brought it. So no header is needed,
// only the places of the entries in use and their types, with handles that stay opaque. The list
// below is compared with a real header, place by place and type by type, by
// test/adapters/ort/ort-table.test.ts.
namespace cps::ort {

// The lowest version of the API that has every entry below: ONNX Runtime 1.11.
inline constexpr uint32_t kApiVersion = 11;

// Handles: only ONNX Runtime looks into them.
using Status = struct OrtStatusHandle;
using Env = struct OrtEnvHandle;
using SessionHandle = struct OrtSessionHandle;
using SessionOptions = struct OrtSessionOptionsHandle;
using RunOptions = struct OrtRunOptionsHandle;
using Value = struct OrtValueHandle;
using MemoryInfo = struct OrtMemoryInfoHandle;
using TypeInfo = struct OrtTypeInfoHandle;
using ShapeInfo = struct OrtTensorTypeAndShapeInfoHandle;
using Allocator = struct OrtAllocatorHandle;
using IoBinding = struct OrtIoBindingHandle;
using CudaOptions = struct OrtCudaOptionsHandle;
using TensorRtOptions = struct OrtTensorRtOptionsHandle;

// Values of its enums.
inline constexpr int kLogWarning = 2;
inline constexpr int kLogFatal = 4;
inline constexpr int kDeviceAllocator = 0;
inline constexpr int kDefaultMemory = 0;
inline constexpr int kOnnxTensor = 1;
enum StatusCode : int {
  kFail = 1,
  kInvalidArgument = 2,
  kNoSuchFile = 3,
  kNoModel = 4,
  kInvalidProtobuf = 7,
  kNotImplemented = 9,
  kInvalidGraph = 10,
};

// Place in the table, name, type.
#define CPS_ORT_ENTRIES(X)                                                                     \
  X(1, GetErrorCode, int(const Status*))                                                       \
  X(2, GetErrorMessage, const char*(const Status*))                                            \
  X(3, CreateEnv, Status*(int level, const char* id, Env**))                                   \
  X(7, CreateSession,                                                                          \
    Status*(const Env*, const char* path, const SessionOptions*, SessionHandle**))             \
  X(8, CreateSessionFromArray,                                                                 \
    Status*(const Env*, const void*, size_t, const SessionOptions*, SessionHandle**))          \
  X(10, CreateSessionOptions, Status*(SessionOptions**))                                       \
  X(24, SetIntraOpNumThreads, Status*(SessionOptions*, int))                                   \
  X(30, SessionGetInputCount, Status*(const SessionHandle*, size_t*))                          \
  X(31, SessionGetOutputCount, Status*(const SessionHandle*, size_t*))                         \
  X(33, SessionGetInputTypeInfo, Status*(const SessionHandle*, size_t, TypeInfo**))            \
  X(34, SessionGetOutputTypeInfo, Status*(const SessionHandle*, size_t, TypeInfo**))           \
  X(36, SessionGetInputName, Status*(const SessionHandle*, size_t, Allocator*, char**))        \
  X(37, SessionGetOutputName, Status*(const SessionHandle*, size_t, Allocator*, char**))       \
  X(39, CreateRunOptions, Status*(RunOptions**))                                               \
  X(41, RunOptionsSetRunLogSeverityLevel, Status*(RunOptions*, int))                           \
  X(46, RunOptionsSetTerminate, Status*(RunOptions*))                                          \
  X(49, CreateTensorWithDataAsOrtValue,                                                        \
    Status*(const MemoryInfo*, void*, size_t, const int64_t*, size_t, int type, Value**))      \
  X(50, IsTensor, Status*(const Value*, int*))                                                 \
  X(51, GetTensorMutableData, Status*(Value*, void**))                                         \
  X(55, CastTypeInfoToTensorInfo, Status*(const TypeInfo*, const ShapeInfo**))                 \
  X(56, GetOnnxTypeFromTypeInfo, Status*(const TypeInfo*, int*))                               \
  X(60, GetTensorElementType, Status*(const ShapeInfo*, int*))                                 \
  X(61, GetDimensionsCount, Status*(const ShapeInfo*, size_t*))                                \
  X(62, GetDimensions, Status*(const ShapeInfo*, int64_t*, size_t))                            \
  X(63, GetSymbolicDimensions, Status*(const ShapeInfo*, const char**, size_t))                \
  X(65, GetTensorTypeAndShape, Status*(const Value*, ShapeInfo**))                             \
  X(68, CreateMemoryInfo, Status*(const char*, int allocator, int id, int type, MemoryInfo**)) \
  X(71, MemoryInfoGetName, Status*(const MemoryInfo*, const char**))                           \
  X(72, MemoryInfoGetId, Status*(const MemoryInfo*, int*))                                     \
  X(76, AllocatorFree, Status*(Allocator*, void*))                                             \
  X(78, GetAllocatorWithDefaultOptions, Status*(Allocator**))                                  \
  X(92, ReleaseEnv, void(Env*))                                                                \
  X(93, ReleaseStatus, void(Status*))                                                          \
  X(94, ReleaseMemoryInfo, void(MemoryInfo*))                                                  \
  X(95, ReleaseSession, void(SessionHandle*))                                                  \
  X(96, ReleaseValue, void(Value*))                                                            \
  X(97, ReleaseRunOptions, void(RunOptions*))                                                  \
  X(98, ReleaseTypeInfo, void(TypeInfo*))                                                      \
  X(99, ReleaseTensorTypeAndShapeInfo, void(ShapeInfo*))                                       \
  X(100, ReleaseSessionOptions, void(SessionOptions*))                                         \
  X(133, RunWithBinding, Status*(SessionHandle*, const RunOptions*, const IoBinding*))         \
  X(134, CreateIoBinding, Status*(SessionHandle*, IoBinding**))                                \
  X(135, ReleaseIoBinding, void(IoBinding*))                                                   \
  X(136, BindInput, Status*(IoBinding*, const char*, const Value*))                            \
  X(138, BindOutputToDevice, Status*(IoBinding*, const char*, const MemoryInfo*))              \
  X(140, GetBoundOutputValues, Status*(const IoBinding*, Allocator*, Value***, size_t*))       \
  X(170, SessionOptionsAppendExecutionProvider_TensorRT_V2,                                    \
    Status*(SessionOptions*, const TensorRtOptions*))                                          \
  X(171, CreateTensorRTProviderOptions, Status*(TensorRtOptions**))                            \
  X(172, UpdateTensorRTProviderOptions,                                                        \
    Status*(TensorRtOptions*, const char* const* keys, const char* const* values, size_t))     \
  X(174, ReleaseTensorRTProviderOptions, void(TensorRtOptions*))                               \
  X(192, HasValue, Status*(const Value*, int*))                                                \
  X(194, GetTensorMemoryInfo, Status*(const Value*, const MemoryInfo**))                       \
  X(202, SynchronizeBoundInputs, Status*(IoBinding*))                                          \
  X(203, SynchronizeBoundOutputs, Status*(IoBinding*))                                         \
  X(204, SessionOptionsAppendExecutionProvider_CUDA_V2,                                        \
    Status*(SessionOptions*, const CudaOptions*))                                              \
  X(205, CreateCUDAProviderOptions, Status*(CudaOptions**))                                    \
  X(206, UpdateCUDAProviderOptions,                                                            \
    Status*(CudaOptions*, const char* const* keys, const char* const* values, size_t))         \
  X(208, ReleaseCUDAProviderOptions, void(CudaOptions*))

struct Api {
#define CPS_ORT_MEMBER(place, name, ...) std::add_pointer_t<__VA_ARGS__> name = nullptr;
  CPS_ORT_ENTRIES(CPS_ORT_MEMBER)
#undef CPS_ORT_MEMBER
};

// What OrtGetApiBase() gives.
struct ApiBase {
  const void* const* (*getApi)(uint32_t version);
  const char* (*versionString)();
};

// The table of `base` as the entries in use.
Api readTable(const void* const* table);

}  // namespace cps::ort
