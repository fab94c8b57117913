#include "cuda/driver/device_context.h"

#include <algorithm>

namespace cps {
namespace {

// Freed memory the pool keeps for the next call instead of giving it back to the driver.
constexpr uint64_t kPoolKeepBytes = uint64_t{512} << 20;

// cuda.h's codes after which the context answers nothing else (Note [Poisoned devices]).
bool isSticky(int code) {
  switch (code) {
    case 214:  // ECC_UNCORRECTABLE
    case 220:  // NVLINK_UNCORRECTABLE
    case 700:  // ILLEGAL_ADDRESS
    case 702:  // LAUNCH_TIMEOUT
    case 710:  // ASSERT
    case 714:  // HARDWARE_STACK_ERROR
    case 715:  // ILLEGAL_INSTRUCTION
    case 716:  // MISALIGNED_ADDRESS
    case 717:  // INVALID_ADDRESS_SPACE
    case 718:  // INVALID_PC
    case 719:  // LAUNCH_FAILED
    case 721:  // CONTAINED
      return true;
    default:
      return false;
  }
}

}  // namespace

std::shared_ptr<DeviceContext> DeviceContext::create(std::shared_ptr<const DriverApi> api, int id) {
  std::shared_ptr<DeviceContext> device(new DeviceContext(std::move(api), id));
  device->open();
  return device;
}

DeviceContext::DeviceContext(std::shared_ptr<const DriverApi> api, int id)
    : api_(std::move(api)), id_(id) {}

void DeviceContext::open() {
  try {
    check(api_->deviceGet(&device_, id_), "cuDeviceGet", Stage::Open);
    char name[256] = {};
    check(api_->deviceGetName(name, sizeof name - 1, device_), "cuDeviceGetName", Stage::Open);
    name_ = name;
    check(api_->primaryCtxRetain(&context_, device_), "cuDevicePrimaryCtxRetain", Stage::Open);
    const Current current(*this);
    check(api_->streamCreate(&freeStream_, kCuStreamNonBlocking), "cuStreamCreate", Stage::Open);
    check(api_->eventCreate(&event_, kCuEventDisableTiming), "cuEventCreate", Stage::Open);
    int pools = 0;
    api_->deviceGetAttribute(&pools, kCuAttributeMemoryPools, device_);
    if (pools != 0 && api_->hasPools()) {
      CuMemPoolProps props{};
      props.allocType = 1;
      props.locationType = 1;
      props.locationId = id_;
      check(api_->memPoolCreate(&pool_, &props), "cuMemPoolCreate", Stage::Open);
      uint64_t keep = kPoolKeepBytes;
      check(api_->memPoolSetAttribute(pool_, kCuMemPoolReleaseThreshold, &keep),
            "cuMemPoolSetAttribute", Stage::Open);
    }
  } catch (const Error& error) {
    throw Error(ErrorCode::BackendUnavailable, Stage::Open,
                Device::cuda(id_).name() + " cannot be used: " + error.what());
  }
}

DeviceContext::~DeviceContext() {
  if (context_ == nullptr) return;
  {
    const Current current(*this);
    if (freeStream_) {
      api_->streamSynchronize(freeStream_);
      api_->streamDestroy(freeStream_);
    }
    if (event_) api_->eventDestroy(event_);
    if (pool_) api_->memPoolDestroy(pool_);
  }
  api_->primaryCtxRelease(device_);
}

DeviceContext::Current::Current(const DeviceContext& device) : device_(device) {
  device_.check(device_.api_->ctxPushCurrent(device_.context_), "cuCtxPushCurrent");
}

DeviceContext::Current::~Current() {
  CUcontext popped = nullptr;
  device_.api_->ctxPopCurrent(&popped);
}

void DeviceContext::check(CUresult result, const char* call, Stage stage) const {
  if (result == CUDA_SUCCESS) return;
  const std::string text =
      std::string(call) + " failed on " + device().name() + ": " + api_->describe(result);
  if (result == kCuErrorOutOfMemory) {
    throw Error(ErrorCode::OutOfMemory, stage,
                text + "; sample fewer or smaller frames, or free memory on the device");
  }
  if (isSticky(result)) {
    {
      const std::lock_guard lock(poisonMutex_);
      if (poison_.empty()) poison_ = text;
    }
    throw Error(ErrorCode::Device, stage,
                text + "; the device's context is lost for this process: restart it");
  }
  throw Error(ErrorCode::Device, stage, text);
}

std::string DeviceContext::poison() const {
  const std::lock_guard lock(poisonMutex_);
  return poison_;
}

CUresult DeviceContext::tryAllocate(CUdeviceptr* data, size_t bytes, CUstream stream) {
  return pool_ ? api_->memAllocFromPoolAsync(data, bytes, pool_, stream)
               : api_->memAlloc(data, bytes);
}

CUdeviceptr DeviceContext::allocate(size_t bytes, CUstream stream) {
  const Current current(*this);
  CUdeviceptr data = 0;
  CUresult result = tryAllocate(&data, std::max<size_t>(bytes, 1), stream);
  if (result == kCuErrorOutOfMemory) {
    // Memory may only be waiting for its stream, or lie idle in the pool.
    check(api_->ctxSynchronize(), "cuCtxSynchronize");
    if (pool_) api_->memPoolTrimTo(pool_, 0);
    result = tryAllocate(&data, std::max<size_t>(bytes, 1), stream);
  }
  if (result == kCuErrorOutOfMemory) {
    size_t available = 0, total = 0;
    api_->memGetInfo(&available, &total);
    throw Error(ErrorCode::OutOfMemory, Stage::Process,
                "Could not allocate " + std::to_string(bytes) + " bytes on " + device().name() +
                    " (" + std::to_string(available) + " of " + std::to_string(total) +
                    " bytes free); sample fewer or smaller frames, or free memory on the device");
  }
  check(result, pool_ ? "cuMemAllocFromPoolAsync" : "cuMemAlloc");
  return data;
}

// Errors while freeing cannot be reported; a broken context gives everything back when it ends.
void DeviceContext::free(CUdeviceptr data, CUstream stream) noexcept {
  if (api_->ctxPushCurrent(context_) != CUDA_SUCCESS) return;
  pool_ ? api_->memFreeAsync(data, stream) : api_->memFree(data);  // cuMemFree waits by itself
  CUcontext popped = nullptr;
  api_->ctxPopCurrent(&popped);
}

void DeviceContext::freeAfterAll(CUdeviceptr data) noexcept {
  if (api_->ctxPushCurrent(context_) != CUDA_SUCCESS) return;
  if (pool_) {
    const std::lock_guard lock(streamsMutex_);
    for (CUstream stream : streams_) {
      api_->eventRecord(event_, stream);
      api_->streamWaitEvent(freeStream_, event_, 0);
    }
    api_->memFreeAsync(data, freeStream_);
  } else {
    api_->memFree(data);
  }
  CUcontext popped = nullptr;
  api_->ctxPopCurrent(&popped);
}

void DeviceContext::addStream(CUstream stream) {
  const std::lock_guard lock(streamsMutex_);
  streams_.push_back(stream);
}

void DeviceContext::removeStream(CUstream stream) noexcept {
  const std::lock_guard lock(streamsMutex_);
  // Later frees must still wait for what is enqueued there.
  api_->eventRecord(event_, stream);
  api_->streamWaitEvent(freeStream_, event_, 0);
  streams_.erase(std::remove(streams_.begin(), streams_.end(), stream), streams_.end());
}

Stream::Stream(std::shared_ptr<DeviceContext> device) : device_(std::move(device)) {
  const DeviceContext::Current current(*device_);
  device_->check(device_->api().streamCreate(&stream_, kCuStreamNonBlocking), "cuStreamCreate");
  device_->addStream(stream_);
}

Stream::~Stream() {
  if (device_->api().ctxPushCurrent(device_->context()) != CUDA_SUCCESS) return;
  device_->removeStream(stream_);
  device_->api().streamDestroy(stream_);
  CUcontext popped = nullptr;
  device_->api().ctxPopCurrent(&popped);
}

void Stream::synchronize(Stage stage) const {
  const DeviceContext::Current current(*device_);
  device_->check(device_->api().streamSynchronize(stream_), "cuStreamSynchronize", stage);
}

}  // namespace cps
