#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "backend/cpu_kernels.h"
#include "naive/energy_block.h"
#include "naive/energy_reference.h"
#include "naive/picture.h"
#include "naive/test_frame.h"
#include "ops/checked_table.h"

namespace ops_test {

// Every variant of the inner loops this machine can run.
inline std::vector<const cps::OpsTable*> variants() {
  const cps::OpsTables& tables = cps::opsTables();
  std::vector<const cps::OpsTable*> out;
  for (int32_t i = 0; i < tables.count; i++) out.push_back(checked(tables.table[i]));
  return out;
}

// Every test of an operation runs with all the kernels there are.
struct Variant {
  std::string name;
  std::unique_ptr<cps::Kernels> kernels;
};
#ifdef CPS_TEST_EMULATED_CUDA
// The same tests run over the GPU's programs, emulated on the host (cuda/tests.cmake).
std::unique_ptr<cps::Kernels> makeKernels();
inline std::vector<Variant> allKernels() {
  std::vector<Variant> out;
  out.push_back({"emulated GPU", makeKernels()});
  return out;
}
#else
inline std::vector<Variant> allKernels() {
  std::vector<Variant> out;
  for (const cps::OpsTable* table : variants()) {
    out.push_back({table->name, cps::makeCpuKernels({}, *table)});
  }
  return out;
}
#endif

// Sizes at which edges, tails and vector widths meet.
inline std::vector<std::pair<int, int>> sizes() {
  return {{1, 1},   {1, 7},   {9, 1},     {2, 2},     {3, 5},    {31, 33},
          {63, 65}, {66, 70}, {129, 131}, {200, 150}, {322, 258}};
}

template <typename T, typename U>
void expectEqual(const naive::Map<T>& expected, const U* actual, const std::string& what) {
  for (int y = 0; y < expected.height; y++) {
    for (int x = 0; x < expected.width; x++) {
      const U got = actual[size_t(y) * expected.width + x];
      ASSERT_EQ(U(expected.at(y, x)), got) << what << " at y " << y << " x " << x;
    }
  }
}

}  // namespace ops_test
