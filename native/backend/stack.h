#pragma once

#include <cstring>
#include <vector>

#include "core/buffer.h"

namespace cps {

// Bytes that become a part of another block.
struct StackPart {
  const void* data = nullptr;
  size_t bytes = 0;
  size_t at = 0;                           // where in the block they go; in ascending order
  const MemoryResource* memory = nullptr;  // where they are
};

// Calls fill(at, bytes) for what `parts` leave open of a block of `bytes` bytes.
template <typename Fill>
void forGaps(const std::vector<StackPart>& parts, size_t bytes, const Fill& fill) {
  size_t end = 0;
  for (const StackPart& part : parts) {
    if (part.at > end) fill(end, part.at - end);
    end = part.at + part.bytes;
  }
  if (bytes > end) fill(end, bytes - end);
}

// One block of host memory with `parts` in their places and zeros between them.
inline Buffer stackOnHost(const std::vector<StackPart>& parts, size_t bytes) {
  Buffer block = Buffer::allocate(hostMemory(), bytes);
  for (const StackPart& part : parts) {
    if (part.bytes > 0) std::memcpy(block.as<char>() + part.at, part.data, part.bytes);
  }
  forGaps(parts, bytes,
          [&](size_t at, size_t count) { std::memset(block.as<char>() + at, 0, count); });
  return block;
}

}  // namespace cps
