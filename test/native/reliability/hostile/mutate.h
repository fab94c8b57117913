#pragma once

#include <functional>
#include <string>
#include <vector>

#include "reliability/hostile/reference.h"

namespace hostile {

// One way to break a file. `make` is deterministic: a name is enough to repeat a finding.
struct Mutation {
  std::string name;
  std::function<Bytes()> make;
};

// Everything that is done to a clip byte by byte: cut at 50 places, bits flipped (1, 10, 1000; in
// the header, the index, the payload), fields of MP4, Matroska and AVI that lie, a billion frames.
std::vector<Mutation> byteMutations(const Bytes& clip);

// The clip's packets written again (libavformat's muxers) with wrong timestamps, without key
// frames, shuffled, cut, or followed by packets of `other` (another size).
std::vector<Mutation> packetMutations(const Bytes& clip, const Bytes& other);

// Files that never were videos: zeros, text, archives, pictures, documents.
std::vector<Mutation> strangers();

// 64 bits that look random and depend on nothing but the seed.
uint64_t mix(uint64_t seed);

}  // namespace hostile
