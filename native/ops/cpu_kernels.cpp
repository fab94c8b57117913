#include <algorithm>
#include <cstring>
#include <functional>
#include <vector>

#include "core/error.h"
#include "ops/block_match_math.h"
#include "ops/block_scores_math.h"
#include "ops/cells_math.h"
#include "ops/cpu_features.h"
#include "ops/gather_math.h"
#include "ops/kernels.h"
#include "ops/percentile_math.h"
#include "ops/reference_math.h"
#include "ops/select_math.h"

namespace cps {

const char* simdName() { return "scalar"; }

namespace {

float floatPercentile(const float* values, int64_t n, double pct) {
  std::vector<float> sorted(values, values + n);
  const auto nth = sorted.begin() + percentileRank(pct, n);
  std::nth_element(sorted.begin(), nth, sorted.end());
  return *nth;
}

void storeValue(DType dtype, void* out, int64_t i, float v) {
  switch (dtype) {
    case DType::U8:
      static_cast<uint8_t*>(out)[i] = floatToU8(v);
      return;
    case DType::F16:
      static_cast<uint16_t*>(out)[i] = floatToF16(v);
      return;
    case DType::BF16:
      static_cast<uint16_t*>(out)[i] = floatToBf16(v);
      return;
    default:
      static_cast<float*>(out)[i] = v;
  }
}

class CpuKernels final : public Kernels {
 public:
  explicit CpuKernels(const CpuKernelsConfig& config) : config_(config) {}

  Device device() const override { return Device::cpu(); }
  std::shared_ptr<MemoryResource> memory() const override { return hostMemory(); }

  void lumaCells(const FrameView& frame, const CellGrid& grid, uint8_t* out) override {
    const ColorCoeffs coeffs = makeColorCoeffs(frame);
    checkCancel();
    for (int32_t y = 0; y < grid.rows; y++) {
      for (int32_t x = 0; x < grid.cols; x++) *out++ = cellAt(frame, coeffs, grid.cell, y, x);
    }
  }

  void blockMatch(const uint8_t* cur, const uint8_t* prev, const CellGrid& grid, uint8_t* motion2,
                  uint8_t* residual) override {
    static constexpr MatchCandidates kCandidates = makeMatchCandidates();
    for (int32_t by = 0; by < grid.blockRows; by++) {
      checkCancel();
      for (int32_t bx = 0; bx < grid.blockCols; bx++) {
        const int32_t yEnd = std::min(grid.rows, by * kMatchBlock + kMatchBlock);
        const int32_t xEnd = std::min(grid.cols, bx * kMatchBlock + kMatchBlock);
        int32_t best = INT32_MAX;
        for (int32_t rank = 0; rank < kMatchCandidates; rank++) {
          const int32_t dy = kCandidates.dy[rank], dx = kCandidates.dx[rank];
          int32_t sad = 0;
          for (int32_t y = by * kMatchBlock; y < yEnd; y++) {
            for (int32_t x = bx * kMatchBlock; x < xEnd; x++) {
              sad += cellDifference(cur, prev, grid.rows, grid.cols, y, x, dy, dx);
            }
          }
          best = std::min(best, matchKey(sad, matchPenalty(dy, dx), rank));
        }
        const int32_t dy = kCandidates.dy[matchRank(best)], dx = kCandidates.dx[matchRank(best)];
        motion2[by * grid.blockCols + bx] = static_cast<uint8_t>(dy * dy + dx * dx);
        for (int32_t y = by * kMatchBlock; y < yEnd; y++) {
          for (int32_t x = bx * kMatchBlock; x < xEnd; x++) {
            residual[static_cast<int64_t>(y) * grid.cols + x] =
                static_cast<uint8_t>(cellDifference(cur, prev, grid.rows, grid.cols, y, x, dy, dx));
          }
        }
      }
    }
  }

  void blockScores(const uint8_t* motion2, const uint8_t* residual, const CellGrid& cells,
                   const PatchGrid& grid, double energyPct, float* scores) override {
    checkCancel();
    int32_t motionCounts[kMotionLevels] = {}, residualCounts[kResidualLevels] = {};
    for (int32_t y = 0; y < cells.rows; y++) {
      for (int32_t x = 0; x < cells.cols; x++) {
        motionCounts[motion2[y / kMatchBlock * cells.blockCols + x / kMatchBlock]]++;
        residualCounts[residual[static_cast<int64_t>(y) * cells.cols + x]]++;
      }
    }
    const int64_t rank = percentileRank(energyPct, cells.cells());
    const int32_t m = histogramPercentile(motionCounts, kMotionLevels, rank);
    const int32_t r = histogramPercentile(residualCounts, kResidualLevels, rank);
    float motionTable[kMotionLevels], residualTable[kResidualLevels];
    for (int32_t i = 0; i < kMotionLevels; i++) motionTable[i] = motionEnergy(i, m);
    for (int32_t i = 0; i < kResidualLevels; i++) residualTable[i] = residualEnergy(i, r);
    for (int32_t i = 0; i < grid.rows; i++) {
      for (int32_t j = 0; j < grid.cols; j++) {
        *scores++ =
            blockPatchScore(motion2, residual, cells, grid, motionTable, residualTable, i, j);
      }
    }
  }

