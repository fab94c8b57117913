#include "ops/cpu_kernels.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <optional>
#include <vector>

#include "ops/block_energy_cpu.h"
#include "ops/percentile_math.h"
#include "ops/pixels_cpu.h"
#include "ops/reference_math.h"
#include "ops/resize_plan.h"
#include "ops/scratch.h"
#include "ops/select_math.h"

namespace cps {
namespace {

float floatPercentile(const float* values, int64_t n, double pct) {
  std::vector<float> sorted(values, values + n);
  const auto nth = sorted.begin() + percentileRank(pct, n);
  std::nth_element(sorted.begin(), nth, sorted.end());
  return *nth;
}

// The full-size energy pixels one target coordinate needs: two taps, each of two cells.
struct EnergyTap {
  BilinearTap target;   // in full-size pixels
  BilinearTap cell[2];  // of target.i0 and target.i1
};

std::vector<EnergyTap> energyTaps(int32_t target, int32_t frame, int32_t cells) {
  std::vector<EnergyTap> taps(target);
  for (int32_t i = 0; i < target; i++) {
    taps[i].target = bilinearTap(i, frame, target);
    taps[i].cell[0] = bilinearTap(taps[i].target.i0, cells, frame);
    taps[i].cell[1] = bilinearTap(taps[i].target.i1, cells, frame);
  }
  return taps;
}

class CpuKernels final : public Kernels {
 public:
  CpuKernels(const CpuKernelsConfig& config, const OpsTable& ops) : config_(config), ops_(ops) {}

  Device device() const override { return Device::cpu(); }
  std::shared_ptr<MemoryResource> memory() const override { return hostMemory(); }

  void lumaCells(const FrameView& frame, const CellGrid& grid, uint8_t* out) override {
    checkCancel();
    lumaCellsCpu(ops_, scratch_, frame, grid, out);
  }

  void blockMatch(const uint8_t* cur, const uint8_t* prev, const CellGrid& grid, uint8_t* motion2,
                  uint8_t* residual) override {
    checkCancel();
    blockMatchCpu(ops_, scratch_, cur, prev, grid, motion2, residual);
  }

  void blockScores(const uint8_t* motion2, const uint8_t* residual, const CellGrid& cells,
                   const PatchGrid& grid, double energyPct, float* scores) override {
    checkCancel();
    blockScoresCpu(ops_, scratch_, motion2, residual, cells, grid, energyPct, scores);
  }

  void referenceLuma(const FrameView& frame, const ReferenceGrid& grid, float* luma) override {
    const ResizeTables tables(frame, grid.rows, grid.cols);
    const ResizePlan plan = tables.planFor(frame);
    parallelRows(grid.rows, 32, [&](int32_t begin, int32_t end) {
      const auto memory = scratch_.take(sizeof(float) * (int64_t{grid.cols} + kOverrun));
      for (int32_t y = begin; y < end; y++) {
        ops_.resizeLuma(plan, y, 1, 0, grid.cols, memory.as<float>(), grid.cols);
        std::copy_n(memory.as<float>(), grid.cols, luma + int64_t{y} * grid.cols);
      }
    });
  }

  void referenceMatch(const float* cur, const float* prev, const ReferenceGrid& grid, float* motion,
                      float* residual) override {
    const int64_t cols = grid.cols, r = grid.radius, stride = cols + 2 * r + kOverrun;
    const auto memory = scratch_.take(sizeof(float) * (grid.rows + 2 * r) * stride);
    float* padded = memory.as<float>();
    std::fill_n(padded, (grid.rows + 2 * r) * stride, INFINITY);
    for (int64_t y = 0; y < grid.rows; y++) {
      std::copy_n(prev + y * cols, cols, padded + (y + r) * stride + r);
    }
    parallelRows(grid.rows, 32, [&](int32_t begin, int32_t end) {
      const int64_t room = cols + kOverrun;
      const auto rows = scratch_.take(sizeof(float) * 3 * room);
      float *c = rows.as<float>(), *m = c + room, *d = m + room;
      std::fill_n(c, room, 0.0f);
      for (int64_t y = begin; y < end; y++) {
        std::copy_n(cur + y * cols, cols, c);
        ops_.referenceMatchRow(c, padded + (y + r) * stride + r, stride, grid.radius, grid.cols, m,
                               d);
        std::copy_n(m, cols, motion + y * cols);
        std::copy_n(d, cols, residual + y * cols);
      }
    });
  }

