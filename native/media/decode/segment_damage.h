#pragma once

#include <cstdint>
#include <vector>

#include "media/codec/bitstream.h"
#include "media/index/frame_index.h"

namespace cps {

// Note [Cut before]
// The first pictures of a file that begins in mid-group are given out as FFmpeg shows them: which
// of them it shows is for the decoder to say, and the index counts those. What they lack is no
// damage. A decoder that makes missing references up once tells of it at the first picture alone
// (leading pictures may come before it, which make none); one that makes them up anew tells of it
// at each picture from there on that may still refer to them. A picture refers to nothing that the
// one before it could not have referred to, so these are one run from the first picture to, at the
// furthest, the leading pictures of the first entry point.

// What is known to be damaged in the packets of a segment, and whose pictures it spoils (Note
// [Damage] in segment_decoder.h): the same on every device. In a file, damage reaches from a packet
// to the next entry point, or to where a gradual refresh ends (Note [Gradual refresh] in h264.h).
class SegmentDamage {
 public:
  explicit SegmentDamage(const FrameIndex& index) : index_(index) {}

  void clear();
  // Of each packet that is read, also one that is left out: whether decoding may begin at it, which
  // flags alone do not tell. How far damage reaches depends on it, wherever decoding begins.
  void learnStart(int32_t ordinal, PacketBytes packet, const BitstreamFormat& format);
  // A packet that failed, or whose picture is damaged.
  void add(int32_t ordinal) { bad_.push_back(ordinal); }
  // Pictures before this packet are not in the file, and it may refer to them. What an entry point
  // lacks only its leading pictures can notice. False where that does not say that the file is
  // damaged: there, and where it begins in mid-group (Note [Cut before]).
  bool addMissingBefore(int32_t ordinal);
  // From the picture of packet `done` on nothing shows of what was damaged before packet `from`.
  void addRefresh(int32_t from, int32_t done) { refreshes_.push_back({from, done}); }

  bool isEntry(int32_t ordinal) const { return index_.seeks().startFor(ordinal) == ordinal; }
  bool spoils(int32_t target) const;
  // For runs that go on: pictures of packets before this one are not asked for any more.
  void forgetBefore(int32_t start);

 private:
  static constexpr int32_t kNoCut = -1;
  struct Refresh {
    int32_t from, done;
  };
  bool lacksWhatWasCut(int32_t ordinal);
  bool isLeading(int32_t bad, int32_t start) const;
  int32_t refreshedBefore(int32_t target) const;

  const FrameIndex& index_;
  std::vector<int32_t> bad_;
  std::vector<int32_t> lacking_;  // entry points before which references are missing
  std::vector<Refresh> refreshes_;
  int32_t cut_ = kNoCut;  // the next packet that may lack what was before the file
};

}  // namespace cps
