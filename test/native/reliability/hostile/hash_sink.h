#pragma once

#include <map>
#include <mutex>

#include "media/decode/frame_source.h"
#include "reliability/hostile/reference.h"

namespace hostile {

// Remembers what every picture looks like, by display index.
struct HashSink final : cps::FrameSink {
  void onFrame(cps::SourceFrame frame) override {
    const uint64_t hash = hashOf(frame.view);
    const std::lock_guard<std::mutex> lock(mutex);
    hashes[frame.displayIndex] = hash;
  }
  std::mutex mutex;
  std::map<int64_t, uint64_t> hashes;
};

}  // namespace hostile
