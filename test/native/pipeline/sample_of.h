#pragma once

#include <variant>

#include "default_options.h"

// Option sample as { count: frames }.
inline cps::SampleRule sampleOf(int frames) {
  cps::SampleRule rule = default_options::defaultSampling().sample;
  std::get<cps::CountRule>(rule.value).count.value = frames;
  return rule;
}
