#include "cuda/cuda_kernels.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <vector>

#include "cuda/ops/block_match_cuda.h"
#include "cuda/ops/block_scores_cuda.h"
#include "cuda/ops/cell_maps_cuda.h"
#include "cuda/ops/cells_cuda.h"
#include "cuda/ops/gather_cuda.h"
#include "cuda/ops/global_motion_cuda.h"
#include "cuda/ops/kernel_error.h"
#include "cuda/ops/reference_cuda.h"
#include "cuda/ops/refine_match_cuda.h"
#include "cuda/ops/resample_cuda.h"
#include "cuda/ops/values_cuda.h"

namespace cps {
namespace {

class CudaKernels final : public Kernels {
 public:
  CudaKernels(std::shared_ptr<GpuDevice> device, CancelPtr cancel)
      : gpu_(std::move(device)),
        cancel_(std::move(cancel)),
        stream_(std::make_shared<Stream>(gpu_->context)),
        memory_(streamMemory(stream_)) {}
  ~CudaKernels() override {
    if (staged_.empty()) return;
    // After an error: enqueued work may still read the tables, and memory may be lost as well.
    const DeviceContext::Cleanup cleanup(*gpu_->context);
    if (cleanup) {
      cleanup(gpu_->context->api().streamSynchronize(stream_->get()), "cuStreamSynchronize");
    }
  }

  Device device() const override { return gpu_->context->device(); }
  std::shared_ptr<MemoryResource> memory() const override { return memory_; }

  void lumaCells(const FrameView& frame, const CellGrid& grid, uint8_t* out) override {
    const Call call(*this);
    reads(frame);
    enqueue(LumaCells{frame, makeColorCoeffs(frame), grid, out});
  }

  void blockMatch(const uint8_t* cur, const uint8_t* prev, const CellGrid& grid, uint8_t* motion2,
                  uint8_t* residual) override {
    const Call call(*this);
    enqueue(BlockMatch{cur, prev, grid, motion2, residual, nullptr});
  }

  void blockScores(const uint8_t* motion2, const uint8_t* residual, const CellGrid& cells,
                   const PatchGrid& grid, double energyPct, float* scores) override {
    const Call call(*this);
    // One block of counts serves all frames of the call: the stream keeps them apart.
    if (!counts_) counts_ = Buffer::allocate(memory_, sizeof(BlockCounts));
    auto* counts = counts_.as<BlockCounts>();
    zero(counts, sizeof(BlockCounts));
    enqueue(BlockHistogram{motion2, residual, cells, counts});
    const int64_t rank = percentileRank(energyPct, cells.cells());
    enqueue(BlockScores{motion2, residual, counts, cells, grid, rank, scores});
  }

  void pyramidMatch(const uint8_t* const* cur, const uint8_t* const* prev, const PyramidGrid& grid,
                    Move* moves, uint8_t* residual) override {
    const Call call(*this);
    for (int32_t l = 0; l < grid.levels; l++) {
      uint8_t* out = l + 1 == grid.levels ? residual : nullptr;
      if (l == 0) {
        enqueue(BlockMatch{cur[0], prev[0], grid.level[0], nullptr, out, moves});
      } else {
        enqueue(RefineMatch{cur[l], prev[l], grid.level[l], kMatchBlock << l, moves, out});
      }
    }
  }

  void addDifferences(const uint8_t* a, const uint8_t* b, int64_t count, uint16_t* sums) override {
    const Call call(*this);
    enqueue(AddDifferences{a, b, count, sums});
  }

  void cellTexture(const uint8_t* cells, const CellGrid& grid, int32_t residualBytes,
                   void* out) override {
    const Call call(*this);
    enqueue(CellTexture{cells, grid, residualBytes, out});
  }

  void subtractGlobalMotion(const CellMaps& maps, Move* moves) override {
    const Call call(*this);
    const int64_t blocks = maps.cells.blocks();
    const Buffer levels = Buffer::allocate(memory_, static_cast<size_t>(blocks) * sizeof(uint32_t));
    enqueue(BlockLevels{maps, levels.as<uint32_t>()});
    enqueue(SubtractGlobalMotion{levels.as<uint32_t>(), blocks, moves});
  }

