#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/caller_bytes.h"
#include "core/option_records.h"

namespace cps {

// Note [Complete options]
// Each level gets the records that it needs, never all of them: media SourceOptions, a backend that
// opens a source DevicesOptions, a rule SamplingOptions.
// src/options/schema.ts is the only place that knows names, types, defaults, ranges and spellings;
// core/option_records.h is generated from it. What arrives here is complete and checked; there are
// no defaults on this side, and napi/options_reader.cpp refuses a record with a field missing.

// The same ranges were checked with better messages; this keeps a record that did not come from
// there from doing harm. Throws Error(InvalidArgument) naming the field.
// test/options/option-ranges.test.ts compares the two.
void checkRanges(const PatchStreamOptions& options);
void checkRanges(const DecodeOnlyOptions& options);

// A video that is open already: HeldVideo in media/decode/held_video.h.
class VideoHandle {
 public:
  VideoHandle() = default;
  VideoHandle(const VideoHandle&) = delete;
  VideoHandle& operator=(const VideoHandle&) = delete;
  virtual ~VideoHandle() = default;
  virtual std::string describe() const = 0;
};

// Frames [from, to) of a video.
struct FramePart {
  int64_t from = 0, to = 0;
};

// What to open. Exactly one of path, bytes, opened and source is set.
struct VideoInput {
  std::string path;                                   // a local path, never a URL
  std::shared_ptr<const std::vector<uint8_t>> bytes;  // or the whole file in memory
  std::shared_ptr<const VideoHandle> opened;          // or one that is open already
  // Sampling sees these frames alone, as if they were the whole video.
  std::optional<FramePart> part = {};
  std::shared_ptr<CallerBytes> source = {};  // or what a caller's own function reads
  // For messages: the path, "<memory, N bytes>" or the source's name.
  std::string describe() const;
};

}  // namespace cps
