// The driver types that driver_api.h declares itself, against the toolkit's cuda.h. The codec
// headers' own cuda types clash with cuda.h, so the numbers are repeated here.

#include <cuda.h>

#include <cstddef>

static_assert(sizeof(CUmemPoolProps) == 88);
static_assert(offsetof(CUmemPoolProps, allocType) == 0);
static_assert(offsetof(CUmemPoolProps, location) == 8);
static_assert(offsetof(CUmemPoolProps, win32SecurityAttributes) == 16);
static_assert(CU_MEM_ALLOCATION_TYPE_PINNED == 1 && CU_MEM_LOCATION_TYPE_DEVICE == 1);
static_assert(CU_MEMPOOL_ATTR_RELEASE_THRESHOLD == 4);
static_assert(CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED == 115);
static_assert(CU_STREAM_NON_BLOCKING == 1 && CU_EVENT_DISABLE_TIMING == 2);
static_assert(CUDA_ERROR_OUT_OF_MEMORY == 2 && CUDA_ERROR_NO_DEVICE == 100);
static_assert(CUDA_ERROR_INVALID_VALUE == 1 && CUDA_ERROR_NOT_SUPPORTED == 801);
static_assert(sizeof(CUDA_MEMCPY2D) == 128 && offsetof(CUDA_MEMCPY2D, dstXInBytes) == 56);
