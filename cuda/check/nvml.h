#pragma once

#include <dlfcn.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace cps {

// NVDEC's utilisation and what goes over PCIe, as the driver's management library counts them (the
// figures of nvidia-smi), sampled in the background. The library is opened at run time; where it is
// missing there are no samples.
class DecoderUse {
 public:
  struct Result {
    int samples = 0;
    double meanPercent = 0, maxPercent = 0;
    double toDeviceMBps = 0, fromDeviceMBps = 0;  // means; 0 where the device does not say
  };

  explicit DecoderUse(const char* name = "libnvidia-ml.so.1",
                      std::chrono::milliseconds tick = std::chrono::milliseconds(100))
      : tick_(tick) {
    void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return;
    const auto init = reinterpret_cast<int (*)()>(dlsym(library, "nvmlInit_v2"));
    const auto handle = reinterpret_cast<int (*)(unsigned, void**)>(
        dlsym(library, "nvmlDeviceGetHandleByIndex_v2"));
    use_ = reinterpret_cast<Use>(dlsym(library, "nvmlDeviceGetDecoderUtilization"));
    pcie_ = reinterpret_cast<Pcie>(dlsym(library, "nvmlDeviceGetPcieThroughput"));
    if (!init || !handle || !use_ || init() != 0 || handle(0, &device_) != 0) return;
    thread_ = std::thread([this] { sample(); });
  }
  ~DecoderUse() { stop(); }
  DecoderUse(const DecoderUse&) = delete;
  DecoderUse& operator=(const DecoderUse&) = delete;

  Result stop() {
    stopped_ = true;
    if (thread_.joinable()) thread_.join();
    return result_;
  }

 private:
  using Use = int (*)(void* device, unsigned* percent, unsigned* periodUs);
  using Pcie = int (*)(void* device, int counter, unsigned* kilobytesPerSecond);
  static constexpr int kFromDevice = 0, kToDevice = 1;  // NVML_PCIE_UTIL_TX_BYTES, _RX_BYTES

  double megabytesPerSecond(int counter) const {
    unsigned value = 0;
    return pcie_ != nullptr && pcie_(device_, counter, &value) == 0 ? value / 1e3 : 0;
  }

  // The figure is a mean over the last part of a second; the first ones still hold what was before.
  void sample() {
    double sum = 0, to = 0, from = 0;
    for (int tick = 0; !stopped_; tick++) {
      std::this_thread::sleep_for(tick_);
      unsigned percent = 0, period = 0;
      if (tick < 8 || use_(device_, &percent, &period) != 0) continue;
      sum += percent;
      result_.samples++;
      result_.meanPercent = sum / result_.samples;
      if (percent > result_.maxPercent) result_.maxPercent = percent;
      to += megabytesPerSecond(kToDevice);
      from += megabytesPerSecond(kFromDevice);
      result_.toDeviceMBps = to / result_.samples;
      result_.fromDeviceMBps = from / result_.samples;
    }
  }

  const std::chrono::milliseconds tick_;
  Use use_ = nullptr;
  Pcie pcie_ = nullptr;
  void* device_ = nullptr;
  std::atomic<bool> stopped_{false};
  std::thread thread_;
  Result result_;
};

}  // namespace cps
