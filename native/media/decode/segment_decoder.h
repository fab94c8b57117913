#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "media/decode/packet_decoder.h"
#include "media/index/packet_reader.h"
#include "media/plan/decode_plan.h"

namespace cps {

struct DecodeCounters {
  int64_t packetsDecoded = 0;
  int64_t packetsDropped = 0;
};

// A wanted picture did not come out undamaged.
struct DamagedPicture {
  int32_t ordinal = 0;
  std::string reason;
};

// A wanted picture has another size than the video where one size is asked for: its own headers say
// so, whatever comes out of a decoder that has several pictures in work.
struct OtherSize {
  int32_t ordinal = 0;
  int width = 0, height = 0;
};

// Whether damage in packet `bad` may show in the picture of `target` (Note [Damage]).
bool damageReaches(const FrameIndex& index, int32_t bad, int32_t target);

// What a packet itself says of damage, whatever a decoder makes of it.
bool isBroken(const FrameIndex& index, std::span<const uint8_t> packet, int flags);

// Packets that a plain decode may take before the last picture comes out: as far as a decoder can
// look ahead, in fields.
constexpr int32_t kReadOn = 48;

// Decodes one segment and gives its wanted pictures out as soon as they are known to be good.
//
// Note [Damage]
// Decoders conceal errors and go on, so a picture may be wrong though nothing is reported for it:
// it copied from a damaged one. A wanted picture is good only if no packet between its entry point
// and itself failed and no picture of those came out damaged. Because pictures come out in display
// order, a picture is held until everything decoded before it has come out (the reorder depth at
// most).
class SegmentDecoder {
 public:
  using Give = std::function<void(int32_t ordinal, const AVFrame& frame)>;
  using Lose = std::function<void(const DamagedPicture& damaged)>;

  // `everything`: also packets that no picture refers to are decoded.
  SegmentDecoder(const FrameIndex& index, PacketReader& reader, PacketDecoder& decoder, bool strict,
                 bool everything, Give give)
      : index_(index),
        bitstream_(index.bitstream),
        reader_(reader),
        decoder_(decoder),
        strict_(strict),
        everything_(everything),
        give_(std::move(give)) {}

  // Decodes packets [first, last] for these targets. Throws DamagedPicture, OtherSize,
  // StrictFailure, SeekMismatch; whatever was given out before stays given out.
  void run(int32_t first, int32_t last, std::span<const int32_t> targets);
  const DecodeCounters& counters() const { return counters_; }
  // Damaged pictures are told of instead of thrown, and decoding goes on. Not of a strict decoder.
  void tellOfDamage(Lose lose) { lose_ = std::move(lose); }
  // Pictures need not have the video's size.
  void takeAnySize() { anySize_ = true; }
  // Whether what was left out may be what a picture lacked: HEVC lists of references may name
  // pictures that nothing refers to.
  bool mayLackWhatWasDropped() const { return unreferenced_ && counters_.packetsDropped > 0; }

 private:
  struct Held {
    int32_t ordinal;
    UniqueAVFrame frame;
  };

  void feed(AVPacket& packet);
  void takeOutput(AVFrame* frame, int error);
  void checkOrder(int32_t ordinal);
  void readH264(std::span<const uint8_t> packet);
  void noteUnreferenced();
  void noteMissingBefore(int32_t ordinal);
  void giveOutHeld();
  void lose(int32_t ordinal, const char* reason);
  bool isSpoilt(int32_t ordinal) const;
  void forgetLost(int32_t newest);
  bool mayDrop(const AVPacket& packet, int32_t ordinal) const;

  const FrameIndex& index_;
  BitstreamFormat bitstream_;
  H264PictureNumbers h264Numbers_;
  PacketReader& reader_;
  PacketDecoder& decoder_;
  const bool strict_, everything_;
  Give give_;
  Lose lose_;
  bool anySize_ = false;
  DecodeCounters counters_;

  std::span<const int32_t> targets_;
  int32_t first_ = 0, current_ = 0;
  bool leading_ = false;             // H.264 pictures shown before the entry point were fed
  bool picture_ = true;              // whether the current packet holds one
  std::set<int32_t> inside_;         // fed, shown, not out yet
  std::vector<int32_t> damaged_;     // packets that failed or whose picture is damaged
  std::vector<int32_t> lostBefore_;  // entry points before which references are missing
  bool unreferenced_ = false;        // references were missing somewhere
  std::vector<Held> held_;
  std::vector<bool> cameOut_;  // of each target, whether it is or was held
  size_t done_ = 0;            // targets that were given out or told of
  int32_t lastShown_ = -1;
};

}  // namespace cps
