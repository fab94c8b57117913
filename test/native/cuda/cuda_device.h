#pragma once

// Where the GPU tests find a device: the fake driver with emulated kernels (built by default, runs
// anywhere), or with CPS_TEST_REAL_GPU the machine's own driver and the real kernels (skips, saying
// why, where there is none).

#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "backend/kernels.h"
#include "cuda/gpu_backend.h"
#ifndef CPS_TEST_REAL_GPU
#include "cuda/fake_driver/fake_driver.h"
#endif

namespace cuda_test {

inline cps::GpuBackend backend() {
#ifdef CPS_TEST_REAL_GPU
  return *cps::makeGpuBackend();
#else
  return cps::makeGpuBackend({CPS_FAKE_DRIVER, CPS_FAKE_DRIVER});
#endif
}

inline std::string whyNoDevice() { return backend().whyNotProcess(0); }

#ifndef CPS_TEST_REAL_GPU
// What exists on the fake device now: compare before and after, or with {}.
struct Live {
  long deviceAllocations, deviceBytes, pinnedAllocations, streams, events, pools, contexts,
      contextDepth;
  long decoders, parsers, mapped;
  bool operator==(const Live&) const = default;
};
inline Live live() {
  fake::finish();  // memory is freed in the order of its stream
  const fake::Stats& s = fake::stats();
  return {s.deviceAllocations, s.deviceBytes,  s.pinnedAllocations, s.streams, s.events, s.pools,
          s.contexts,          s.contextDepth, s.decoders,          s.parsers, s.mapped};
}
inline std::ostream& operator<<(std::ostream& out, const Live& l) {
  return out << "device " << l.deviceAllocations << " bytes " << l.deviceBytes << " pinned "
             << l.pinnedAllocations << " streams " << l.streams << " events " << l.events
             << " pools " << l.pools << " contexts " << l.contexts << " depth " << l.contextDepth
             << " decoders " << l.decoders << " parsers " << l.parsers << " mapped " << l.mapped;
}
inline void expectNothingLeft() {
  EXPECT_EQ(live(), Live{});
  EXPECT_EQ(fake::stats().misuses, 0) << fake::stats().misuse;
}
// Arms the fake driver: call `at` from now on, of all or of one kind, fails.
inline void failAt(int at, int result, bool sticky, const std::string& call = "*") {
  fake::stats().failedCall.clear();
  fake::control().failCall = call;
  fake::control().failAfter = at;
  fake::control().failResult = result;
  fake::control().sticky = sticky;
}
inline void failNoMore() { fake::control().failCall.clear(); }
#endif

#ifdef CPS_TEST_REAL_GPU
#define CPS_NEEDS_GPU()                                       \
  do {                                                        \
    const std::string why = cuda_test::whyNoDevice();         \
    if (!why.empty()) GTEST_SKIP() << "no GPU here: " << why; \
  } while (false)
#else
#define CPS_NEEDS_GPU() fake::reset()
#endif

}  // namespace cuda_test
