#pragma once

#include <cstdint>
#include <string>

#include "core/error.h"

namespace cps {

// How the errors of sampling rules read. "Expected X for sample... but received Z".
Error badSample(const std::string& expected, const std::string& name, const std::string& received);
// "1 frame", "97 frames"
std::string frameText(int64_t frames);
// Ten digits at most: "4.96", "1e+20"
std::string numberText(double value);

}  // namespace cps
