#pragma once

#include "media/decode/outcome.h"

namespace cps {

// How a segment was tried, and what else can be.
struct Attempt {
  enum class Way : uint8_t {
    Fast,          // as many threads as planned, without packets that no picture refers to
    Plain,         // as a plain sequential decode: one lenient thread, every packet
    TakingLosses,  // plain, and damaged pictures are told of instead of ending the run
  };
  Way way = Way::Fast;  // NVDEC has but one way, and it is plain
  bool hasEntryBefore = false;
  bool steppedBack = false;
  bool takesLosses = false;  // somebody wants to be told of them
  bool jumps = true;         // the plan counts on coming back to places of the container
};

enum class NextStep : uint8_t {
  Finished,
  RetryPlain,  // with a new decoder
  StepBack,    // plain, from the entry point before: this one may have been none after all
  TakeLosses,
  Replan,  // everything that is still wanted, without jumps
  GiveUp,
};

// Each step has a good reason to do better than what came before it. Ends for every sequence of
// outcomes.
NextStep nextStep(const SegmentOutcome& outcome, const Attempt& attempt);

}  // namespace cps
