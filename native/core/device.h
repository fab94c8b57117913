#pragma once

#include <string>

namespace cps {

enum class DeviceKind { Cpu, Cuda };

struct Device {
  DeviceKind kind = DeviceKind::Cpu;
  int id = 0;

  static Device cpu() { return {}; }
  static Device cuda(int id) { return {DeviceKind::Cuda, id}; }
  bool isCpu() const { return kind == DeviceKind::Cpu; }
  // "cpu" or "cuda:N", as tensors show it.
  std::string name() const { return isCpu() ? "cpu" : "cuda:" + std::to_string(id); }
  bool operator==(const Device&) const = default;
};

}  // namespace cps
