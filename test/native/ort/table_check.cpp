// Compiled against a real onnxruntime_c_api.h by test/adapters/ort/ort-table.test.ts: every entry
// of our own list (Note [ONNX Runtime's table]) is in its place, and its function takes and gives
// the same kinds of values. Handles are pointers on both sides.
#include <onnxruntime_c_api.h>

#include <cstddef>
#include <type_traits>

#include "ort/api.h"

namespace {

// What a value is to the machine: pointers of one depth are alike, other values by size.
template <typename T>
constexpr int depth() {
  if constexpr (std::is_pointer_v<T>) {
    return 1 + depth<std::remove_pointer_t<T>>();
  } else {
    return 0;
  }
}
template <typename A, typename B>
constexpr bool alike() {
  if constexpr (std::is_void_v<A> || std::is_void_v<B>) {
    return std::is_void_v<A> == std::is_void_v<B>;
  } else {
    return depth<A>() == depth<B>() && sizeof(A) == sizeof(B) &&
           std::is_floating_point_v<A> == std::is_floating_point_v<B>;
  }
}

template <typename A, typename B>
struct Same : std::false_type {};
template <typename R, typename... P, typename S, typename... Q>
requires(sizeof...(P) == sizeof...(Q)) struct Same<R (*)(P...), S (*)(Q...)>
    : std::bool_constant<alike<R, S>() && (... && alike<P, Q>())> {
};

// noexcept is part of a type, and says nothing about a call.
template <typename T>
struct Plain {
  using Type = T;
};
template <typename R, typename... P>
struct Plain<R (*)(P...) noexcept> {
  using Type = R (*)(P...);
};

#define CPS_CHECK(place, name, ...)                                                         \
  static_assert(offsetof(OrtApi, name) == (place) * sizeof(void*), "place of " #name);      \
  static_assert(Same<Plain<decltype(OrtApi::name)>::Type, decltype(cps::ort::Api::name)>(), \
                "type of " #name);
CPS_ORT_ENTRIES(CPS_CHECK)

static_assert(offsetof(OrtApiBase, GetApi) == offsetof(cps::ort::ApiBase, getApi));
static_assert(offsetof(OrtApiBase, GetVersionString) == offsetof(cps::ort::ApiBase, versionString));
static_assert(ORT_LOGGING_LEVEL_WARNING == cps::ort::kLogWarning &&
              ORT_LOGGING_LEVEL_FATAL == cps::ort::kLogFatal);
static_assert(OrtDeviceAllocator == cps::ort::kDeviceAllocator);
static_assert(OrtMemTypeDefault == cps::ort::kDefaultMemory);
static_assert(ONNX_TYPE_TENSOR == cps::ort::kOnnxTensor);
static_assert(ORT_FAIL == int{cps::ort::kFail} &&
              ORT_INVALID_ARGUMENT == int{cps::ort::kInvalidArgument} &&
              ORT_NO_SUCHFILE == int{cps::ort::kNoSuchFile} &&
              ORT_NO_MODEL == int{cps::ort::kNoModel} &&
              ORT_INVALID_PROTOBUF == int{cps::ort::kInvalidProtobuf} &&
              ORT_NOT_IMPLEMENTED == int{cps::ort::kNotImplemented} &&
              ORT_INVALID_GRAPH == int{cps::ort::kInvalidGraph});
static_assert(ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16 == 16 &&
              ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16 == 10 &&
              ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64 == 13);

}  // namespace