  void countCells(const CellMaps& maps, CellCounts& total) override {
    const Call call(*this);
    const DeviceCellCounts counts = countOnDevice(maps);
    const int32_t bins = residualLevels(maps.residualBytes);
    std::vector<int32_t> host(static_cast<size_t>(kDeviceMotionLevels + bins));
    downloadThrough(gpu_->pinned, *stream_, host.data(), counts.motion2,
                    host.size() * sizeof(int32_t));
    total.cells += maps.cells.cells();
    total.residual.resize(static_cast<size_t>(bins));
    for (int32_t v = 0; v < kDeviceMotionLevels; v++) {
      if (host[static_cast<size_t>(v)] != 0) total.motion2[v] += host[static_cast<size_t>(v)];
    }
    for (size_t v = 0; v < total.residual.size(); v++) {
      total.residual[v] += host[static_cast<size_t>(kDeviceMotionLevels) + v];
    }
  }

  void cellScores(const CellMaps& maps, const PatchGrid& grid, const CellPercentiles& percentiles,
                  float* scores) override {
    const Call call(*this);
    const Buffer given = upload(&percentiles, sizeof percentiles);
    enqueue(CellScores{maps, given.as<CellPercentiles>(), grid, scores});
  }
  void cellScores(const CellMaps& maps, const PatchGrid& grid, double energyPct,
                  float* scores) override {
    const Call call(*this);
    const DeviceCellCounts counts = countOnDevice(maps);
    auto* percentiles = cellCounts_.as<CellPercentiles>();
    enqueue(CellPercentile{counts, residualLevels(maps.residualBytes), maps.moves != nullptr,
                           percentileRank(energyPct, maps.cells.cells()), percentiles});
    enqueue(CellScores{maps, percentiles, grid, scores});
  }

  void referenceLuma(const FrameView& frame, const ReferenceGrid& grid, float* luma) override {
    const Call call(*this);
    reads(frame);
    enqueue(ReferenceLuma{frame, makeColorCoeffs(frame), grid, luma});
  }

  void referenceMatch(const float* cur, const float* prev, const ReferenceGrid& grid, float* motion,
                      float* residual) override {
    const Call call(*this);
    enqueue(ReferenceMatch{cur, prev, grid, motion, residual});
  }

  void referenceScores(const float* motion, const float* residual, const ReferenceGrid& cells,
                       const PatchGrid& grid, double energyPct, float* scores) override {
    const Call call(*this);
    const int64_t n = cells.cells();
    const Buffer percentiles = Buffer::allocate(memory_, 2 * sizeof(float));
    const Buffer energy = Buffer::allocate(memory_, static_cast<size_t>(n) * sizeof(float));
    enqueue(ReferencePercentiles{motion, residual, n, percentileRank(energyPct, n),
                                 percentiles.as<float>()});
    enqueue(ReferenceEnergy{motion, residual, percentiles.as<float>(), n, energy.as<float>()});
    enqueue(ReferenceScores{energy.as<float>(), cells, grid, scores});
  }

  void gatherPatches(std::span<const FrameView> frames, std::span<const int32_t> indices,
                     const GatherSpec& spec, void* out) override {
    const Call call(*this);
    if (indices.empty()) return;
    std::vector<GatherFrame> table;
    table.reserve(frames.size());
    for (const FrameView& frame : frames) {
      // A frame no patch comes from may have been left out.
      const bool present = frame.plane[0].data != nullptr;
      if (present) reads(frame);
      table.push_back({frame, present ? makeColorCoeffs(frame) : ColorCoeffs{}});
    }
    const Buffer views = upload(table.data(), table.size() * sizeof(GatherFrame));
    const Buffer list = upload(indices.data(), indices.size_bytes());
    GatherPatches program{};
    program.frames = views.as<GatherFrame>();
    program.indices = list.as<int32_t>();
    program.count = static_cast<int64_t>(indices.size());
    program.grid = spec.grid;
    program.dtype = spec.dtype;
    program.nchw = spec.layout == Layout::Nchw;
    program.scale = static_cast<float>(spec.normalize.scale);
    for (int c = 0; c < 3; c++) {
      program.mean[c] = spec.normalize.offset.value_or(0.0f) + spec.normalize.mean[c];
      program.std[c] = spec.normalize.std[c];
    }
    program.out = out;
    enqueue(program);
  }

