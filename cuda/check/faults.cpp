#include <cstdio>
#include <cstring>
#include <vector>

#include "backend/cpu_kernels.h"
#include "cuda/check/checks.h"
#include "cuda/cuda_kernels.h"
#include "cuda/nvdec/nvdec_source.h"
#include "cuda/transfer.h"

namespace cps {
namespace {

constexpr int64_t kLeakAllowance = int64_t{32} << 20;

// Cells of a made-up picture on the GPU; empty where they are not the CPU's.
std::vector<uint8_t> cellsOnGpu(const std::shared_ptr<GpuDevice>& gpu) {
  constexpr int32_t kWidth = 640, kHeight = 360;
  std::vector<uint8_t> luma(size_t{kWidth} * kHeight);
  for (size_t i = 0; i < luma.size(); i++) luma[i] = static_cast<uint8_t>(i * 2654435761u >> 13);
  SourceFrame frame;
  frame.view.width = kWidth;
  frame.view.height = kHeight;
  frame.view.planes = 1;
  frame.view.plane[0] = {luma.data(), kWidth, 1, 0};
  const CellGrid grid = makeCellGrid(kHeight, kWidth);
  const auto n = static_cast<size_t>(grid.cells());
  std::vector<uint8_t> expected(n), got(n);
  makeCpuKernels({})->lumaCells(frame.view, grid, expected.data());
  const auto kernels = makeCudaKernels(gpu, nullptr);
  const SourceFrame device = uploadFrame(frame, gpu);
  const Buffer cells = Buffer::allocate(kernels->memory(), n);
  kernels->lumaCells(device.view, grid, cells.as<uint8_t>());
  kernels->download(got.data(), cells.data(), n);
  return got == expected ? got : std::vector<uint8_t>();
}

// Device memory in use after `rounds` decodes, each with new kernels, frames and results.
int64_t usedAfter(GpuRegistry& registry, const std::string& clip, int rounds) {
  const MediaServices services =
      makeMediaServices(std::make_shared<TaskPool>(2), std::make_shared<ThreadBudget>(2));
  const SourceOptions options = checkOptions();
  const DevicesOptions devices = checkDevices(2);
  struct Discard final : FrameSink {
    void onFrame(SourceFrame) override {}
  } sink;
  VideoInput input;
  input.path = clip;
  const auto gpu = registry.device(0);
  for (int i = 0; i < rounds; i++) {
    Profile profile;
    const CallContext call{options, std::make_shared<CancelToken>(), profile};
    const auto source = openNvdecSource(input, call, services, gpu->nvdec, devices);
    const int64_t total = source->info().totalFrames;
    const std::vector<int64_t> ids = {0, total / 2, total - 1};
    source->decode(ids, sink);
    cellsOnGpu(gpu);
  }
  const DeviceContext::Current current(*gpu->context);
  gpu->context->check(gpu->context->api().ctxSynchronize(), "cuCtxSynchronize");
  size_t available = 0, total = 0;
  gpu->context->check(gpu->context->api().memGetInfo(&available, &total), "cuMemGetInfo");
  return static_cast<int64_t>(total - available);
}

struct Report {
  Json& json;
  int failed = 0;

  void operator()(const std::string& name, bool ok, const std::string& detail) {
    json.open("", '{');
    json.text("check", name);
    json.text("result", ok ? "ok" : "failed");
    json.text("detail", detail);
    json.close('}');
    std::fprintf(stderr, "  %s: %s, %s\n", name.c_str(), ok ? "ok" : "FAILED", detail.c_str());
    failed += ok ? 0 : 1;
  }
};

void checkLeaks(Report& report, GpuRegistry& registry, const std::string& clip, int calls) {
  constexpr int kFew = 10;
  const int64_t before = usedAfter(registry, clip, kFew);
  const int64_t after = usedAfter(registry, clip, calls - kFew);
  report("memory after " + std::to_string(kFew) + " and after " + std::to_string(calls) + " calls",
         after - before < kLeakAllowance,
         std::to_string(before >> 20) + " and " + std::to_string(after >> 20) + " MiB in use");
}

void checkOutOfMemory(Report& report, GpuRegistry& registry) {
  const auto gpu = registry.device(0);
  std::string said = "no error";
  bool good = false;
  try {
    const auto kernels = makeCudaKernels(gpu, nullptr);
    Buffer::allocate(kernels->memory(), size_t{1} << 44);
  } catch (const Error& error) {
    said = error.what();
    good = error.code() == ErrorCode::OutOfMemory;
  }
  report("16 TiB are refused by name", good, said);
  report("the next call works after it", !cellsOnGpu(gpu).empty(), "cells as on the CPU");
}

void checkBrokenContext(Report& report, GpuRegistry& registry, const BreakContext& breakContext) {
  std::string said = "no error";
  bool good = false;
  try {
    const auto kernels = makeCudaKernels(registry.device(0), nullptr);
    breakContext(*kernels);
  } catch (const Error& error) {
    said = error.what();
    good = error.code() == ErrorCode::Device;
  }
  report("a kernel that reads a bad address is ERR_CPS_DEVICE", good, said);
  const std::string why = registry.whyNotProcess(0);
  if (why.empty()) {
    report("the next call works on a new context", !cellsOnGpu(registry.device(0)).empty(),
           "cells as on the CPU");
  } else {
    report("the next call says why it cannot", why.find("restart the process") != std::string::npos,
           why);
  }
}

}  // namespace

int checkFaults(Json& json, GpuRegistry& registry, const std::string& clip, int calls,
                const BreakContext& breakContext) {
  json.open("faults", '[');
  Report report{json};
  const auto guarded = [&](const char* name, const auto& check) {
    try {
      check();
    } catch (const std::exception& error) {
      report(name, false, error.what());
    }
  };
  guarded("leaks", [&] { checkLeaks(report, registry, clip, calls); });
  guarded("out of memory", [&] { checkOutOfMemory(report, registry); });
  guarded("broken context", [&] { checkBrokenContext(report, registry, breakContext); });
  json.close(']');
  return report.failed;
}

}  // namespace cps
