// The libcuda half of the fake driver (Note [Fake driver]).

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "cuda/driver/driver_api.h"
#include "cuda/fake_driver/fake_driver.h"

namespace fake {
namespace {

struct FakeStream {
  std::deque<std::function<void()>> work;
  int64_t done = 0;  // items ever run
  bool alive = true;
};
struct FakeEvent {
  FakeStream* stream = nullptr;
  int64_t position = 0;
  bool waits = false;  // whoever waits for it sleeps
};

// One lock for the whole fake: calls may come from any thread, work may call back.
std::recursive_mutex mutex;
Control* theControl = new Control;
Stats* theStats = new Stats;
std::map<void*, size_t> deviceMemory;
size_t deviceBytes = 0;
std::map<void*, size_t> pinnedMemory;
// Never deleted: a handle used after its end must be noticed, not crash.
std::set<FakeStream*> allStreams;
std::set<FakeStream*> liveStreams;
std::set<FakeEvent*> events;
int poison = 0;  // what every call of the context answers
thread_local int pushed = 0;

void drain(FakeStream* stream, int64_t until) {
  while (!stream->work.empty() && stream->done < until) {
    auto work = std::move(stream->work.front());
    stream->work.pop_front();
    stream->done++;
    work();
  }
}

FakeStream* checked(CUstream handle) {
  auto* stream = reinterpret_cast<FakeStream*>(handle);
  if (stream == nullptr || !allStreams.count(stream)) {
    misuse("the default stream or an unknown one was used");
    return nullptr;
  }
  if (!stream->alive) misuse("a destroyed stream was used");
  return stream;
}

void needContext(const char* call) {
  if (pushed <= 0) misuse(std::string(call) + " without a current context");
}

bool known(CUevent handle) {
  if (events.count(reinterpret_cast<FakeEvent*>(handle)) != 0) return true;
  misuse("an event was used that is no more");
  return false;
}

bool inDeviceMemory(const void* data, size_t bytes) {
  auto it = deviceMemory.upper_bound(const_cast<void*>(data));
  if (it == deviceMemory.begin()) return false;
  --it;
  const auto* begin = static_cast<const char*>(it->first);
  const auto* p = static_cast<const char*>(data);
  return p >= begin && p + bytes <= begin + it->second;
}

void needDevice(const void* data, size_t bytes, const char* call) {
  if (!inDeviceMemory(data, bytes)) misuse(std::string(call) + ": not device memory");
}

bool isPinned(const void* memory, size_t bytes) {
  const auto* p = static_cast<const char*>(memory);
  for (const auto& [data, size] : pinnedMemory) {
    const auto* begin = static_cast<const char*>(data);
    if (p >= begin && p + bytes <= begin + size) return true;
  }
  return false;
}

// A download to memory that is not page-locked is slow and waits.
void countDownload(const void* target, size_t bytes) {
  std::lock_guard lock(mutex);
  stats().downloads++;
  stats().downloadedBytes += static_cast<long>(bytes);
  if (!isPinned(target, bytes)) misuse("a download to memory that is not pinned");
  // For tests in another language: one line per download.
  const char* file = std::getenv("CPS_FAKE_DOWNLOADS");
  if (std::FILE* out = file != nullptr ? std::fopen(file, "a") : nullptr) {
    std::fprintf(out, "%zu\n", bytes);
    std::fclose(out);
  }
}

// Memory may be read when the copy runs, pinned or not: only pinned memory is known to wait.
void countUpload(const void* source, size_t bytes) {
  std::lock_guard lock(mutex);
  stats().uploads++;
  stats().uploadedBytes += static_cast<long>(bytes);
  if (!isPinned(source, bytes)) misuse("an upload from memory that is not pinned");
}

}  // namespace

Control& control() { return *theControl; }
Stats& stats() { return *theStats; }

void reset() {
  std::lock_guard lock(mutex);
  *theControl = Control();
  *theStats = Stats();
  poison = 0;
}

const char* errorName(int code) {
  return code == 2     ? "CUDA_ERROR_OUT_OF_MEMORY"
         : code == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS"
                       : "CUDA_ERROR_FAKE";
}

bool contextIsBroken() {
  std::lock_guard lock(mutex);
  return poison != 0;
}

void misuse(const std::string& text) {
  std::lock_guard lock(mutex);
  theStats->misuses++;
  if (theStats->misuse.empty()) theStats->misuse = text;
}

int failing(const char* call) {
  std::lock_guard lock(mutex);
  if (poison != 0) return poison;
  if (theControl->failCall != call && theControl->failCall != "*") return 0;
  if (theControl->failAfter-- > 0) return 0;
  theControl->failCall.clear();
  theStats->failedCall = call;
  if (theControl->sticky) poison = theControl->failResult;
  return theControl->failResult;
}

int failingApart(const char* call) {
  std::lock_guard lock(mutex);
  if (poison != 0 || (theControl->sticky && theControl->failCall == "*")) return 0;
  return failing(call);
}

void finish() {
  std::lock_guard lock(mutex);
  for (FakeStream* stream : liveStreams) drain(stream, INT64_MAX);
}

void resetContext() {
  std::lock_guard lock(mutex);
  theStats->resets++;
  if (!theControl->resetHelps) return;
  if (theStats->decoders + theStats->parsers > 0) misuse("NVDEC was in use when its context ended");
  poison = 0;
  for (FakeStream* stream : liveStreams) {
    stream->work.clear();
    stream->alive = false;
  }
  liveStreams.clear();
  while (!deviceMemory.empty()) deviceRelease(deviceMemory.begin()->first);
  for (const auto& [data, bytes] : pinnedMemory) std::free(data);
  pinnedMemory.clear();
  for (FakeEvent* event : events) delete event;
  events.clear();
  theStats->streams = theStats->events = theStats->pools = theStats->pinnedAllocations = 0;
  theStats->mapped = 0;
}

void enqueue(void* handle, std::function<void()> work) {
  std::lock_guard lock(mutex);
  FakeStream* stream = checked(static_cast<CUstream>(handle));
  if (stream == nullptr) return;
  stream->work.push_back(std::move(work));
  if (theControl->immediate) drain(stream, INT64_MAX);
}

void* deviceAllocate(size_t bytes) {
  std::lock_guard lock(mutex);
  if (deviceBytes + bytes > theControl->memoryLimit) return nullptr;
  void* data = std::aligned_alloc(512, (bytes + 511) / 512 * 512);
  std::memset(data, 0xcd, bytes);
  deviceMemory[data] = bytes;
  deviceBytes += bytes;
  theStats->deviceAllocations++;
  theStats->deviceBytes += static_cast<long>(bytes);
  return data;
}

void deviceRelease(void* data) {
  std::lock_guard lock(mutex);
  const auto it = deviceMemory.find(data);
  if (it == deviceMemory.end()) return misuse("device memory freed twice or never allocated");
  std::memset(data, 0xdd, it->second);
  deviceBytes -= it->second;
  theStats->deviceBytes -= static_cast<long>(it->second);
  deviceMemory.erase(it);
  theStats->deviceAllocations--;
  std::free(data);
}

}  // namespace fake

