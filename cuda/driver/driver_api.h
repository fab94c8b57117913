#pragma once

// dynlink_nvcuvid.h expects dynlink_cuda.h before it.
// clang-format off
#include <ffnvcodec/dynlink_cuda.h>
#include <ffnvcodec/dynlink_nvcuvid.h>
// clang-format on

#include <memory>
#include <string>
#include <type_traits>

#include "cuda/gpu_backend.h"

namespace cps {

// Driver types the nv-codec-headers lack (values and layout of cuda.h; layout_check.cu compares).
using CuMemPool = struct CUmemPoolHandle_st*;
struct CuMemPoolProps {
  int allocType;     // 1: pinned, i.e. ordinary device memory
  int handleTypes;   // 0: not shared with other processes
  int locationType;  // 1: device
  int locationId;
  void* win32SecurityAttributes;
  size_t maxSize;
  unsigned short usage;
  unsigned char reserved[54];
};
inline constexpr int kCuMemPoolReuseInternalDependencies = 3;
inline constexpr int kCuMemPoolReleaseThreshold = 4;
inline constexpr int kCuAttributeMemoryPools = 115;
inline constexpr unsigned kCuStreamNonBlocking = 1;
// Without timing; whoever waits for one sleeps (CU_EVENT_BLOCKING_SYNC) and keeps no processor
// busy.
inline constexpr unsigned kCuEventWaiting = 1 | 2;
inline constexpr int kCuErrorInvalidValue = 1;
inline constexpr int kCuErrorOutOfMemory = 2;
inline constexpr int kCuErrorNotSupported = 801;
inline constexpr int kCuErrorNoDevice = 100;

// Every entry point used, once: member, type, exported name. The second list may be absent.
#define CPS_CUDA_ENTRY_POINTS(X)                                                                   \
  X(init, CUresult(unsigned), "cuInit")                                                            \
  X(driverGetVersion, CUresult(int*), "cuDriverGetVersion")                                        \
  X(deviceGetCount, CUresult(int*), "cuDeviceGetCount")                                            \
  X(deviceGet, CUresult(CUdevice*, int), "cuDeviceGet")                                            \
  X(deviceGetName, CUresult(char*, int, CUdevice), "cuDeviceGetName")                              \
  X(deviceGetAttribute, CUresult(int*, int, CUdevice), "cuDeviceGetAttribute")                     \
  X(primaryCtxGetState, CUresult(CUdevice, unsigned*, int*), "cuDevicePrimaryCtxGetState")         \
  X(primaryCtxRetain, CUresult(CUcontext*, CUdevice), "cuDevicePrimaryCtxRetain")                  \
  X(primaryCtxRelease, CUresult(CUdevice), "cuDevicePrimaryCtxRelease_v2")                         \
  X(ctxPushCurrent, CUresult(CUcontext), "cuCtxPushCurrent_v2")                                    \
  X(ctxPopCurrent, CUresult(CUcontext*), "cuCtxPopCurrent_v2")                                     \
  X(ctxSynchronize, CUresult(), "cuCtxSynchronize")                                                \
  X(getErrorName, CUresult(CUresult, const char**), "cuGetErrorName")                              \
  X(getErrorString, CUresult(CUresult, const char**), "cuGetErrorString")                          \
  X(streamCreate, CUresult(CUstream*, unsigned), "cuStreamCreate")                                 \
  X(streamDestroy, CUresult(CUstream), "cuStreamDestroy_v2")                                       \
  X(streamSynchronize, CUresult(CUstream), "cuStreamSynchronize")                                  \
  X(streamWaitEvent, CUresult(CUstream, CUevent, unsigned), "cuStreamWaitEvent")                   \
  X(eventCreate, CUresult(CUevent*, unsigned), "cuEventCreate")                                    \
  X(eventDestroy, CUresult(CUevent), "cuEventDestroy_v2")                                          \
  X(eventRecord, CUresult(CUevent, CUstream), "cuEventRecord")                                     \
  X(eventQuery, CUresult(CUevent), "cuEventQuery")                                                 \
  X(eventSynchronize, CUresult(CUevent), "cuEventSynchronize")                                     \
  X(memAlloc, CUresult(CUdeviceptr*, size_t), "cuMemAlloc_v2")                                     \
  X(memFree, CUresult(CUdeviceptr), "cuMemFree_v2")                                                \
  X(memGetInfo, CUresult(size_t*, size_t*), "cuMemGetInfo_v2")                                     \
  X(memHostAlloc, CUresult(void**, size_t, unsigned), "cuMemHostAlloc")                            \
  X(memFreeHost, CUresult(void*), "cuMemFreeHost")                                                 \
  X(memsetD8Async, CUresult(CUdeviceptr, unsigned char, size_t, CUstream), "cuMemsetD8Async")      \
  X(memcpyHtoDAsync, CUresult(CUdeviceptr, const void*, size_t, CUstream), "cuMemcpyHtoDAsync_v2") \
  X(memcpyDtoHAsync, CUresult(void*, CUdeviceptr, size_t, CUstream), "cuMemcpyDtoHAsync_v2")       \
  X(memcpyDtoDAsync, CUresult(CUdeviceptr, CUdeviceptr, size_t, CUstream), "cuMemcpyDtoDAsync_v2") \
  X(memcpy2DAsync, CUresult(const CUDA_MEMCPY2D*, CUstream), "cuMemcpy2DAsync_v2")
#define CPS_CUDA_OPTIONAL_ENTRY_POINTS(X)                                          \
  X(memPoolCreate, CUresult(CuMemPool*, const CuMemPoolProps*), "cuMemPoolCreate") \
  X(memPoolDestroy, CUresult(CuMemPool), "cuMemPoolDestroy")                       \
  X(memPoolSetAttribute, CUresult(CuMemPool, int, void*), "cuMemPoolSetAttribute") \
  X(memPoolTrimTo, CUresult(CuMemPool, size_t), "cuMemPoolTrimTo")                 \
  X(memAllocFromPoolAsync, CUresult(CUdeviceptr*, size_t, CuMemPool, CUstream),    \
    "cuMemAllocFromPoolAsync")                                                     \
  X(memFreeAsync, CUresult(CUdeviceptr, CUstream), "cuMemFreeAsync")
#define CPS_NVCUVID_ENTRY_POINTS(X)                                          \
  X(getDecoderCaps, tcuvidGetDecoderCaps, "cuvidGetDecoderCaps")             \
  X(createDecoder, tcuvidCreateDecoder, "cuvidCreateDecoder")                \
  X(destroyDecoder, tcuvidDestroyDecoder, "cuvidDestroyDecoder")             \
  X(decodePicture, tcuvidDecodePicture, "cuvidDecodePicture")                \
  X(getDecodeStatus, tcuvidGetDecodeStatus, "cuvidGetDecodeStatus")          \
  X(reconfigureDecoder, tcuvidReconfigureDecoder, "cuvidReconfigureDecoder") \
  X(mapVideoFrame, tcuvidMapVideoFrame64, "cuvidMapVideoFrame64")            \
  X(unmapVideoFrame, tcuvidUnmapVideoFrame64, "cuvidUnmapVideoFrame64")      \
  X(createVideoParser, tcuvidCreateVideoParser, "cuvidCreateVideoParser")    \
  X(parseVideoData, tcuvidParseVideoData, "cuvidParseVideoData")             \
  X(destroyVideoParser, tcuvidDestroyVideoParser, "cuvidDestroyVideoParser")

// The driver's functions, found at run time so that one binary loads on any machine. The libraries
// stay open for the life of the process: the driver keeps threads and does not expect to be
// unloaded.
struct DriverApi {
#define CPS_DECLARE(member, type, symbol) std::add_pointer_t<type> member = nullptr;
  CPS_CUDA_ENTRY_POINTS(CPS_DECLARE)
  CPS_CUDA_OPTIONAL_ENTRY_POINTS(CPS_DECLARE)
  CPS_NVCUVID_ENTRY_POINTS(CPS_DECLARE)
#undef CPS_DECLARE

  std::string cudaProblem;     // empty when the CUDA driver is there and initialised
  std::string nvcuvidProblem;  // empty when NVDEC's library is there as well
  // The driver is there but did not start (cuInit), which another try may change.
  bool mayStartLater = false;

  // Never throws; what is missing is in the two texts.
  static std::shared_ptr<const DriverApi> load(const DriverPaths& paths);

  bool hasPools() const { return memAllocFromPoolAsync != nullptr; }
  // "CUDA_ERROR_NO_DEVICE (no CUDA-capable device is detected)".
  std::string describe(CUresult result) const;
};

}  // namespace cps