  void referenceScores(const float* motion, const float* residual, const ReferenceGrid& cells,
                       const PatchGrid& grid, double energyPct, float* scores) override {
    const int64_t n = cells.cells();
    const float m = floatPercentile(motion, n, energyPct);
    const float r = floatPercentile(residual, n, energyPct);
    std::vector<float> energy(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; i++) energy[i] = referenceEnergy(motion[i], residual[i], m, r);
    const auto ys = energyTaps(grid.targetHeight, grid.frameHeight, cells.rows);
    const auto xs = energyTaps(grid.targetWidth, grid.frameWidth, cells.cols);
    const int32_t p = grid.patchSize;
    // As referencePatchScore: rows from top to bottom, each summed per patch from left to right.
    parallelRows(grid.rows, 1, [&](int32_t begin, int32_t end) {
      for (int32_t i = begin; i < end; i++) {
        float* out = scores + int64_t{i} * grid.cols;
        std::fill_n(out, grid.cols, 0.0f);
        for (int32_t y = i * p; y < (i + 1) * p; y++) {
          const EnergyTap& ty = ys[y];
          for (int32_t j = 0; j < grid.cols; j++) {
            float rowSum = 0.0f;
            for (int32_t x = j * p; x < (j + 1) * p; x++) {
              const EnergyTap& tx = xs[x];
              float full[2][2];
              for (int a = 0; a < 2; a++) {
                for (int b = 0; b < 2; b++) {
                  full[a][b] =
                      referenceEnergyFull(energy.data(), cells.cols, ty.cell[a], tx.cell[b]);
                }
              }
              rowSum += bilinear(full[0][0], full[0][1], full[1][0], full[1][1], tx.target.w0,
                                 tx.target.w1, ty.target.w0, ty.target.w1);
            }
            out[j] += rowSum;
          }
        }
      }
    });
  }

  void block2x2Scores(const float* scores, const PatchGrid& grid, int32_t frames,
                      float* unitScores) override {
    for (int32_t t = 0; t < frames; t++) {
      const float* frame = scores + static_cast<int64_t>(t) * grid.perFrame();
      for (int32_t i = 0; i < grid.rows / 2; i++) {
        for (int32_t j = 0; j < grid.cols / 2; j++) {
          *unitScores++ = block2x2Score(frame, grid.cols, i, j);
        }
      }
    }
  }

  void topK(const TopKInput& input, int32_t* indices) override {
    checkCancel();
    std::vector<uint64_t> keys;
    keys.reserve(input.frameIsI.size() * static_cast<size_t>(input.unitsPerFrame));
    int32_t index = 0;
    for (size_t t = 0; t < input.frameIsI.size(); t++) {
      for (int32_t u = 0; u < input.unitsPerFrame; u++, index++) {
        const float score = input.unitScores[index] + input.frameBoost[t];
        keys.push_back(unitKey(input.frameIsI[t] != 0, score, index));
      }
    }
    const auto end = keys.begin() + input.k;
    if (end != keys.end()) std::nth_element(keys.begin(), end, keys.end(), std::greater<>());
    for (int64_t i = 0; i < input.k; i++) indices[i] = unitIndex(keys[i]);
    std::sort(indices, indices + input.k);
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
          if (!tables || !tables->fits(frames[t])) {
            tables.emplace(frames[t], grid.targetHeight, grid.targetWidth);
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
      resizedRgbRowsCpu(ops_, scratch_, plan, begin, end, outWidth, out);
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
