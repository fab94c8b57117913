#include "backend/cpu_kernels.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <optional>

#include "ops/energy/block_energy_cpu.h"
#include "ops/energy/cell_maps_cpu.h"
#include "ops/energy/global_motion.h"
#include "ops/energy/reference_energy_cpu.h"
#include "ops/pixels/pixels_cpu.h"
#include "ops/pixels/resample_cpu.h"
#include "ops/pixels/resize_plan.h"
#include "ops/scratch.h"

namespace cps {
namespace {

class CpuKernels final : public Kernels {
 public:
  CpuKernels(const CpuKernelsConfig& config, const OpsTable& ops) : config_(config), ops_(ops) {}

  Device device() const override { return Device::cpu(); }
  std::shared_ptr<MemoryResource> memory() const override { return hostMemory(); }

  void lumaCells(const FrameView& frame, const CellGrid& grid, uint8_t* out) override {
    lumaCellsCpu(ops_, scratch_, frame, grid, out, config_.cancel.get());
  }

  void blockMatch(const uint8_t* cur, const uint8_t* prev, const CellGrid& grid, uint8_t* motion2,
                  uint8_t* residual) override {
    blockMatchCpu(ops_, scratch_, cur, prev, grid, motion2, residual, config_.cancel.get());
  }

  void blockScores(const uint8_t* motion2, const uint8_t* residual, const CellGrid& cells,
                   const PatchGrid& grid, double energyPct, float* scores) override {
    blockScoresCpu(ops_, scratch_, motion2, residual, cells, grid, energyPct, scores,
                   config_.cancel.get());
  }

  void pyramidMatch(const uint8_t* const* cur, const uint8_t* const* prev, const PyramidGrid& grid,
                    Move* moves, uint8_t* residual) override {
    pyramidMatchCpu(ops_, scratch_, cur, prev, grid, moves, residual, config_.cancel.get());
  }

  void addDifferences(const uint8_t* a, const uint8_t* b, int64_t count, uint16_t* sums) override {
    ops_.addDifferences(a, b, count, sums);
  }

  void cellTexture(const uint8_t* cells, const CellGrid& grid, int32_t residualBytes,
                   void* out) override {
    cellTextureCpu(cells, grid, residualBytes, out);
  }

  void subtractGlobalMotion(const CellMaps& maps, Move* moves) override {
    subtractGlobalMotionCpu(maps, moves);
  }

  void countCells(const CellMaps& maps, CellCounts& counts) override {
    countCellsCpu(maps, counts);
  }

  void cellScores(const CellMaps& maps, const PatchGrid& grid, const CellPercentiles& percentiles,
                  float* scores) override {
    cellScoresCpu(scratch_, maps, percentiles, grid, scores, config_.cancel.get());
  }
  void cellScores(const CellMaps& maps, const PatchGrid& grid, double energyPct,
                  float* scores) override {
    CellCounts counts;
    countCellsCpu(maps, counts);
    cellScores(maps, grid, percentilesOf(counts, energyPct), scores);
  }

  void referenceLuma(const FrameView& frame, const ReferenceGrid& grid, float* luma) override {
    const ResizeTables tables(frame, grid.rows, grid.cols);
    const ResizePlan plan = tables.planFor(frame);
    parallelRows(grid.rows, 32, [&](int32_t begin, int32_t end) {
      referenceLumaRows(ops_, scratch_, plan, grid, begin, end, luma);
    });
  }

  void referenceMatch(const float* cur, const float* prev, const ReferenceGrid& grid, float* motion,
                      float* residual) override {
    const ReferenceMatch match(ops_, scratch_, prev, grid);
    parallelRows(grid.rows, 32, [&](int32_t begin, int32_t end) {
      match.rows(begin, end, cur, motion, residual);
    });
  }

  void referenceScores(const float* motion, const float* residual, const ReferenceGrid& cells,
                       const PatchGrid& grid, double energyPct, float* scores) override {
    checkCancel();
    ReferenceScores sums(ops_, scratch_, motion, residual, cells, grid, energyPct);
    parallelRows(cells.rows, 32, [&](int32_t begin, int32_t end) { sums.cellRows(begin, end); });
    parallelRows(grid.rows, 2,
                 [&](int32_t begin, int32_t end) { sums.patchRows(begin, end, scores); });
  }

  std::optional<KeptPicture> keepForGather(const FrameView& frame, const PatchGrid& grid) override {
    return keepRows(frame, grid.targetHeight, grid.targetWidth);
  }

  void gatherPatches(std::span<const FrameView> frames, std::span<const int32_t> indices,
                     const GatherSpec& spec, void* out) override {
    const PatchGrid& grid = spec.grid;
    const size_t patchBytes = size_t{3} * grid.patchSize * grid.patchSize * dtypeSize(spec.dtype);
    parallelRows(static_cast<int32_t>(indices.size()), 64, [&](int32_t begin, int32_t end) {
      std::optional<ResizeTables> tables;
      ResizePlan plan;
      int32_t planned = -1;
      for (int32_t i = begin; i < end; i++) {
        const int32_t t = indices[i] / grid.perFrame(), inFrame = indices[i] % grid.perFrame();
        if (t != planned) {
          const KeptRows* rows = spec.rows.empty() ? nullptr : spec.rows[t];
          if (!tables || !tables->fits(frames[t], rows)) {
            tables.emplace(frames[t], grid.targetHeight, grid.targetWidth, rows);
          }
          plan = tables->planFor(frames[t]);
          planned = t;
        }
        patchCpu(ops_, scratch_, plan, spec, inFrame / grid.cols, inFrame % grid.cols,
                 static_cast<uint8_t*>(out) + i * patchBytes);
      }
    });
  }

