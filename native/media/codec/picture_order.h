#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "ffmpeg/handles.h"

namespace cps {

// Note [Picture order]
// The order in which pictures are shown is the codec's own: the picture order count of H.264 and
// HEVC within the pictures from one IDR to the next, and in MPEG-1, 2 and 4 that B pictures are
// shown at once and others when the next of these is decoded. A decoder goes by that alone, so
// where timestamps say something else (decode times that were written for presentation times,
// clocks that restart in the middle) they are wrong. Packets tell it in their first bytes.
class PictureOrder {
 public:
  // What a packet has in place of a key.
  static constexpr int64_t kUnknown = std::numeric_limits<int64_t>::max();
  static constexpr int64_t kNoPicture = std::numeric_limits<int64_t>::min();
  // The most of a packet that is ever needed, but for unusually long headers.
  static constexpr size_t kHeadBytes = 512;

  PictureOrder() = default;
  PictureOrder(const PictureOrder&) = delete;
  PictureOrder& operator=(const PictureOrder&) = delete;
  virtual ~PictureOrder() = default;

  // The next packet in decode order, or its first bytes. False: there is no picture in these.
  virtual bool add(std::span<const uint8_t> packet) = 0;
  // The next packet, not looked at: the order of those before it and after it is kept apart.
  virtual void skip() = 0;
  // Whether headers seen so far let pictures be shown in another order than they are decoded in.
  virtual bool mayReorder() const { return true; }
  // Something was seen that makes pictures disappear, or that takes two packets for a picture:
  // only decoding tells what comes out.
  bool onlyDecodingTells() const { return onlyDecodingTells_; }

  // Per packet: less is shown earlier, of those that are known. To be called once, at the end.
  virtual std::vector<int64_t> finish() { return std::move(keys_); }

 protected:
  std::vector<int64_t> keys_;
  bool onlyDecodingTells_ = false;
};

// Null where the codec's packets do not tell it.
std::unique_ptr<PictureOrder> pictureOrderOf(const AVCodecParameters& parameters);

}  // namespace cps
