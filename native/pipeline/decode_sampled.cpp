#include "pipeline/decode_sampled.h"

#include <optional>
#include <utility>
#include <vector>

namespace cps {
namespace {

// Whether the CPU may do better at what another device's source threw. An explicit 'gpu' is told
// what is wrong with the file; for all else fallBackToCpu speaks.
bool cpuMayDoBetter(const Error& error, Backend wanted) {
  switch (error.code()) {
    case ErrorCode::BackendUnavailable:
      return true;
    case ErrorCode::Corrupt:      // or only to that device
    case ErrorCode::Unsupported:  // a change of size or format
      return wanted != Backend::Gpu;
    case ErrorCode::OutOfMemory:  // of the device, for a decoder
      return wanted != Backend::Gpu && error.stage() == Stage::Decode;
    default:
      return false;
  }
}

}  // namespace

std::unique_ptr<Collector> decodeSampled(const Stages& stages, std::span<const int64_t> wanted,
                                         const MakeCollector& make) {
  const auto& [input, call, devices, context, backends] = stages;
  std::optional<KnownFrames> known;
  SampledFrames frames{{wanted.begin(), wanted.end()}, {}, {}};
  for (;;) {
    auto collector = make(std::move(frames), known ? &*known : nullptr);
    const std::span<const int64_t> ids = collector->inputs();
    try {
      backends.source->decode(ids, *collector);
    } catch (const Error& error) {
      const bool ofTheFile =
          error.code() == ErrorCode::Corrupt || error.code() == ErrorCode::Unsupported;
      if (ofTheFile && backends.source->forgetStoredIndex()) return nullptr;
      if (backends.source->device().isCpu()) throw;
      if (!cpuMayDoBetter(error, devices.decodeBackend)) throw;
      frames = collector->sampled();
      collector.reset();
      fallBackToCpu(backends, input, call, devices, context, error);
      continue;
    }
    if (collector->lost().empty()) {
      noteDamage(collector->sampled(), *call.notes);
      return collector;
    }
    if (backends.source->forgetStoredIndex()) return nullptr;
    if (!known) known.emplace(backends.source->info().totalFrames);
    known->learn(ids, collector->lost());
    const Error why = collector->lost().begin()->second;
    collector.reset();  // two attempts' pictures would be too much memory
    auto chosen = chooseFrames(wanted, call.options.damaged, *known, *backends.source);
    if (!chosen) {
      throw Error(why.code(), why.stage(),
                  std::string(call.options.damaged == Damaged::Skip
                                  ? "None of the sampled frames can be decoded. "
                                  : "No frame can be decoded. ") +
                      why.what());
    }
    frames = std::move(*chosen);
  }
}

}  // namespace cps
