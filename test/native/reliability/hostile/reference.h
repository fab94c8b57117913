#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/picture.h"

namespace hostile {

using Bytes = std::vector<uint8_t>;

// One picture of a plain decode: libavformat and libavcodec read the whole file with one thread, no
// index, no jump, nothing of ours. What the core gives out must be among these.
struct ReferenceFrame {
  uint64_t hash = 0;
  int width = 0, height = 0;
  double seconds = 0;
  bool hasTime = false;
  bool damaged = false;  // the decoder says so
};

struct Reference {
  std::vector<ReferenceFrame> frames;
  // FFmpeg's log says that pictures refer to others that are not in the file. What such a picture
  // looks like depends on what was decoded before it, and no decoder reports it.
  bool missingReferences = false;
  bool complete = false;  // false: it could not be opened, or was stopped at maxFrames
};

// Stops after `maxFrames` pictures or `seconds` of time, so that a lying file cannot hold it up.
Reference decodeReference(const Bytes& bytes, int64_t maxFrames, double seconds,
                          bool anewAtKeys = false);

// The samples of the first one or three components, alpha left out.
uint64_t hashOf(const cps::FrameView& view);

Bytes readFile(const std::string& path);
void writeFile(const std::string& path, const Bytes& bytes);

}  // namespace hostile
