#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "core/cancel.h"
#include "ort/library.h"

namespace cps::ort {

// An input or output as the model declares it.
struct ModelValue {
  std::string name;
  int type = 0;                      // ONNX's number of the element type; 0: no tensor
  std::vector<int64_t> dims;         // -1: open
  std::vector<std::string> symbols;  // names of open sides, empty for fixed ones
};

struct SessionConfig {
  std::vector<std::string> providers;  // "cuda", "tensorrt", "cpu", in order
  int deviceId = 0;
  std::map<std::string, std::map<std::string, std::string>> providerOptions;
  int intraOpNumThreads = 0;  // 0: ONNX Runtime's own choice
};

struct Model {
  std::string path;  // or
  std::shared_ptr<const std::vector<uint8_t>> bytes;
};

// Memory that a run reads, where it is.
struct Input {
  std::string name;
  int type = 0;
  std::vector<int64_t> dims;
  const void* data = nullptr;
  size_t bytes = 0;
  Device device;
  std::shared_ptr<const void> owner;  // holds the memory
};

struct Output {
  std::string name;
  int type = 0;
  std::vector<int64_t> dims;
  Buffer buffer;  // ONNX Runtime's own memory
};

// Bytes of an element; 0 for types without a fixed size (strings).
size_t elementBytes(int type);

// A session of its own in a libonnxruntime that is there already. Immutable; any number of runs at
// once from any threads.
class Session {
 public:
  static std::shared_ptr<const Session> create(LibraryPtr library, const Model& model,
                                               const SessionConfig& config);
  ~Session() = default;

  const std::vector<ModelValue>& inputs() const { return inputs_; }
  const std::vector<ModelValue>& outputs() const { return outputs_; }
  // Where inputs are read without a copy and where outputs stay on request.
  Device device() const { return device_; }

  // Waits until the outputs are there: in host memory, or on device(). Inputs may be in host memory
  // or on device(). Throws Error(Aborted) soon after `cancel` was cancelled.
  std::vector<Output> run(const std::vector<Input>& inputs, bool onDevice,
                          const CancelPtr& cancel) const;

 private:
  Session(LibraryPtr library, Device device);

  LibraryPtr library_;
  Held<SessionHandle> session_;
  Device device_;
  std::vector<ModelValue> inputs_, outputs_;
};
using SessionPtr = std::shared_ptr<const Session>;

}  // namespace cps::ort
