#pragma once

#include <optional>

#include "media/codec/bitstream.h"
#include "media/codec/picture_order.h"

namespace cps {

// Pictures have a count (H.264 8.2.1, HEVC 8.3.1) that starts anew now and then.
class OrderByCounts : public PictureOrder {
 public:
  bool add(std::span<const uint8_t> packet) override;
  void skip() override;

 protected:
  explicit OrderByCounts(const AVCodecParameters& parameters)
      : format_(bitstreamFormat(parameters)) {}

  // Of the picture that these bytes of a packet begin; kNoPicture: none does.
  virtual int64_t keyIn(std::span<const uint8_t> bytes) = 0;

  int64_t keyOf(int64_t count) const;
  // The count from its low bits.
  int64_t countOf(uint32_t low, int bits, bool isReference);
  void restart();
  // Whether all known ones of these sequence parameter sets forbid it; not where there is none.
  template <typename Sets>
  static bool mayReorderIn(const Sets& sets) {
    bool known = false;
    for (const auto& set : sets) {
      known = known || set.known;
      if (set.known && set.mostReordered != 0) return true;
    }
    return !known;
  }

  BitstreamFormat format_;
  int64_t sequence_ = 0;  // of pictures whose counts compare
  int64_t decoded_ = 0;   // pictures of it
  std::optional<int64_t> reference_;
};

// Pictures have types: B pictures are shown at once, others when the next of these is decoded.
class OrderByTypes : public PictureOrder {
 public:
  void skip() override;
  std::vector<int64_t> finish() override;

 protected:
  void place(bool shownAtOnce);  // the picture of the newest packet

 private:
  void show(size_t at) { keys_[at] = nextShown_++; }

  std::optional<size_t> held_;
  int64_t nextShown_ = 0;
};

}  // namespace cps
