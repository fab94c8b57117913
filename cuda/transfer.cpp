#include "cuda/transfer.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

namespace cps {
namespace {

constexpr size_t kPitchAlignment = 256;

// Components that share memory (NV12's Cb and Cr, all of RGB24) are copied together.
struct PlaneGroup {
  const uint8_t* begin;  // first byte of the first row in memory
  size_t rowBytes;
  size_t rows;
  size_t pitch;  // between rows in memory, > 0
  bool bottomUp;
  std::vector<int> planes;
  size_t offset = 0;  // in the copy
  size_t newPitch = 0;
};

std::vector<PlaneGroup> groupPlanes(const FrameView& view) {
  const size_t sampleBytes = view.bitDepth > 8 ? 2 : 1;
  std::vector<PlaneGroup> groups;
  for (int i = 0; i < view.planes; i++) {
    const PlaneView& plane = view.plane[i];
    const int shiftW = i > 0 ? view.log2ChromaW : 0, shiftH = i > 0 ? view.log2ChromaH : 0;
    const size_t cols = (static_cast<size_t>(view.width) + (1u << shiftW) - 1) >> shiftW;
    const size_t rows = (static_cast<size_t>(view.height) + (1u << shiftH) - 1) >> shiftH;
    PlaneGroup group;
    group.bottomUp = plane.stride < 0;
    group.pitch = static_cast<size_t>(group.bottomUp ? -plane.stride : plane.stride);
    group.begin = group.bottomUp ? plane.data - (rows - 1) * group.pitch : plane.data;
    group.rowBytes = (cols - 1) * static_cast<size_t>(plane.step) + sampleBytes;
    group.rows = rows;
    group.planes = {i};
    const auto shares = std::find_if(groups.begin(), groups.end(), [&](const PlaneGroup& other) {
      return other.pitch == group.pitch && other.rows == group.rows &&
             other.bottomUp == group.bottomUp && other.begin < group.begin + group.rowBytes &&
             group.begin < other.begin + other.rowBytes;
    });
    if (shares == groups.end()) {
      groups.push_back(std::move(group));
      continue;
    }
    const uint8_t* end = std::max(shares->begin + shares->rowBytes, group.begin + group.rowBytes);
    shares->begin = std::min(shares->begin, group.begin);
    shares->rowBytes = static_cast<size_t>(end - shares->begin);
    shares->planes.push_back(i);
  }
  return groups;
}

SourceFrame copyPlanes(const SourceFrame& frame, const std::shared_ptr<GpuDevice>& gpu,
                       bool toDevice) {
  std::vector<PlaneGroup> groups = groupPlanes(frame.view);
  size_t bytes = 0;
  for (PlaneGroup& group : groups) {
    group.offset = bytes;
    group.newPitch = (group.rowBytes + kPitchAlignment - 1) / kPitchAlignment * kPitchAlignment;
    bytes += group.newPitch * group.rows;
  }
  const auto stream = std::make_shared<Stream>(gpu->context);
  // Pinned memory goes with its context: a picture in it holds the lease.
  auto buffer = std::make_shared<Buffer>(Buffer::allocate(
      toDevice ? frameMemory(stream) : std::shared_ptr<MemoryResource>(gpu, gpu->pinned.get()),
      bytes));
  DeviceContext& context = *gpu->context;
  const DeviceContext::Current current(context);
  // A copy from pageable memory keeps this thread and a processor busy until it is done.
  const Buffer staged = toDevice ? Buffer::allocate(gpu->pinned, bytes) : Buffer();
  SourceFrame result = frame;
  result.device = toDevice ? context.device() : Device::cpu();
  result.owner = buffer;
  try {
    for (const PlaneGroup& group : groups) {
      uint8_t* target = buffer->as<uint8_t>() + group.offset;
      CUDA_MEMCPY2D copy{};
      copy.srcMemoryType = toDevice ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
      copy.dstMemoryType = toDevice ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
      copy.srcPitch = group.pitch;
      if (toDevice) {
        uint8_t* rows = staged.as<uint8_t>() + group.offset;
        for (size_t y = 0; y < group.rows; y++) {
          std::memcpy(rows + y * group.newPitch, group.begin + y * group.pitch, group.rowBytes);
        }
        copy.srcHost = rows;
        copy.srcPitch = group.newPitch;
        copy.dstDevice = devicePointer(target);
      } else {
        copy.srcDevice = devicePointer(group.begin);
        copy.dstHost = target;
      }
      copy.dstPitch = group.newPitch;
      copy.WidthInBytes = group.rowBytes;
      copy.Height = group.rows;
      context.check(context.api().memcpy2DAsync(&copy, stream->get()), "cuMemcpy2DAsync",
                    Stage::Transfer);
      (toDevice ? context.traffic().toDevice : context.traffic().fromDevice) +=
          static_cast<int64_t>(group.rowBytes * group.rows);
      const int64_t lastRow = static_cast<int64_t>(group.newPitch * (group.rows - 1));
      for (int i : group.planes) {
        const PlaneView& from = frame.view.plane[i];
        const uint8_t* fromFirst =
            group.bottomUp ? from.data - (group.rows - 1) * group.pitch : from.data;
        PlaneView& to = result.view.plane[i];
        to.data = target + (fromFirst - group.begin) + (group.bottomUp ? lastRow : 0);
        to.stride = static_cast<int64_t>(group.newPitch) * (group.bottomUp ? -1 : 1);
      }
    }
  } catch (...) {
    // Copies already enqueued still read the source and write the target.
    context.api().streamSynchronize(stream->get());
    throw;
  }
  stream->synchronize(Stage::Transfer);
  return result;
}

SourceFrame copyFrame(const SourceFrame& frame, const std::shared_ptr<GpuDevice>& gpu,
                      bool toDevice) {
  SourceFrame result = copyPlanes(frame, gpu, toDevice);
  if (frame.luma) {
    SourceFrame luma;
    luma.owner = frame.luma->owner;
    luma.view = frame.luma->view;
    luma = copyPlanes(luma, gpu, toDevice);
    result.luma = LumaView{std::move(luma.owner), luma.view};
  }
  return result;
}

}  // namespace

SourceFrame uploadFrame(const SourceFrame& frame, const std::shared_ptr<GpuDevice>& gpu) {
  return copyFrame(frame, gpu, true);
}

SourceFrame downloadFrame(const SourceFrame& frame, const std::shared_ptr<GpuDevice>& gpu) {
  return copyFrame(frame, gpu, false);
}

}  // namespace cps
