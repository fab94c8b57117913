#include "core/kept_memory.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace cps {
namespace {

struct Block {
  void* data;
  size_t bytes;
};

// Never destroyed: buffers may be finalized while the process is already exiting.
struct Kept {
  static constexpr size_t kMostBlocks = 16;

  std::mutex mutex;
  Block blocks[kMostBlocks];  // the least recently used first
  size_t count = 0, bytes = 0;

  Block remove(size_t i) {
    const Block block = blocks[i];
    std::move(blocks + i + 1, blocks + count, blocks + i);
    --count;
    bytes -= block.bytes;
    return block;
  }
  void shrink(size_t most) {
    while (bytes > most) std::free(remove(0).data);
  }
};

Kept& kept() {
  static auto* all = new Kept;
  return *all;
}

}  // namespace

void* takeKeptMemory(size_t bytes) noexcept {
  Kept& all = kept();
  const std::lock_guard lock(all.mutex);
  for (size_t i = all.count; i-- > 0;) {
    if (all.blocks[i].bytes == bytes) return all.remove(i).data;
  }
  return nullptr;
}

bool keepMemory(void* data, size_t bytes) noexcept {
#if defined(__linux__) && defined(MADV_FREE)
  if (bytes > kMostKept || ::madvise(data, bytes, MADV_FREE) != 0) return false;
  Kept& all = kept();
  const std::lock_guard lock(all.mutex);
  all.shrink(kMostKept - bytes);
  if (all.count == Kept::kMostBlocks) std::free(all.remove(0).data);
  all.blocks[all.count++] = {data, bytes};
  all.bytes += bytes;
  return true;
#else
  return false;
#endif
}

void shrinkKeptMemory(size_t bytes) noexcept {
  Kept& all = kept();
  const std::lock_guard lock(all.mutex);
  all.shrink(bytes);
}

size_t keptMemoryBytes() noexcept {
  Kept& all = kept();
  const std::lock_guard lock(all.mutex);
  return all.bytes;
}

}  // namespace cps
