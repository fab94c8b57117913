#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tf/api.h"

// Note [Fake TensorFlow]
// A library of TensorFlow's name with the functions of its C API that native/tf uses. It keeps what
// is registered, and runs a kernel where it is told to. It computes nothing and moves no memory.
// With CPS_FAKE_TF_LOG it also writes what is registered to that file, line by line.
namespace cps::tf::fake {

struct Memory {
  void* data = nullptr;
  size_t bytes = 0;
  void (*deallocator)(void*, size_t, void*) = nullptr;
  void* argument = nullptr;
  ~Memory() {
    if (deallocator != nullptr) deallocator(data, bytes, argument);
  }
};

// "OP DEVICE ARGUMENTS-IN-HOST-MEMORY", in the order of registration.
std::vector<std::string> kernels();

struct Result {
  std::string error;
  int type = 0;
  std::vector<int64_t> dims;
  std::shared_ptr<Memory> memory;  // as one reference of TensorFlow's
};
Result run(const std::string& op, const std::string& device, int32_t token);

}  // namespace cps::tf::fake
