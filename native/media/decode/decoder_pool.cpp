#include "media/decode/decoder_pool.h"

#include "ffmpeg/util.h"
#include "media/codec/codec_rules.h"
#include "media/decode/frame_view_ffmpeg.h"

namespace cps {
namespace {

// Idle decoders keep their picture buffers; together no more than this.
constexpr int64_t kMaxIdleBytes = 48 << 20;
constexpr int64_t kPicturesHeld = 6;

}  // namespace

DecoderPool::Key DecoderPool::keyOf(const AVCodecParameters& p, const DecoderConfig& config) {
  return {p.codec_id,
          p.codec_tag,
          p.format,
          p.width,
          p.height,
          p.profile,
          p.level,
          config.threads,
          config.reorderDepth,
          config.x264Build,
          config.maxPixels,
          config.threadType,
          config.strict,
          config.vectors,
          enumNumber(p.color_space),
          enumNumber(p.color_range),
          enumNumber(p.color_primaries),
          enumNumber(p.color_trc),
          std::vector<uint8_t>(p.extradata, p.extradata + p.extradata_size)};
}

std::unique_ptr<PacketDecoder> DecoderPool::take(const AVCodecParameters& parameters,
                                                 const DecoderConfig& config) {
  const Key key = keyOf(parameters, config);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (auto it = idle_.begin(); it != idle_.end(); ++it) {
      if (!(it->key == key)) continue;
      std::unique_ptr<PacketDecoder> decoder = std::move(it->decoder);
      idle_.erase(it);
      return decoder;
    }
  }
  return std::make_unique<PacketDecoder>(parameters, config);
}

void DecoderPool::giveBack(std::unique_ptr<PacketDecoder> decoder,
                           const AVCodecParameters& parameters, const DecoderConfig& config) {
  if (!decoder || decoder->tainted() || capacity_ == 0) return;
  if (!rulesOf(parameters.codec_id).flushForgets) return;
  decoder->flush();
  const int64_t bytes = pictureBytes(parameters.format, parameters.width, parameters.height) *
                        (kPicturesHeld + config.threads);
  if (bytes > kMaxIdleBytes) return;
  std::list<Idle> dropped;  // closed after the lock is released: closing joins threads
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    idle_.push_front({keyOf(parameters, config), bytes, std::move(decoder)});
    int64_t held = 0;
    size_t count = 0;
    for (auto it = idle_.begin(); it != idle_.end();) {
      held += it->bytes;
      ++count;
      const auto next = std::next(it);
      if (count > capacity_ || held > kMaxIdleBytes) {
        dropped.splice(dropped.end(), idle_, it);
      }
      it = next;
    }
  }
}

size_t DecoderPool::idle() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return idle_.size();
}

}  // namespace cps
