#include "cuda/driver/device_context.h"

#include <algorithm>

#include "cuda/runtime_version.h"

namespace cps {
namespace {

// Freed memory that the pool keeps for the next call instead of giving it back to the driver: this
// part of the device's.
constexpr uint64_t kPoolKeepsOneOf = 32;

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
    check(api_->eventCreate(&event_, kCuEventWaiting), "cuEventCreate", Stage::Open);
    openPool();
    // Tells whether the context is any good.
    check(api_->streamSynchronize(freeStream_), "cuStreamSynchronize", Stage::Open);
  } catch (const Error& error) {
    throw Error(ErrorCode::BackendUnavailable, Stage::Open,
                Device::cuda(id_).name() + " cannot be used: " + error.what());
  }
}

void DeviceContext::openPool() {
  int pools = 0;
  check(api_->deviceGetAttribute(&pools, kCuAttributeMemoryPools, device_), "cuDeviceGetAttribute",
        Stage::Open);
  if (pools == 0 || !api_->hasPools()) return;
  CuMemPoolProps props{};
  props.allocType = 1;
  props.locationType = 1;
  props.locationId = id_;
  check(api_->memPoolCreate(&pool_, &props), "cuMemPoolCreate", Stage::Open);
  size_t available = 0, total = 0;
  check(api_->memGetInfo(&available, &total), "cuMemGetInfo", Stage::Open);
  uint64_t keep = total / kPoolKeepsOneOf;
  check(api_->memPoolSetAttribute(pool_, kCuMemPoolReleaseThreshold, &keep),
        "cuMemPoolSetAttribute", Stage::Open);
  // Else the pool would make one call's stream wait for another's, to give it the memory that the
  // other one is about to free.
  int dependencies = 0;
  check(api_->memPoolSetAttribute(pool_, kCuMemPoolReuseInternalDependencies, &dependencies),
        "cuMemPoolSetAttribute", Stage::Open);
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

CUdeviceptr DeviceContext::allocate(size_t bytes, const Stream& stream) {
  const Current current(*this);
  CUdeviceptr data = 0;
  CUresult result = tryAllocate(&data, std::max<size_t>(bytes, 1), stream.get());
  if (result == kCuErrorOutOfMemory) {
    // Memory may only be waiting for its stream, or lie idle in the pool.
    check(api_->ctxSynchronize(), "cuCtxSynchronize");
    if (pool_) api_->memPoolTrimTo(pool_, 0);
    result = tryAllocate(&data, std::max<size_t>(bytes, 1), stream.get());
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

void DeviceContext::trim() noexcept {
  const Cleanup cleanup(*this);
  if (cleanup && pool_) cleanup(api_->memPoolTrimTo(pool_, 0), "cuMemPoolTrimTo");
}

// Errors while freeing cannot be reported; a broken context gives everything back when it ends.
void DeviceContext::free(CUdeviceptr data, uint64_t streamId) noexcept {
  const Cleanup cleanup(*this);
  if (!cleanup) return;
  if (!pool_) return cleanup(api_->memFree(data), "cuMemFree");  // waits by itself
  const std::lock_guard lock(streamsMutex_);
  const auto it = streams_.find(streamId);
  const CUstream stream = it == streams_.end() ? freeStream_ : it->second->get();
  cleanup(api_->memFreeAsync(data, stream), "cuMemFreeAsync");
}

CUdeviceptr DeviceContext::allocateFrame(size_t bytes, Stream& stream) {
  const CUdeviceptr data = allocate(bytes, stream);
  const std::lock_guard lock(streamsMutex_);
  frames_.insert_or_assign(data, Frame{bytes, {{stream.id(), stream.nextTicket()}}});
  return data;
}

void DeviceContext::readsFrame(const void* data, Stream& stream) {
  const auto address = reinterpret_cast<CUdeviceptr>(data);
  const std::lock_guard lock(streamsMutex_);
  auto it = frames_.upper_bound(address);
  if (it == frames_.begin()) return;
  --it;
  if (address >= it->first + it->second.bytes) return;
  const uint64_t ticket = stream.nextTicket();
  for (Use& use : it->second.uses) {
    if (use.stream != stream.id()) continue;
    use.ticket = ticket;
    return;
  }
  it->second.uses.push_back({stream.id(), ticket});
}

void DeviceContext::freeFrame(CUdeviceptr data) noexcept {
  const Cleanup cleanup(*this);
  const std::lock_guard lock(streamsMutex_);
  const auto frame = frames_.extract(data);
  if (!cleanup) return;
  if (!pool_) return cleanup(api_->memFree(data), "cuMemFree");
  // Where a single stream has to be waited for, the order on that stream is enough. What streams
  // had to do that are gone, all frees wait for (removeStream).
  const Stream* only = nullptr;
  bool several = false;
  const auto forUnsettled = [&](const auto& visit) {
    for (const Use& use : frame.mapped().uses) {
      const auto it = streams_.find(use.stream);
      if (it != streams_.end() && !it->second->isSettled(use.ticket)) visit(*it->second);
    }
  };
  if (!frame.empty()) {
    forUnsettled([&](const Stream& stream) {
      several = only != nullptr;
      only = &stream;
    });
    if (several) forUnsettled([&](const Stream& stream) { letFreesWaitFor(stream.get()); });
  }
  const CUstream stream = only != nullptr && !several ? only->get() : freeStream_;
  cleanup(api_->memFreeAsync(data, stream), "cuMemFreeAsync");
}

// Where the order cannot be enqueued it is waited for: freed too early is worse than late.
void DeviceContext::letFreesWaitFor(CUstream stream) noexcept {
  CUresult result = api_->eventRecord(event_, stream);
  if (result == CUDA_SUCCESS) result = api_->streamWaitEvent(freeStream_, event_, 0);
  if (result == CUDA_SUCCESS) return;
  note(result, "cuStreamWaitEvent");
  note(api_->streamSynchronize(stream), "cuStreamSynchronize");
}

uint64_t DeviceContext::addStream(Stream& stream) {
  const std::lock_guard lock(streamsMutex_);
  streams_.emplace(++lastStream_, &stream);
  return lastStream_;
}

void DeviceContext::removeStream(const Stream& stream, bool usable) noexcept {
  const std::lock_guard lock(streamsMutex_);
  // Later frees must still wait for what is enqueued there.
  if (usable) letFreesWaitFor(stream.get());
  streams_.erase(stream.id());
}

Stream::Stream(std::shared_ptr<DeviceContext> device) : device_(std::move(device)) {
  const DeviceContext::Current current(*device_);
  device_->check(device_->api().streamCreate(&stream_, kCuStreamNonBlocking), "cuStreamCreate");
  try {
    device_->check(device_->api().eventCreate(&done_, kCuEventWaiting), "cuEventCreate");
    id_ = device_->addStream(*this);
  } catch (...) {
    if (done_) device_->api().eventDestroy(done_);
    device_->api().streamDestroy(stream_);
    throw;
  }
}

Stream::~Stream() {
  const DeviceContext::Cleanup cleanup(*device_);
  device_->removeStream(*this, static_cast<bool>(cleanup));
  if (!cleanup) return;
  cleanup(device_->api().eventDestroy(done_), "cuEventDestroy");
  cleanup(device_->api().streamDestroy(stream_), "cuStreamDestroy");
}

// By an event, since waiting for a stream keeps a processor busy in contexts that are not made for
// it, and ours is the whole process's.
void Stream::synchronize(Stage stage) const {
  const DeviceContext::Current current(*device_);
  const uint64_t enqueued = tickets_;
  device_->check(device_->api().eventRecord(done_, stream_), "cuEventRecord", stage);
  device_->check(device_->api().eventSynchronize(done_), "cuEventSynchronize", stage);
  settled(enqueued);
}

void Stream::settled(uint64_t ticket) const {
  for (uint64_t now = settled_; now < ticket && !settled_.compare_exchange_weak(now, ticket);) {
  }
}

}  // namespace cps
