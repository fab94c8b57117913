#pragma once

#include <cstdlib>

// How much tests try (CPS_LONG): 0, as `npm test` runs them; 1, as .ci/run does; 10, everything.
inline int longForm() {
  const char* text = std::getenv("CPS_LONG");
  return text ? std::atoi(text) : 0;
}