  void referenceLuma(const FrameView& frame, const ReferenceGrid& grid, float* luma) override {
    const ColorCoeffs coeffs = makeColorCoeffs(frame);
    parallelRows(grid.rows, 16, [&](int32_t begin, int32_t end) {
      for (int32_t y = begin; y < end; y++) {
        const BilinearTap ty = bilinearTap(y, grid.frameHeight, grid.rows);
        for (int32_t x = 0; x < grid.cols; x++) {
          luma[static_cast<int64_t>(y) * grid.cols + x] =
              referenceLumaAt(frame, coeffs, ty, bilinearTap(x, grid.frameWidth, grid.cols));
        }
      }
    });
  }

  void referenceMatch(const float* cur, const float* prev, const ReferenceGrid& grid, float* motion,
                      float* residual) override {
    parallelRows(grid.rows, 16, [&](int32_t begin, int32_t end) {
      for (int32_t y = begin; y < end; y++) {
        for (int32_t x = 0; x < grid.cols; x++) {
          const ReferenceMotion best = referenceMatchAt(cur, prev, grid, y, x);
          motion[static_cast<int64_t>(y) * grid.cols + x] = best.motion;
          residual[static_cast<int64_t>(y) * grid.cols + x] = best.residual;
        }
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
    parallelRows(grid.rows, 1, [&](int32_t begin, int32_t end) {
      for (int32_t i = begin; i < end; i++) {
        for (int32_t j = 0; j < grid.cols; j++) {
          scores[static_cast<int64_t>(i) * grid.cols + j] =
              referencePatchScore(energy.data(), cells, grid, i, j);
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
    const int32_t p = grid.patchSize;
    const bool nchw = spec.layout == Layout::Nchw;
    const int64_t channelStep = nchw ? static_cast<int64_t>(p) * p : 1;
    const int64_t pixelStep = nchw ? 1 : 3;
    std::vector<BilinearTap> ty(grid.targetHeight), tx(grid.targetWidth);
    for (int32_t y = 0; y < grid.targetHeight; y++) {
      ty[y] = bilinearTap(y, grid.frameHeight, grid.targetHeight);
    }
    for (int32_t x = 0; x < grid.targetWidth; x++) {
      tx[x] = bilinearTap(x, grid.frameWidth, grid.targetWidth);
    }
    parallelRows(static_cast<int32_t>(indices.size()), 64, [&](int32_t begin, int32_t end) {
      for (int32_t i = begin; i < end; i++) {
        const FrameView& frame = frames[indices[i] / grid.perFrame()];
        const ColorCoeffs coeffs = makeColorCoeffs(frame);
        const int32_t inFrame = indices[i] % grid.perFrame();
        const int32_t y0 = inFrame / grid.cols * p, x0 = inFrame % grid.cols * p;
        for (int32_t y = 0; y < p; y++) {
          for (int32_t x = 0; x < p; x++) {
            const RgbF v = resizedRgb(frame, coeffs, ty[y0 + y], tx[x0 + x]);
            const int64_t base = int64_t{i} * 3 * p * p + (int64_t{y} * p + x) * pixelStep;
            const float channels[3] = {v.r, v.g, v.b};
            for (int c = 0; c < 3; c++) {
              storeValue(spec.dtype, out, base + c * channelStep,
                         normalizeValue(channels[c], spec.normalize.scale, spec.normalize.mean[c],
                                        spec.normalize.std[c]));
            }
          }
        }
      }
    });
  }

  void toRgb(const FrameView& frame, int32_t outHeight, int32_t outWidth, uint8_t* out) override {
    const ColorCoeffs coeffs = makeColorCoeffs(frame);
    const int32_t height = frame.displayHeight(), width = frame.displayWidth();
    parallelRows(outHeight, 64, [&](int32_t begin, int32_t end) {
      for (int32_t y = begin; y < end; y++) {
        uint8_t* row = out + int64_t{y} * outWidth * 3;
        const BilinearTap ty = bilinearTap(y, height, outHeight);
        for (int32_t x = 0; x < outWidth; x++, row += 3) {
          const RgbF v = resizedRgb(frame, coeffs, ty, bilinearTap(x, width, outWidth));
          row[0] = roundToU8(v.r);
          row[1] = roundToU8(v.g);
          row[2] = roundToU8(v.b);
        }
      }
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
};

}  // namespace

std::unique_ptr<Kernels> makeCpuKernels(const CpuKernelsConfig& config) {
  return std::make_unique<CpuKernels>(config);
}

}  // namespace cps