using namespace fake;

#define FAKE_API extern "C" __attribute__((visibility("default"))) CUresult
#define FAKE_FAIL(name) \
  if (const int failed = failing(name)) return static_cast<CUresult>(failed)
#define FAKE_FAIL_APART(name) \
  if (const int failed = failingApart(name)) return static_cast<CUresult>(failed)
// For what frees: does nothing only where the context is broken; returns `reported` at its end.
#define FAKE_FREES(name)                                      \
  const auto reported = static_cast<CUresult>(failing(name)); \
  if (contextIsBroken()) return reported
constexpr auto kInvalidHandle = static_cast<CUresult>(400);
#define FAKE_LOCK std::lock_guard lock(mutex)

FAKE_API cuInit(unsigned) {
  FAKE_FAIL_APART("cuInit");
  // For tests in another language: milliseconds that starting takes.
  if (const char* slow = std::getenv("CPS_FAKE_SLOW_INIT")) {
    std::this_thread::sleep_for(std::chrono::milliseconds(std::atoi(slow)));
  }
  return static_cast<CUresult>(control().initResult);
}
FAKE_API cuDriverGetVersion(int* version) {
  FAKE_FAIL_APART("cuDriverGetVersion");
  *version = control().driverVersion;
  return CUDA_SUCCESS;
}
FAKE_API cuDeviceGetCount(int* count) {
  FAKE_FAIL_APART("cuDeviceGetCount");
  *count = control().devices;
  return CUDA_SUCCESS;
}
FAKE_API cuDeviceGet(CUdevice* device, int id) {
  FAKE_FAIL_APART("cuDeviceGet");
  *device = id;
  return CUDA_SUCCESS;
}
FAKE_API cuDeviceGetName(char* name, int size, CUdevice) {
  FAKE_FAIL_APART("cuDeviceGetName");
  std::strncpy(name, "Fake GPU", static_cast<size_t>(size));
  return CUDA_SUCCESS;
}
FAKE_API cuDeviceGetAttribute(int* value, int attribute, CUdevice) {
  FAKE_FAIL_APART("cuDeviceGetAttribute");
  *value = attribute == cps::kCuAttributeMemoryPools ? control().pools
           : attribute == 75                         ? control().computeMajor
           : attribute == 76                         ? control().computeMinor
                                                     : 0;
  return CUDA_SUCCESS;
}
FAKE_API cuDevicePrimaryCtxGetState(CUdevice, unsigned* flags, int* active) {
  FAKE_FAIL_APART("cuDevicePrimaryCtxGetState");
  FAKE_LOCK;
  *flags = 0;
  *active = control().foreign || stats().contexts > 0;
  return CUDA_SUCCESS;
}
FAKE_API cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device) {
  FAKE_FAIL_APART("cuDevicePrimaryCtxRetain");
  FAKE_LOCK;
  stats().contexts++;
  *context = reinterpret_cast<CUcontext>(static_cast<intptr_t>(0x1000 + device));
  return CUDA_SUCCESS;
}
FAKE_API cuDevicePrimaryCtxRelease_v2(CUdevice) {
  const auto reported = static_cast<CUresult>(failingApart("cuDevicePrimaryCtxRelease"));
  FAKE_LOCK;
  stats().contexts--;
  // The last one to let go of a broken context ends it, with all that is in it.
  if (stats().contexts == 0 && poison != 0 && !control().foreign) {
    resetContext();
    stats().resets--;
  }
  return reported;
}
FAKE_API cuCtxPushCurrent_v2(CUcontext) {
  // A broken one can still be made current.
  FAKE_FAIL_APART("cuCtxPushCurrent");
  FAKE_LOCK;
  if (stats().contexts <= 0) misuse("a context was used that was let go");
  pushed++;
  stats().contextDepth++;
  return CUDA_SUCCESS;
}
FAKE_API cuCtxPopCurrent_v2(CUcontext*) {
  const auto reported = static_cast<CUresult>(failingApart("cuCtxPopCurrent"));
  FAKE_LOCK;
  if (pushed <= 0) misuse("context popped more often than pushed");
  pushed--;
  stats().contextDepth--;
  return reported;
}
FAKE_API cuCtxSynchronize() {
  FAKE_FAIL("cuCtxSynchronize");
  FAKE_LOCK;
  needContext("cuCtxSynchronize");
  for (FakeStream* stream : liveStreams) drain(stream, INT64_MAX);
  return CUDA_SUCCESS;
}
FAKE_API cuGetErrorName(CUresult result, const char** name) {
  *name = errorName(result);
  return CUDA_SUCCESS;
}
FAKE_API cuGetErrorString(CUresult, const char** text) {
  *text = "from the fake driver";
  return CUDA_SUCCESS;
}
FAKE_API cuStreamCreate(CUstream* handle, unsigned flags) {
  FAKE_FAIL("cuStreamCreate");
  FAKE_LOCK;
  needContext("cuStreamCreate");
  if (flags != cps::kCuStreamNonBlocking) misuse("a stream that waits for the default stream");
  auto* stream = new FakeStream;
  allStreams.insert(stream);
  liveStreams.insert(stream);
  stats().streams++;
  *handle = reinterpret_cast<CUstream>(stream);
  return CUDA_SUCCESS;
}
FAKE_API cuStreamDestroy_v2(CUstream handle) {
  FAKE_FREES("cuStreamDestroy");
  FAKE_LOCK;
  needContext("cuStreamDestroy");
  FakeStream* stream = checked(handle);
  drain(stream, INT64_MAX);
  stream->alive = false;
  liveStreams.erase(stream);
  stats().streams--;
  return reported;
}
FAKE_API cuStreamSynchronize(CUstream handle) {
  FAKE_FAIL("cuStreamSynchronize");
  FAKE_LOCK;
  stats().spins++;
  needContext("cuStreamSynchronize");
  drain(checked(handle), INT64_MAX);
  return CUDA_SUCCESS;
}
FAKE_API cuStreamWaitEvent(CUstream handle, CUevent event, unsigned) {
  FAKE_FAIL("cuStreamWaitEvent");
  FAKE_LOCK;
  if (!known(event)) return kInvalidHandle;
  stats().streamWaits++;
  const FakeEvent at = *reinterpret_cast<FakeEvent*>(event);
  if (at.stream == nullptr || at.stream->done >= at.position) return CUDA_SUCCESS;
  enqueue(handle, [at] { drain(at.stream, at.position); });
  return CUDA_SUCCESS;
}
FAKE_API cuEventCreate(CUevent* event, unsigned flags) {
  FAKE_FAIL("cuEventCreate");
  FAKE_LOCK;
  needContext("cuEventCreate");
  *event =
      reinterpret_cast<CUevent>(*events.insert(new FakeEvent{nullptr, 0, (flags & 1) != 0}).first);
  stats().events++;
  return CUDA_SUCCESS;
}
FAKE_API cuEventDestroy_v2(CUevent event) {
  FAKE_FREES("cuEventDestroy");
  FAKE_LOCK;
  if (!known(event)) return kInvalidHandle;
  events.erase(reinterpret_cast<FakeEvent*>(event));
  delete reinterpret_cast<FakeEvent*>(event);
  stats().events--;
  return reported;
}
FAKE_API cuEventRecord(CUevent event, CUstream handle) {
  FAKE_FAIL("cuEventRecord");
  FAKE_LOCK;
  if (!known(event)) return kInvalidHandle;
  FakeStream* stream = checked(handle);
  auto* at = reinterpret_cast<FakeEvent*>(event);
  at->stream = stream;
  at->position = stream->done + static_cast<int64_t>(stream->work.size());
  return CUDA_SUCCESS;
}
FAKE_API cuEventQuery(CUevent event) {
  FAKE_FAIL("cuEventQuery");
  FAKE_LOCK;
  if (!known(event)) return kInvalidHandle;
  const auto* at = reinterpret_cast<FakeEvent*>(event);
  return at->stream == nullptr || at->stream->done >= at->position ? CUDA_SUCCESS
                                                                   : CUDA_ERROR_NOT_READY;
}
FAKE_API cuEventSynchronize(CUevent event) {
  FAKE_FAIL("cuEventSynchronize");
  FAKE_LOCK;
  if (!known(event)) return kInvalidHandle;
  const FakeEvent at = *reinterpret_cast<FakeEvent*>(event);
  if (!at.waits) stats().spins++;
  if (at.stream) drain(at.stream, at.position);
  return CUDA_SUCCESS;
}
FAKE_API cuMemAlloc_v2(CUdeviceptr* data, size_t bytes) {
  FAKE_FAIL("cuMemAlloc");
  FAKE_LOCK;
  needContext("cuMemAlloc");
  void* memory = deviceAllocate(bytes);
  *data = reinterpret_cast<CUdeviceptr>(memory);
  return static_cast<CUresult>(memory ? 0 : 2);
}
FAKE_API cuMemFree_v2(CUdeviceptr data) {
  FAKE_FREES("cuMemFree");
  FAKE_LOCK;
  for (FakeStream* stream : liveStreams) drain(stream, INT64_MAX);
  deviceRelease(reinterpret_cast<void*>(data));
  return reported;
}
FAKE_API cuMemGetInfo_v2(size_t* available, size_t* total) {
  FAKE_FAIL("cuMemGetInfo");
  FAKE_LOCK;
  *available = control().memoryLimit - deviceBytes;
  *total = control().memoryLimit;
  return CUDA_SUCCESS;
}
FAKE_API cuMemHostAlloc(void** data, size_t bytes, unsigned) {
  FAKE_FAIL("cuMemHostAlloc");
  FAKE_LOCK;
  needContext("cuMemHostAlloc");
  *data = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  pinnedMemory[*data] = bytes;
  stats().pinnedAllocations++;
  stats().pinnedMade++;
  return CUDA_SUCCESS;
}
FAKE_API cuMemFreeHost(void* data) {
  FAKE_FREES("cuMemFreeHost");
  FAKE_LOCK;
  if (pinnedMemory.erase(data) == 0) misuse("pinned memory freed twice");
  stats().pinnedAllocations--;
  std::free(data);
  return reported;
}
FAKE_API cuMemsetD8Async(CUdeviceptr data, unsigned char value, size_t bytes, CUstream stream) {
  FAKE_FAIL("cuMemsetD8Async");
  auto* p = reinterpret_cast<void*>(data);
  enqueue(stream, [=] {
    needDevice(p, bytes, "cuMemsetD8Async");
    std::memset(p, value, bytes);
  });
  return CUDA_SUCCESS;
}
FAKE_API cuMemcpyHtoDAsync_v2(CUdeviceptr target, const void* source, size_t bytes,
                              CUstream stream) {
  FAKE_FAIL("cuMemcpyHtoDAsync");
  needContext("cuMemcpyHtoDAsync");
  countUpload(source, bytes);
  auto* p = reinterpret_cast<void*>(target);
  enqueue(stream, [=] {
    needDevice(p, bytes, "cuMemcpyHtoDAsync");
    std::memcpy(p, source, bytes);
  });
  return CUDA_SUCCESS;
}
FAKE_API cuMemcpyDtoHAsync_v2(void* target, CUdeviceptr source, size_t bytes, CUstream stream) {
  FAKE_FAIL("cuMemcpyDtoHAsync");
  needContext("cuMemcpyDtoHAsync");
  countDownload(target, bytes);
  const auto* p = reinterpret_cast<const void*>(source);
  enqueue(stream, [=] {
    needDevice(p, bytes, "cuMemcpyDtoHAsync");
    std::memcpy(target, p, bytes);
  });
  return CUDA_SUCCESS;
}
FAKE_API cuMemcpyDtoDAsync_v2(CUdeviceptr target, CUdeviceptr source, size_t bytes,
                              CUstream stream) {
  FAKE_FAIL("cuMemcpyDtoDAsync");
  needContext("cuMemcpyDtoDAsync");
  auto* to = reinterpret_cast<void*>(target);
  const auto* from = reinterpret_cast<const void*>(source);
  enqueue(stream, [=] {
    needDevice(from, bytes, "cuMemcpyDtoDAsync source");
    needDevice(to, bytes, "cuMemcpyDtoDAsync target");
    std::memcpy(to, from, bytes);
  });
  return CUDA_SUCCESS;
}
FAKE_API cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D* copy, CUstream stream) {
  FAKE_FAIL("cuMemcpy2DAsync");
  needContext("cuMemcpy2DAsync");
  const CUDA_MEMCPY2D c = *copy;
  if (c.srcMemoryType == CU_MEMORYTYPE_HOST) {
    countUpload(c.srcHost, (c.Height - 1) * c.srcPitch + c.WidthInBytes);
  }
  if (c.dstMemoryType == CU_MEMORYTYPE_HOST) {
    countDownload(c.dstHost, (c.Height - 1) * c.dstPitch + c.WidthInBytes);
  }
  enqueue(stream, [c] {
    const bool fromDevice = c.srcMemoryType == CU_MEMORYTYPE_DEVICE;
    const bool toDevice = c.dstMemoryType == CU_MEMORYTYPE_DEVICE;
    const auto* from = fromDevice ? reinterpret_cast<const char*>(c.srcDevice)
                                  : static_cast<const char*>(c.srcHost);
    auto* to = toDevice ? reinterpret_cast<char*>(c.dstDevice) : static_cast<char*>(c.dstHost);
    const size_t rows = c.Height - 1;
    if (c.WidthInBytes > c.srcPitch || c.WidthInBytes > c.dstPitch) {
      misuse("cuMemcpy2DAsync: rows wider than their pitch");
    }
    if (fromDevice) needDevice(from, rows * c.srcPitch + c.WidthInBytes, "cuMemcpy2DAsync source");
    if (toDevice) needDevice(to, rows * c.dstPitch + c.WidthInBytes, "cuMemcpy2DAsync target");
    for (size_t y = 0; y < c.Height; y++) {
      std::memcpy(to + y * c.dstPitch, from + y * c.srcPitch, c.WidthInBytes);
    }
  });
  return CUDA_SUCCESS;
}
FAKE_API cuMemPoolCreate(cps::CuMemPool* pool, const cps::CuMemPoolProps* props) {
  FAKE_FAIL("cuMemPoolCreate");
  FAKE_LOCK;
  if (props->allocType != 1 || props->locationType != 1) misuse("unexpected pool properties");
  stats().pools++;
  *pool = reinterpret_cast<cps::CuMemPool>(new int);
  return CUDA_SUCCESS;
}
FAKE_API cuMemPoolDestroy(cps::CuMemPool pool) {
  FAKE_FREES("cuMemPoolDestroy");
  FAKE_LOCK;
  delete reinterpret_cast<int*>(pool);
  stats().pools--;
  return reported;
}
FAKE_API cuMemPoolSetAttribute(cps::CuMemPool, int attribute, void* value) {
  FAKE_FAIL("cuMemPoolSetAttribute");
  FAKE_LOCK;
  if (attribute == cps::kCuMemPoolReleaseThreshold) {
    stats().poolKeeps = *static_cast<const uint64_t*>(value);
  } else if (attribute == 3) {  // CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES
    stats().poolDependencies = *static_cast<const int*>(value);
  } else {
    misuse("an unexpected attribute of a pool");
  }
  return CUDA_SUCCESS;
}
FAKE_API cuMemPoolTrimTo(cps::CuMemPool, size_t) {
  FAKE_FAIL("cuMemPoolTrimTo");
  return CUDA_SUCCESS;
}
FAKE_API cuMemAllocFromPoolAsync(CUdeviceptr* data, size_t bytes, cps::CuMemPool, CUstream stream) {
  FAKE_FAIL("cuMemAllocFromPoolAsync");
  FAKE_LOCK;
  needContext("cuMemAllocFromPoolAsync");
  checked(stream);
  void* memory = deviceAllocate(bytes);
  *data = reinterpret_cast<CUdeviceptr>(memory);
  return static_cast<CUresult>(memory ? 0 : 2);
}
FAKE_API cuMemFreeAsync(CUdeviceptr data, CUstream stream) {
  FAKE_FREES("cuMemFreeAsync");
  FAKE_LOCK;
  needContext("cuMemFreeAsync");
  enqueue(stream, [=] { deviceRelease(reinterpret_cast<void*>(data)); });
  // As late as it may is not the worst that can happen here: where nothing is before it, at once.
  if (FakeStream* s = checked(stream); s != nullptr && s->work.size() == 1) drain(s, INT64_MAX);
  return reported;
}
