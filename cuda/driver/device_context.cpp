#include "cuda/driver/device_context.h"

#include <algorithm>

#include "cuda/runtime_version.h"

namespace cps {
namespace {

// Freed memory the pool keeps for the next call instead of giving it back to the driver.
constexpr uint64_t kPoolKeepBytes = uint64_t{512} << 20;

// cuda.h's codes after which the context answers nothing else (Note [Poisoned devices]).
bool isSticky(int code) {
  switch (code) {
    case 214:  // ECC_UNCORRECTABLE
    case 220:  // NVLINK_UNCORRECTABLE
    case 226:  // CONTAINED
    case 700:  // ILLEGAL_ADDRESS
    case 702:  // LAUNCH_TIMEOUT
    case 709:  // CONTEXT_IS_DESTROYED
    case 710:  // ASSERT
    case 714:  // HARDWARE_STACK_ERROR
    case 715:  // ILLEGAL_INSTRUCTION
    case 716:  // MISALIGNED_ADDRESS
    case 717:  // INVALID_ADDRESS_SPACE
    case 718:  // INVALID_PC
    case 719:  // LAUNCH_FAILED
    case 721:  // TENSOR_MEMORY_LEAK
    case 810:  // MPS_CLIENT_TERMINATED
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
    unsigned flags = 0;
    int active = 0;
    check(api_->primaryCtxGetState(device_, &flags, &active), "cuDevicePrimaryCtxGetState",
          Stage::Open);
    foreign_ = active != 0;
    check(api_->primaryCtxRetain(&context_, device_), "cuDevicePrimaryCtxRetain", Stage::Open);
    const Current current(*this);
    check(api_->streamCreate(&freeStream_, kCuStreamNonBlocking), "cuStreamCreate", Stage::Open);
    check(api_->eventCreate(&event_, kCuEventDisableTiming), "cuEventCreate", Stage::Open);
    int pools = 0;
    check(api_->deviceGetAttribute(&pools, kCuAttributeMemoryPools, device_),
          "cuDeviceGetAttribute", Stage::Open);
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
    // Tells whether the context is any good.
    check(api_->streamSynchronize(freeStream_), "cuStreamSynchronize", Stage::Open);
  } catch (const Error& error) {
    throw Error(ErrorCode::BackendUnavailable, Stage::Open,
                Device::cuda(id_).name() + " cannot be used: " + error.what());
  }
}

DeviceContext::~DeviceContext() {
  if (context_ == nullptr || abandoned_) return;
  if (const Cleanup cleanup(*this); cleanup) {
    if (freeStream_) {
      api_->streamSynchronize(freeStream_);
      api_->streamDestroy(freeStream_);
    }
    if (event_) api_->eventDestroy(event_);
    if (pool_) api_->memPoolDestroy(pool_);
  }
  api_->primaryCtxRelease(device_);
}

void DeviceContext::abandon() noexcept {
  const std::unique_lock lock(lifeMutex_);
  if (abandoned_) return;
  abandoned_ = true;
  if (!foreign_ && api_->ctxPushCurrent(context_) == CUDA_SUCCESS) {
    resetCurrentDevice();
    CUcontext popped = nullptr;
    api_->ctxPopCurrent(&popped);
  }
  api_->primaryCtxRelease(device_);
}

void DeviceContext::enter() {
  const std::lock_guard lock(leaseMutex_);
  leases_++;
}

void DeviceContext::leave() noexcept {
  const std::lock_guard lock(leaseMutex_);
  leases_--;
}

bool DeviceContext::inUse() const {
  const std::lock_guard lock(leaseMutex_);
  return leases_ > 0;
}

DeviceContext::Current::Current(const DeviceContext& device) : device_(device) {
  device_.check(device_.api_->ctxPushCurrent(device_.context_), "cuCtxPushCurrent");
}

DeviceContext::Current::~Current() {
  CUcontext popped = nullptr;
  device_.api_->ctxPopCurrent(&popped);
}

DeviceContext::Cleanup::Cleanup(const DeviceContext& device) noexcept
    : device_(device), lock_(device.lifeMutex_) {
  if (device_.abandoned_) return;
  const CUresult result = device_.api_->ctxPushCurrent(device_.context_);
  current_ = result == CUDA_SUCCESS;
  if (!current_) device_.lose(result, "cuCtxPushCurrent");
}

DeviceContext::Cleanup::~Cleanup() {
  if (!current_) return;
  CUcontext popped = nullptr;
  device_.api_->ctxPopCurrent(&popped);
}

void DeviceContext::Cleanup::operator()(CUresult result, const char* call) const noexcept {
  device_.note(result, call);
}

void DeviceContext::note(int result, const char* call) const noexcept {
  if (result == CUDA_SUCCESS) return;
  const std::lock_guard lock(poisonMutex_);
  suspect_ = true;
  if (isSticky(result) && poison_.empty()) poison_ = failedText(result, call);
}

void DeviceContext::lose(int result, const char* call) const noexcept {
  const std::lock_guard lock(poisonMutex_);
  if (poison_.empty()) poison_ = failedText(result, call);
}

std::string DeviceContext::failedText(int result, const char* call) const {
  return std::string(call) + " failed on " + device().name() + ": " +
         api_->describe(static_cast<CUresult>(result));
}

bool DeviceContext::refuses(CUresult result) {
  return result == kCuErrorInvalidValue || result == kCuErrorNotSupported ||
         result == kCuErrorNoDevice;
}

void DeviceContext::check(CUresult result, const char* call, Stage stage) const {
  if (result == CUDA_SUCCESS) return;
  const std::string text = failedText(result, call);
  if (result == kCuErrorOutOfMemory) {
    throw Error(ErrorCode::OutOfMemory, stage,
                text + "; sample fewer or smaller frames, or free memory on the device");
  }
  note(result, call);
  throw Error(ErrorCode::Device, stage,
              isSticky(result) ? text +
                                     "; everything of this process on the device is lost, the next "
                                     "call starts anew"
                               : text);
}

std::string DeviceContext::poison() const {
  {
    const std::lock_guard lock(poisonMutex_);
    if (!poison_.empty() || !suspect_) return poison_;
    suspect_ = false;
  }
  const Cleanup tried(*this);
  const CUresult result = tried ? api_->streamSynchronize(freeStream_) : CUDA_SUCCESS;
  const std::lock_guard lock(poisonMutex_);
  if (poison_.empty() && result != CUDA_SUCCESS) {
    poison_ = "cuStreamSynchronize failed on " + device().name() +
              " after an error: " + api_->describe(result);
  }
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
    std::string known;
    if (api_->memGetInfo(&available, &total) == CUDA_SUCCESS) {
      known = " (" + std::to_string(available) + " of " + std::to_string(total) + " bytes free)";
    }
    throw Error(ErrorCode::OutOfMemory, Stage::Process,
                "Could not allocate " + std::to_string(bytes) + " bytes on " + device().name() +
                    known + "; sample fewer or smaller frames, or free memory on the device");
  }
  check(result, pool_ ? "cuMemAllocFromPoolAsync" : "cuMemAlloc");
  return data;
}

// Errors while freeing cannot be reported; a broken context gives everything back when it ends.
void DeviceContext::free(CUdeviceptr data, CUstream stream) noexcept {
  const Cleanup cleanup(*this);
  if (!cleanup) return;
  // cuMemFree waits by itself.
  cleanup(pool_ ? api_->memFreeAsync(data, stream) : api_->memFree(data), "cuMemFree");
}

void DeviceContext::freeAfterAll(CUdeviceptr data) noexcept {
  const Cleanup cleanup(*this);
  if (!cleanup) return;
  if (!pool_) return cleanup(api_->memFree(data), "cuMemFree");
  const std::lock_guard lock(streamsMutex_);
  for (CUstream stream : streams_) letFreesWaitFor(stream);
  cleanup(api_->memFreeAsync(data, freeStream_), "cuMemFreeAsync");
}

// Where the order cannot be enqueued it is waited for: freed too early is worse than late.
void DeviceContext::letFreesWaitFor(CUstream stream) noexcept {
  CUresult result = api_->eventRecord(event_, stream);
  if (result == CUDA_SUCCESS) result = api_->streamWaitEvent(freeStream_, event_, 0);
  if (result == CUDA_SUCCESS) return;
  note(result, "cuStreamWaitEvent");
  note(api_->streamSynchronize(stream), "cuStreamSynchronize");
}

void DeviceContext::addStream(CUstream stream) {
  const std::lock_guard lock(streamsMutex_);
  streams_.push_back(stream);
}

void DeviceContext::removeStream(CUstream stream) noexcept {
  const std::lock_guard lock(streamsMutex_);
  // Later frees must still wait for what is enqueued there.
  letFreesWaitFor(stream);
  streams_.erase(std::remove(streams_.begin(), streams_.end(), stream), streams_.end());
}

Stream::Stream(std::shared_ptr<DeviceContext> device) : device_(std::move(device)) {
  const DeviceContext::Current current(*device_);
  device_->check(device_->api().streamCreate(&stream_, kCuStreamNonBlocking), "cuStreamCreate");
  device_->addStream(stream_);
}

Stream::~Stream() {
  const DeviceContext::Cleanup cleanup(*device_);
  if (!cleanup) return;
  device_->removeStream(stream_);
  cleanup(device_->api().streamDestroy(stream_), "cuStreamDestroy");
}

void Stream::synchronize(Stage stage) const {
  const DeviceContext::Current current(*device_);
  device_->check(device_->api().streamSynchronize(stream_), "cuStreamSynchronize", stage);
}

}  // namespace cps
