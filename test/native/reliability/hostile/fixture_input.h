#pragma once

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "media/decode/frame_source.h"
#include "reliability/hostile/reference.h"

namespace hostile {

// A fixture in memory; without bytes where CPS_FIXTURES is not set.
inline cps::VideoInput fixtureInput(const std::string& name) {
  const char* folder = std::getenv("CPS_FIXTURES");
  cps::VideoInput input;
  if (folder != nullptr) {
    input.bytes = std::make_shared<const std::vector<uint8_t>>(
        hostile::readFile(std::string(folder) + "/" + name));
  }
  return input;
}

}  // namespace hostile
