#include "cuda/check/checks.h"

namespace cps {
namespace {

// Has a kernel read a picture that is not there.
void readBadAddress(Kernels& kernels) {
  FrameView nowhere;
  nowhere.width = nowhere.height = 256;
  nowhere.planes = 1;
  nowhere.plane[0] = {reinterpret_cast<const uint8_t*>(uintptr_t{0x10}), 256, 1, 0};
  const CellGrid grid = makeCellGrid(256, 256);
  const Buffer cells = Buffer::allocate(kernels.memory(), static_cast<size_t>(grid.cells()));
  kernels.lumaCells(nowhere, grid, cells.as<uint8_t>());
  kernels.synchronize();
}

}  // namespace

CheckSetup checkSetup() {
  return {DriverPaths(), 2, 500, {{1920, 1080}, {3840, 2160}}, {16, 64}, readBadAddress};
}

}  // namespace cps
