#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/cancel.h"
#include "core/options.h"
#include "media/index/frame_index.h"

namespace cps {

// Packets to decode one after the other with a fresh decoder: [first, last] in decode order.
struct DecodeSegment {
  int32_t first = 0;
  int32_t last = 0;
  std::vector<int32_t> targets;  // ordinals of the wanted pictures, ascending

  double cost = 0;  // Note [Cost]; 0 before planDecode has set it

  int64_t packets() const { return int64_t{last} - first + 1; }
};

struct DecodePlan {
  std::vector<DecodeSegment> segments;  // ascending, disjoint
  bool jumps = false;                   // strategy 'seek' was taken
  bool seekable = true;                 // the container was thought to be; more may be learnt since
  int64_t packets() const;
};

// The same with segments that touch in one: a single decoder reads on through them.
std::vector<DecodeSegment> joinTouching(const DecodePlan& plan);

struct PlanOptions {
  UniformStrategy strategy = UniformStrategy::Auto;
  std::optional<double> autoRatio;  // stream exactly when totalFrames <= targets * ratio
  CancelPtr cancel;                 // may be null
};

// Note [Plan]
// A picture needs the packets from the entry point before it (FrameIndex::startFor) to its own. Per
// target these ranges overlap or leave gaps: ranges that overlap become one segment, gaps are what
// a jump saves. Segments start at entry points and depend on nothing outside them, so they are also
// what is decoded in parallel; segments that touch are kept apart for that, at no packet's cost.
// 'stream' is one segment from the first packet to the last target's. 'auto' takes whichever
// decodes fewer packets. Planning takes time that grows with targets and packets, not with their
// product, and hears cancellation.
DecodePlan planDecode(const FrameIndex& index, std::span<const int64_t> displayIndices,
                      const PlanOptions& options);

// Note [Cost]
// What decoding takes, in bytes of packets: each picture has a fixed part that goes with its area,
// and the rest goes with its bytes. Fitted to segments of 1080p on one core, where a picture took 7
// to 9 ms and a byte 190 to 320 ns (H.264, HEVC, AV1): 50 pixels are worth a byte. Counts of
// packets are misleading: of two segments of 130 and 120 HEVC packets one took 1.6 times as long.

// Note [Two ways to use threads]
// Segments on decoders of one thread each waste nothing but may be of unequal cost; one decoder
// with frame threads splits a single long segment. `decoders` x `threads` <= budget.
struct ThreadPlan {
  int decoders = 1;
  int threads = 1;  // per decoder
};
ThreadPlan planThreads(const DecodePlan& plan, int budget);

}  // namespace cps
