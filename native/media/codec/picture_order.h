#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "media/codec/nal.h"

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

  explicit PictureOrder(const AVCodecParameters& parameters);

  static bool isToldBy(AVCodecID codec);
  // The most of a packet that is ever needed, but for unusually long headers.
  static constexpr size_t kHeadBytes = 512;

  // The next packet in decode order, or its first bytes. False: there is no picture in these.
  bool add(std::span<const uint8_t> packet);
  // The next packet, not looked at: the order of those before it and after it is kept apart.
  void skip();
  // Whether headers seen so far let pictures be shown in another order than they are decoded in.
  bool mayReorder() const;
  // Something was seen that makes pictures disappear, or that takes two packets for a picture:
  // only decoding tells what comes out.
  bool onlyDecodingTells() const { return onlyDecodingTells_; }

  // Per packet: less is shown earlier, of those that are known. To be called once, at the end.
  std::vector<int64_t> finish();

 private:
  struct HevcSequence {
    bool known = false;
    bool separatePlanes = false;
    int orderBits = 0;
    int mostReordered = -1;
  };
  struct HevcPictureSet {
    bool known = false;
    bool outputFlag = false;
    int extraBits = 0;
    uint32_t sequence = 0;
  };

  int64_t h264Key(std::span<const uint8_t> packet);
  int64_t h264SliceKey(std::span<const uint8_t> nal);
  int64_t hevcKey(std::span<const uint8_t> packet);
  int64_t hevcSliceKey(std::span<const uint8_t> nal);
  void readHevcExtradata(std::span<const uint8_t> extra);
  void readHevcHeaders(std::span<const uint8_t> nal);
  void readHevcSequence(std::span<const uint8_t> nal);
  void readHevcPictureSet(std::span<const uint8_t> nal);
  bool addMpeg12(std::span<const uint8_t> packet);
  bool addMpeg4(std::span<const uint8_t> packet);
  void show(size_t at) { keys_[at] = nextShown_++; }
  void place(bool shownAtOnce);  // the picture of the newest packet

  int64_t keyOf(int64_t count) const;
  int64_t countOf(uint32_t low, int bits, bool isReference);
  void restart();

  BitstreamFormat format_;
  std::vector<int64_t> keys_;
  bool onlyDecodingTells_ = false;

  // H.264, HEVC
  std::array<HevcSequence, 16> sequences_;
  std::array<HevcPictureSet, 64> pictureSets_;
  int64_t sequence_ = 0;  // of pictures whose counts compare
  int64_t decoded_ = 0;   // pictures of it
  std::optional<int64_t> reference_;
  bool ended_ = false;         // a sequence: what follows begins as if nothing had been before
  bool skipsLeading_ = false;  // HEVC: leading pictures of the entry point before are not shown

  // MPEG-1, 2, 4
  std::optional<size_t> held_;
  int64_t nextShown_ = 0;
};

}  // namespace cps