  void toRgb(const FrameView& frame, int32_t outHeight, int32_t outWidth, uint8_t* out) override {
    resizeRgb(frame, ResampleAxis::whole(frame.displayHeight(), outHeight),
              ResampleAxis::whole(frame.displayWidth(), outWidth), out, int64_t{outWidth} * 3);
  }

  void resizeRgb(const FrameView& frame, const ResampleAxis& y, const ResampleAxis& x, uint8_t* out,
                 int64_t outStride) override {
    const Call call(*this);
    reads(frame);
    enqueue(ToRgb{frame, makeColorCoeffs(frame), y, x, out, outStride});
  }

  void resample(const FrameView& frame, const std::shared_ptr<const ResamplePlan>& plan,
                uint8_t* out, int64_t outStride) override {
    const Call call(*this);
    if (resamplePlan_ != plan) {
      resamplePlan_ = plan;
      resampleX_ = upload(plan->x);
      resampleY_ = upload(plan->y);
    }
    const int32_t first = plan->y.sourceBegin, rows = plan->y.sourceEnd - first;
    const int32_t rowBytes = plan->x.count * 3;
    const Buffer narrow =
        Buffer::allocate(memory_, static_cast<size_t>(rows) * static_cast<size_t>(rowBytes));
    reads(frame);
    enqueue(ResampleAcross{frame, makeColorCoeffs(frame), plan->orientation.swapXY, resampleX_.view,
                           first, rows, narrow.as<uint8_t>()});
    enqueue(ResampleDown{narrow.as<uint8_t>(), first, rowBytes, resampleY_.view, out, outStride});
  }

  void cutPatches(std::span<const uint8_t* const> pictures, std::span<const int32_t> indices,
                  const GatherSpec& spec, const ValueTable& table, void* out) override {
    const Call call(*this);
    if (indices.empty()) return;
    const Buffer addresses = upload(pictures.data(), pictures.size_bytes());
    const Buffer list = upload(indices.data(), indices.size_bytes());
    const Buffer values = upload(table.bits.data(), sizeof table.bits);
    enqueue(CutPatches{addresses.as<const uint8_t*>(), list.as<int32_t>(),
                       static_cast<int64_t>(indices.size()), spec.grid, values.as<uint32_t>(),
                       static_cast<int32_t>(dtypeSize(table.dtype)), spec.layout == Layout::Nchw,
                       out});
  }

  void arrange(const ArrangePart& part, const ValueTable& table, void* out) override {
    const Call call(*this);
    if (part.units.empty()) return;
    const Buffer units = upload(part.units.data(), part.units.size() * sizeof part.units[0]);
    const Buffer values = upload(table.bits.data(), sizeof table.bits);
    ArrangeProgram program{part.source,
                           part.unitBytes,
                           units.as<int32_t>(),
                           values.as<uint32_t>(),
                           static_cast<int32_t>(dtypeSize(table.dtype)),
                           static_cast<int32_t>(part.axes.size()),
                           {},
                           part.offset,
                           out};
    std::copy(part.axes.begin(), part.axes.end(), program.axes);
    if (program.elements() > 0) enqueue(program);
  }

  void lookUp(const uint8_t* rgb, int64_t inStride, int32_t height, int32_t width,
              const std::shared_ptr<const ValueTable>& table, const PixelStrides& strides,
              void* out) override {
    const Call call(*this);
    if (table_ != table) {
      table_ = table;
      tableBits_ = upload(table->bits.data(), sizeof table->bits);
    }
    enqueue(LookUpPicture{rgb, inStride, height, width, tableBits_.as<uint32_t>(),
                          static_cast<int32_t>(dtypeSize(table->dtype)), strides.channel,
                          strides.row, strides.column, out});
  }

  void fillZero(void* data, size_t bytes) override {
    const Call call(*this);
    zero(data, bytes);
  }

  void download(void* host, const void* data, size_t bytes) override {
    const Call call(*this);
    downloadThrough(gpu_->pinned, *stream_, host, data, bytes);
    if (bytes > 0) staged_.clear();
  }

  void synchronize() override {
    const Call call(*this);
    stream_->synchronize(Stage::Process);
    staged_.clear();
  }

