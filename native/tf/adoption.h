#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

// Note [Adopted memory]
// tfjs-node makes tensors by copying JavaScript's memory. An op of our own makes one over memory
// that is there: it takes a token, an int32, and gives the tensor that was offered under it.
// TensorFlow frees the memory by dropping the hold that came with the offer, from any thread,
// whenever its last use of the tensor is over. It knows ops and kernels by plain functions that
// must stay for good: so there is one table of offers per copy of this library, the library is kept
// from being unloaded, and the op's name says which copy it belongs to.
namespace cps::tf {

struct Offer {
  int type = 0;  // TensorFlow's number of the element type
  std::vector<int64_t> dims;
  void* data = nullptr;
  size_t bytes = 0;
  std::shared_ptr<const void> owner;  // holds the memory
};

struct Attached {
  std::string version;  // of TensorFlow
  std::string op;       // token: int32 -> output: T, on the CPU
};

// Registers the op with the TensorFlow that the process has loaded, once. Throws
// Error(BackendUnavailable) where that cannot be.
Attached attach();

// Puts an offer under a token, for one run of the op.
int32_t offer(Offer offer);
// Takes back an offer that was not taken.
void withdraw(int32_t token) noexcept;

}  // namespace cps::tf
