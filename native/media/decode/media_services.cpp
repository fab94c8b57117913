#include "media/decode/media_services.h"

#include <algorithm>
#include <utility>

#include "ffmpeg/util.h"
#include "media/decode/decoder_pool.h"
#include "media/index/index_cache.h"

namespace cps {

size_t idleDecoders(int threads) { return static_cast<size_t>(threads) + 2; }

MediaServices makeMediaServices(std::shared_ptr<TaskPool> pool,
                                std::shared_ptr<ThreadBudget> budget) {
  silenceFfmpegLog();
  MediaServices services;
  services.decoders = std::make_shared<DecoderPool>(idleDecoders(budget->total()));
  services.indexes = std::make_shared<IndexCache>();
  services.pool = std::move(pool);
  services.budget = std::move(budget);
  return services;
}

ThreadBudget::Lease leaseDecoderThreads(const SourceOptions& options,
                                        const MediaServices& services) {
  const int total = services.budget->total();
  int wanted = total;
  if (options.decodeThreads > 0) {
    wanted = std::min(options.decodeThreads, total);
  } else if (options.decodeMode == DecodeMode::Throughput) {
    const int calls = std::clamp(services.pool->jobs(), 1, total);
    wanted = (total + calls - 1) / calls;
  }
  return services.budget->acquire(wanted);
}

}  // namespace cps
