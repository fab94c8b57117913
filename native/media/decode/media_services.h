#pragma once

#include <memory>

#include "core/options.h"
#include "core/task_pool.h"

namespace cps {

class IndexCache;
class DecoderPool;

// What outlives a call and is shared by all calls of the process.
struct MediaServices {
  std::shared_ptr<TaskPool> pool;
  std::shared_ptr<ThreadBudget> budget;
  std::shared_ptr<IndexCache> indexes;
  std::shared_ptr<DecoderPool> decoders;
};
// How many open decoders are kept for the next calls with a budget of so many threads.
size_t idleDecoders(int threads);
MediaServices makeMediaServices(std::shared_ptr<TaskPool> pool,
                                std::shared_ptr<ThreadBudget> budget);

// Note [Modes]
// How many threads a call may decode with. decodeThreads says it; without it the mode decides when
// several calls are there at once. Throughput: they share the budget evenly, since decoders of one
// thread each waste nothing. Latency: they run one after the other (TaskPool::Start::OneAtATime),
// each with all threads, so that each is over as soon as can be. A call that is alone gets all of
// it either way.
ThreadBudget::Lease leaseDecoderThreads(const SourceOptions& options,
                                        const MediaServices& services);

}  // namespace cps
