#pragma once

#include <cstdint>
#include <functional>
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
//
// On a GPU the same op has a second kernel, which is registered on request only: no GPU has run it.
// TensorFlow lets go of a tensor as soon as the last work on it has been enqueued, for its own
// memory is used again in the order of its stream. Ours is not, so it is given back by a thread of
// its own, after it has waited for everything on the device: neither TensorFlow's threads nor
// JavaScript's wait.
namespace cps::tf {

struct Offer {
  int type = 0;  // TensorFlow's number of the element type
  std::vector<int64_t> dims;
  void* data = nullptr;
  size_t bytes = 0;
  std::shared_ptr<const void> owner;  // holds the memory
  // Of device memory: waits until nothing on the device uses it.
  std::function<void()> settle;
};

struct Attached {
  std::string version;  // of TensorFlow
  std::string op;       // token: int32 -> output: T
};

// Registers the op and its kernel for the CPU with the TensorFlow that the process has loaded,
// once; with `gpu` the kernel for GPUs, too. Throws Error(BackendUnavailable) where that cannot be.
Attached attach(bool gpu);

// Puts an offer under a token, for one run of the op.
int32_t offer(Offer offer);
// Takes back an offer that was not taken.
void withdraw(int32_t token) noexcept;

}  // namespace cps::tf
