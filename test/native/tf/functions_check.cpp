// Compiled against what a TensorFlow declares by test/adapters/tfjs/tfjs-node.test.ts: every
// function of our own list (native/tf/api.h) is declared there and takes and gives the same kinds
// of values.
#ifdef CPS_TF_RECORDED  // a file with the declarations of a version that is not here
#include CPS_TF_RECORDED
#else
#include <tensorflow/c/c_api.h>
#include <tensorflow/c/kernels.h>
#include <tensorflow/c/ops.h>
#endif

#include <type_traits>

#include "tf/api.h"

namespace {

// Pointers are alike, to functions or to handles; other values by size.
template <typename A, typename B>
constexpr bool alike() {
  if constexpr (std::is_void_v<A> || std::is_void_v<B>) {
    return std::is_void_v<A> == std::is_void_v<B>;
  } else {
    return std::is_pointer_v<A> == std::is_pointer_v<B> && sizeof(A) == sizeof(B);
  }
}

template <typename A, typename B>
struct Same : std::false_type {};
template <typename R, typename... P, typename S, typename... Q>
requires(sizeof...(P) == sizeof...(Q)) struct Same<R (*)(P...), S (*)(Q...)>
    : std::bool_constant<alike<R, S>() && (... && alike<P, Q>())> {
};

#define CPS_CHECK(name, ...) \
  static_assert(Same<decltype(&::name), decltype(cps::tf::Api::name)>(), "type of " #name);
CPS_TF_FUNCTIONS(CPS_CHECK)

static_assert(TF_OK == cps::tf::kOk && TF_NOT_FOUND == cps::tf::kNotFound);
static_assert(TF_FLOAT == 1 && TF_INT32 == 3 && TF_UINT8 == 4 && TF_INT64 == 9 && TF_BOOL == 10 &&
              TF_BFLOAT16 == 14 && TF_HALF == 19);

}  // namespace
