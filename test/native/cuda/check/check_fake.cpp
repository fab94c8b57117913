#include "cuda/check/checks.h"
#include "cuda/fake_driver/fake_driver.h"

namespace cps {

CheckSetup checkSetup() {
  const auto breakContext = [](Kernels& kernels) {
    fake::control().failCall = "cuEventSynchronize";
    fake::control().failResult = 700;
    fake::control().sticky = true;
    kernels.synchronize();
  };
  return {{CPS_FAKE_DRIVER, CPS_FAKE_DRIVER}, 0.05, 70, {{160, 90}}, {4}, breakContext};
}

}  // namespace cps
