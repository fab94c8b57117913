#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/option_records.h"

namespace cps {

// Note [Complete options]
// Each level gets the records that it needs, never all of them: media SourceOptions, a backend that
// opens a source DevicesOptions, a rule SamplingOptions.
// src/options/schema.ts is the only place that knows names, types, defaults, ranges and spellings;
// core/option_records.h is generated from it. What arrives here is complete and checked; there are
// no defaults on this side, and napi/options_reader.cpp refuses a record with a field missing.

// The same ranges were checked with better messages; this keeps a record that did not come from
// there from doing harm. Throws Error(InvalidArgument) naming the field. test/option-ranges.test.ts
// compares the two.
void checkRanges(const PatchStreamOptions& options);
void checkRanges(const DecodeOnlyOptions& options);

// What to open. Exactly one of the two is set.
struct VideoInput {
  std::string path;                                   // a local path, never a URL
  std::shared_ptr<const std::vector<uint8_t>> bytes;  // or the whole file in memory
  // For messages: the path, or "<memory, N bytes>".
  std::string describe() const;
};

}  // namespace cps
