#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include "media/decode/packet_decoder.h"

namespace cps {

// Open, flushed decoders of recent streams, so that the next call on a like stream neither opens a
// codec nor starts threads. Bounded in number and in the picture memory that idle decoders hold.
// A decoder that saw an error or foreign headers never comes back here, and only codecs come that
// take every parameter they have from the next stream's own headers (CodecRules::flushForgets):
// FFmpeg's others keep some, or refuse the next stream (FFV1 without global headers), though all
// that a container says of the two is equal.
class DecoderPool {
 public:
  explicit DecoderPool(size_t capacity) : capacity_(capacity) {}
  // Of what is held beyond it, decoders go when the next one comes back.
  void setCapacity(size_t capacity) { capacity_.store(capacity, std::memory_order_relaxed); }

  // A decoder as good as new: an idle one or a fresh one.
  std::unique_ptr<PacketDecoder> take(const AVCodecParameters& parameters,
                                      const DecoderConfig& config);
  void giveBack(std::unique_ptr<PacketDecoder> decoder, const AVCodecParameters& parameters,
                const DecoderConfig& config);
  size_t idle() const;

 private:
  struct Key {
    AVCodecID codec;
    uint32_t tag;
    int format, width, height, profile, level, threads, reorderDepth, x264Build;
    int64_t maxPixels;
    ThreadType threadType;
    bool strict, vectors;
    int64_t matrix, range, primaries, transfer;  // enumNumber: a file may name what there is not
    std::vector<uint8_t> extradata;
    bool operator==(const Key&) const = default;
  };
  struct Idle {
    Key key;
    int64_t bytes;
    std::unique_ptr<PacketDecoder> decoder;
  };
  static Key keyOf(const AVCodecParameters& parameters, const DecoderConfig& config);

  std::atomic<size_t> capacity_;
  mutable std::mutex mutex_;
  std::list<Idle> idle_;  // the most recently used first
};

}  // namespace cps