 private:
  // What every operation starts with: stop if asked to, one caller at a time, context current.
  class Call {
   public:
    explicit Call(CudaKernels& kernels) : lock_(kernels.mutex_), current_(*kernels.gpu_->context) {
      if (kernels.cancel_) kernels.cancel_->check(Stage::Process);
    }

   private:
    std::unique_lock<std::mutex> lock_;
    DeviceContext::Current current_;
  };

  // Before something is enqueued that reads a decoded frame, which may go before it has run.
  void reads(const FrameView& frame) { gpu_->context->readsFrame(frame.plane[0].data, *stream_); }

  template <class Program>
  void enqueue(const Program& program) {
    try {
      launch(program, stream_->get());
    } catch (const KernelError& error) {
      gpu_->context->note(error.cudaCode, error.kernel);
      throw;
    }
  }

  void zero(void* data, size_t bytes) {
    if (bytes == 0) return;
    gpu_->context->check(
        gpu_->context->api().memsetD8Async(devicePointer(data), 0, bytes, stream_->get()),
        "cuMemsetD8Async");
  }

  // One set of bins serves all frames of the call: the stream keeps them apart.
  DeviceCellCounts countOnDevice(const CellMaps& maps) {
    const int32_t bins = residualLevels(maps.residualBytes);
    if (!cellCounts_) {
      cellCounts_ = Buffer::allocate(
          memory_, sizeof(CellPercentiles) +
                       sizeof(int32_t) * static_cast<size_t>(kDeviceMotionLevels + bins));
    }
    zero(cellCounts_.data(), cellCounts_.bytes());
    auto* motion2 = reinterpret_cast<int32_t*>(cellCounts_.as<CellPercentiles>() + 1);
    const DeviceCellCounts counts{motion2, motion2 + kDeviceMotionLevels};
    enqueue(CellHistogram{maps, counts});
    return counts;
  }

  // A small table. From pinned memory: where devices can read pageable memory themselves, the
  // driver need not have read it when it returns.
  Buffer upload(const void* host, size_t bytes) {
    Buffer buffer = Buffer::allocate(memory_, bytes);
    copyIn(buffer.data(), host, bytes);
    return buffer;
  }
  void copyIn(void* device, const void* host, size_t bytes) {
    const Buffer& staged = staged_.emplace_back(Buffer::allocate(gpu_->pinned, bytes));
    std::memcpy(staged.data(), host, bytes);
    gpu_->context->check(gpu_->context->api().memcpyHtoDAsync(devicePointer(device), staged.data(),
                                                              bytes, stream_->get()),
                         "cuMemcpyHtoDAsync", Stage::Transfer);
    gpu_->context->traffic().toDevice += static_cast<int64_t>(bytes);
  }

  struct UploadedTaps {
    Buffer first, used, weights;
    DeviceTaps view{};
  };
  UploadedTaps upload(const ResampleTaps& taps) {
    const auto bytes = [](const auto& v) { return v.size() * sizeof(v[0]); };
    UploadedTaps up{upload(taps.first.data(), bytes(taps.first)),
                    upload(taps.used.data(), bytes(taps.used)),
                    upload(taps.weights.data(), bytes(taps.weights)),
                    {}};
    up.view = {taps.count,
               taps.bits,
               taps.stride,
               up.first.as<int32_t>(),
               up.used.as<int32_t>(),
               up.weights.as<int16_t>()};
    return up;
  }

  std::shared_ptr<GpuDevice> gpu_;
  CancelPtr cancel_;
  std::mutex mutex_;
  std::shared_ptr<Stream> stream_;
  std::shared_ptr<MemoryResource> memory_;
  Buffer counts_;
  Buffer cellCounts_;  // percentiles, then bins; a call has one kind of cell maps
  std::shared_ptr<const ResamplePlan> resamplePlan_;  // whose taps are on the device
  UploadedTaps resampleX_, resampleY_;
  std::shared_ptr<const ValueTable> table_;  // which is on the device
  Buffer tableBits_;
  std::vector<Buffer>
      staged_;  // tables that copies may still read; until the stream was waited for
};

}  // namespace

std::unique_ptr<Kernels> makeCudaKernels(std::shared_ptr<GpuDevice> device, CancelPtr cancel) {
  return std::make_unique<CudaKernels>(std::move(device), std::move(cancel));
}

}  // namespace cps