  void toRgb(const FrameView& frame, int32_t outHeight, int32_t outWidth, uint8_t* out) override {
    if (outHeight == frame.displayHeight() && outWidth == frame.displayWidth()) {
      parallelRows(frame.height, 64, [&](int32_t begin, int32_t end) {
        rgbRowsCpu(ops_, scratch_, frame, begin, end, out);
      });
      return;
    }
    const ResizeTables tables(frame, outHeight, outWidth);
    const ResizePlan plan = tables.planFor(frame);
    parallelRows(outHeight, 32, [&](int32_t begin, int32_t end) {
      resizedRgbRowsCpu(ops_, scratch_, plan, begin, end, outWidth, out, int64_t{outWidth} * 3);
    });
  }

  void resizeRgb(const FrameView& frame, const ResampleAxis& y, const ResampleAxis& x, uint8_t* out,
                 int64_t outStride) override {
    const ResizeTables tables(frame, y, x);
    const ResizePlan plan = tables.planFor(frame);
    parallelRows(y.count, 32, [&](int32_t begin, int32_t end) {
      resizedRgbRowsCpu(ops_, scratch_, plan, begin, end, x.count, out, outStride);
    });
  }

  void resample(const FrameView& frame, const std::shared_ptr<const ResamplePlan>& plan,
                uint8_t* out, int64_t outStride) override {
    resampleCpu(
        ops_, scratch_, frame, *plan, out, outStride,
        [this](int32_t n, int32_t chunk, const auto& body) { parallelRows(n, chunk, body); });
  }

  void cutPatches(std::span<const uint8_t* const> pictures, std::span<const int32_t> indices,
                  const GatherSpec& spec, const ValueTable& table, void* out) override {
    const PatchGrid& grid = spec.grid;
    const int64_t p = grid.patchSize, rowBytes = int64_t{grid.targetWidth} * 3;
    const auto patchBytes = static_cast<int64_t>(dtypeSize(table.dtype)) * 3 * p * p;
    const PixelStrides strides =
        spec.layout == Layout::Nchw ? PixelStrides{p * p, p, 1} : PixelStrides{1, 3 * p, 3};
    parallelRows(static_cast<int32_t>(indices.size()), 64, [&](int32_t begin, int32_t end) {
      for (int32_t i = begin; i < end; i++) {
        const int32_t t = indices[i] / grid.perFrame(), inFrame = indices[i] % grid.perFrame();
        const uint8_t* from =
            pictures[t] + inFrame / grid.cols * p * rowBytes + inFrame % grid.cols * p * 3;
        lookUpCpu(table, from, rowBytes, grid.patchSize, grid.patchSize, strides,
                  static_cast<uint8_t*>(out) + i * patchBytes);
      }
    });
  }

  void arrange(const ArrangePart& part, const ValueTable& table, void* out) override {
    arrangePixels(part, table, out, [this](size_t n, const std::function<void(size_t)>& fn) {
      const auto run = [&](size_t i) {
        checkCancel();
        fn(i);
      };
      if (config_.pool && config_.maxThreads > 1) {
        config_.pool->parallelFor(n, config_.maxThreads, run);
      } else {
        for (size_t i = 0; i < n; i++) run(i);
      }
    });
  }

  void lookUp(const uint8_t* rgb, int64_t inStride, int32_t height, int32_t width,
              const std::shared_ptr<const ValueTable>& table, const PixelStrides& strides,
              void* out) override {
    const auto rowBytes = static_cast<int64_t>(dtypeSize(table->dtype)) * strides.row;
    parallelRows(height, 64, [&](int32_t begin, int32_t end) {
      lookUpCpu(*table, rgb + begin * inStride, inStride, end - begin, width, strides,
                static_cast<uint8_t*>(out) + begin * rowBytes);
    });
  }

  void fillZero(void* data, size_t bytes) override { std::memset(data, 0, bytes); }
  void download(void* host, const void* device, size_t bytes) override {
    std::memcpy(host, device, bytes);
  }
  void synchronize() override {}

 private:
  void checkCancel() const {
    if (config_.cancel) config_.cancel->check(Stage::Process);
  }

  // fn(begin, end) over [0, n) in chunks, on the pool where there is one.
  template <typename Fn>
  void parallelRows(int32_t n, int32_t chunk, const Fn& fn) const {
    const int32_t chunks = (n + chunk - 1) / chunk;
    const auto run = [&](size_t i) {
      checkCancel();
      const int32_t begin = static_cast<int32_t>(i) * chunk;
      fn(begin, std::min(n, begin + chunk));
    };
    if (config_.pool && config_.maxThreads > 1 && chunks > 1) {
      config_.pool->parallelFor(chunks, config_.maxThreads, run);
    } else {
      for (int32_t i = 0; i < chunks; i++) run(i);
    }
  }

  CpuKernelsConfig config_;
  const OpsTable& ops_;
  ScratchPool scratch_;
};

}  // namespace

std::unique_ptr<Kernels> makeCpuKernels(const CpuKernelsConfig& config) {
  return makeCpuKernels(config, *opsTables().table[0]);
}

std::unique_ptr<Kernels> makeCpuKernels(const CpuKernelsConfig& config, const OpsTable& ops) {
  return std::make_unique<CpuKernels>(config, ops);
}

}  // namespace cps
