#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "backend/kernels.h"
#include "backend/stack.h"
#include "core/buffer.h"
#include "core/cancel.h"
#include "media/decode/cpu_source.h"

namespace cps {

// What the GPU backend offers the pipeline, filled by cuda/; nothing outside cuda/ sees a CUDA
// header.
struct GpuBackend {
  // Empty when device `id` can process; else what is missing (driver, device), for people.
  std::function<std::string(int id)> whyNotProcess;
  // Empty when device `id` can decode at all; the codec is judged by openSource.
  std::function<std::string(int id)> whyNotDecode;
  // Makes a device that can process ready: memory, kernels. A first call would do the same.
  std::function<void(int id)> warmUp;
  // On the decode device. Throws Error(BackendUnavailable) when it cannot decode this stream.
  std::function<std::unique_ptr<FrameSource>(const VideoInput&, const CallContext&,
                                             const MediaServices&, const DevicesOptions&)>
      openSource;
  std::function<std::unique_ptr<Kernels>(int id, const CancelPtr&)> makeKernels;
  // Moves a decoded picture to the other kind of device (host <-> device id).
  std::function<SourceFrame(const SourceFrame&, Device to)> transfer;
  // A device buffer in host memory, through pinned staging.
  std::function<Buffer(const Buffer&)> downloadPinned;
  // Throws Error(Device) where this device memory was lost with its context.
  std::function<void(const Buffer&)> checkMemory;
  // Waits for all work of the process on device `id`, other libraries' included.
  std::function<void(int id)> settle;
  // A block of memory of device `id` with `parts`, which are there, in their places and zeros
  // between them.
  std::function<Buffer(int id, const std::vector<StackPart>& parts, size_t bytes)> stack;
};

// The GPU backend of this build: defined by cuda/gpu_backend.cpp, or by no_gpu.cpp in a build
// without CUDA. Never throws and touches no device.
std::optional<GpuBackend> makeGpuBackend();

}  // namespace cps
