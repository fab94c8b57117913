#pragma once

#include <string>

namespace cps {

// How many processors this process may keep busy: those of its affinity mask, and no more than the
// processor time that its control groups (v1 or v2, its own and those above it) give it, rounded
// up. At least 1. `root` is where /proc and /sys are looked for; tests have trees of their own.
int availableCpus(const std::string& root = "");

}  // namespace cps
