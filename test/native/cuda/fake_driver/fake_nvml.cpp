// The part of NVIDIA's management library that cuda/check asks (Note [Fake driver]): figures that
// stay the same. It counts only where libnvidia-ml.so.1 is a name of this library.

#define FAKE_API extern "C" __attribute__((visibility("default"))) int

FAKE_API nvmlInit_v2() { return 0; }
FAKE_API nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  static int handle;
  *device = &handle;
  return index == 0 ? 0 : 2;  // NVML_ERROR_INVALID_ARGUMENT
}
FAKE_API nvmlDeviceGetDecoderUtilization(void*, unsigned* percent, unsigned* periodUs) {
  *percent = 73;
  *periodUs = 100000;
  return 0;
}
FAKE_API nvmlDeviceGetPcieThroughput(void*, int counter, unsigned* kilobytesPerSecond) {
  *kilobytesPerSecond = counter == 0 ? 2000 : 5000;  // sent by the device, received by it
  return 0;
}
