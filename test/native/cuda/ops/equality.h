#pragma once

// What comparisons of CPU and GPU share: device memory on one side, the CPU's operations on the
// other. Runs emulated everywhere and for real where there is a GPU.

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "backend/cpu_kernels.h"
#include "cuda/cuda_device.h"

namespace cps {

struct Gpu {
  Gpu() : backend(cuda_test::backend()), kernels(backend.makeKernels(0, nullptr)) {}

  SourceFrame upload(const FrameView& view) {
    SourceFrame frame;
    frame.view = view;
    return backend.transfer(frame, Device::cuda(0));
  }
  // Any array travels as a gray picture of one row.
  template <typename T>
  SourceFrame upload(const std::vector<T>& values) {
    FrameView view;
    view.width = static_cast<int32_t>(values.size() * sizeof(T));
    view.height = 1;
    view.planes = 1;
    view.plane[0] = {reinterpret_cast<const uint8_t*>(values.data()), view.width, 1, 0};
    return upload(view);
  }
  template <typename T>
  static const T* data(const SourceFrame& frame) {
    return reinterpret_cast<const T*>(frame.view.plane[0].data);
  }
  template <typename T>
  Buffer allocate(int64_t n) {
    return Buffer::allocate(kernels->memory(), static_cast<size_t>(n) * sizeof(T));
  }
  template <typename T>
  std::vector<T> download(const Buffer& buffer) {
    std::vector<T> out(buffer.bytes() / sizeof(T));
    kernels->download(out.data(), buffer.data(), buffer.bytes());
    return out;
  }

  GpuBackend backend;
  std::unique_ptr<Kernels> kernels;
};

// Under a memory checker, which makes kernels a hundred times slower.
inline bool onlySmall() { return std::getenv("CPS_TEST_SMALL") != nullptr; }

inline std::unique_ptr<Kernels> cpuKernels() { return makeCpuKernels({}); }

template <typename T>
void expectSameBits(const std::vector<T>& cpu, const std::vector<T>& gpu, const std::string& what) {
  ASSERT_EQ(cpu.size(), gpu.size()) << what;
  if (std::memcmp(cpu.data(), gpu.data(), cpu.size() * sizeof(T)) == 0) return;
  for (size_t i = 0; i < cpu.size(); i++) {
    ASSERT_EQ(std::memcmp(&cpu[i], &gpu[i], sizeof(T)), 0)
        << what << ": value " << i << " is " << +cpu[i] << " on the CPU, " << +gpu[i]
        << " on the GPU";
  }
}

}  // namespace cps
