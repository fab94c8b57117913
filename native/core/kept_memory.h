#pragma once

#include <cstddef>

namespace cps {

// Note [Kept memory]
// The system zeroes fresh memory before it is written to, which for frames of 100 MB takes longer
// than what is written. Blocks of results that were closed or collected are kept for the next ones
// of their size: at most kMostKept bytes, the last that were used. The system is told that
// nothing in them matters any more (MADV_FREE): as soon as anything else wants the memory it takes
// it away, and until then a block is used again as it is. What is kept stands beside the
// maxMemoryBytes of a call, so a call first lets go of what does not fit beside its result.
constexpr size_t kMostKept = size_t{256} << 20;

// A kept block of this size, or null. Thread-safe, like all of these.
void* takeKeptMemory(size_t bytes) noexcept;
// Keeps a block that std::free would free. False: it is the caller's to free.
bool keepMemory(void* data, size_t bytes) noexcept;
// Frees the blocks that were used least recently until no more than so many bytes are kept.
void shrinkKeptMemory(size_t bytes) noexcept;
size_t keptMemoryBytes() noexcept;

}  // namespace cps
