#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "media/decode/harmless_errors.h"
#include "media/decode/outcome.h"
#include "media/decode/packet_decoder.h"
#include "media/decode/segment_damage.h"
#include "media/index/packet_reader.h"
#include "media/plan/decode_plan.h"

namespace cps {

struct DecodeCounters {
  int64_t packetsDecoded = 0;
  int64_t packetsDropped = 0;
};

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
//
// Note [Going on]
// A run over windows of a video (HeldVideo::reader) decodes each packet once: after the last target
// of a window the decoder is not emptied but fed until that picture has come out, and what comes
// out behind it is held for the windows to come. They ask for pictures that are shown later, so
// only packets whose pictures are shown before a window's last target can be left out. Whatever is
// not as it should be ends the run; the call then decodes its window by a plan like any other.
class SegmentDecoder {
 public:
  using Give = std::function<void(int32_t ordinal, const AVFrame& frame)>;
  using Lose = std::function<void(const SegmentOutcome& why)>;

  // `everything`: also packets that no picture refers to are decoded.
  SegmentDecoder(const FrameIndex& index, PacketReader& reader, PacketDecoder& decoder, bool strict,
                 bool everything, Give give)
      : index_(index),
        bitstream_(index.bitstream),
        reader_(reader),
        decoder_(decoder),
        strict_(strict),
        everything_(everything),
        give_(std::move(give)),
        damage_(index) {}
  SegmentDecoder(const SegmentDecoder&) = delete;
  SegmentDecoder& operator=(const SegmentDecoder&) = delete;

  // Decodes packets [first, last] for these targets.
  SegmentOutcome run(int32_t first, int32_t last, std::span<const int32_t> targets);
  // The same for runs that go on (Note [Going on]): begins one at packet `first`; `fed`: packets
  // that may be fed behind the last target until it comes out.
  void begin(int32_t first, int32_t fed);
  // Decodes on for these targets, the last of them packet `last` at the latest: all shown after
  // those before, and each still to come (isToCome).
  SegmentOutcome goOn(int32_t last, std::span<const int32_t> targets);
  bool isToCome(int32_t ordinal) const;
  int32_t begun() const { return first_; }
  void giveTo(Give give) { give_ = std::move(give); }

  const DecodeCounters& counters() const { return counters_; }
  // Damaged pictures are told of and decoding goes on. Not of a strict decoder.
  void tellOfDamage(Lose lose) { lose_ = std::move(lose); }
  // What the packet of a picture that is being given out says; to be asked for beforehand.
  void followReferences() { followsReferences_ = true; }
  PictureReferences referencesOf(int32_t ordinal) const {
    const auto it = references_.find(ordinal);
    return it == references_.end() ? PictureReferences() : it->second;
  }
  // Whether a picture without motion vectors may have lost them.
  bool mayLoseVectors() const {
    return bitstream_.rules->emptiesWithoutVectors && decoder_.holdsBack();
  }
  // Whether pictures need not have the video's size.
  void takeAnySize(bool any = true) { anySize_ = any; }
  void limitPixels(int64_t most) { mostPixels_ = most; }

 private:
  struct Held {
    int32_t ordinal;
    UniqueAVFrame frame;
  };

  void reset(int32_t first);
  bool isTarget(int32_t ordinal) const;
  // Of a run that goes on: whether the picture may be asked for by windows to come.
  bool isBeyond(int32_t ordinal) const;
  void dropPassed();
  SegmentOutcome outcome();

  // Each of these is false where the run ends early, with outcome_.
  using Kind = SegmentOutcome::Kind;
  bool stop(Kind kind, int32_t ordinal, std::string reason = {});
  bool stopForSize(Kind kind, int32_t ordinal, int width, int height);
  bool isTooLarge(int width, int height) const { return int64_t{width} * height > mostPixels_; }
  bool feedAll(int32_t last);
  bool settleRest();
  bool feed(AVPacket& packet);
  bool takeOutput(AVFrame* frame);
  bool checkOrder(int32_t ordinal);
  bool readH264(std::span<const uint8_t> packet);
  bool noteUnreferenced();
  bool noteMissingBefore(int32_t ordinal);
  bool giveOutHeld();
  bool lose(SegmentOutcome why);
  void forgetLost(int32_t newest);
  bool mayDrop(const AVPacket& packet, int32_t ordinal) const;

  const FrameIndex& index_;
  BitstreamFormat bitstream_;
  H264PictureNumbers h264Numbers_;
  H264Refreshes refreshes_;
  PacketReader& reader_;
  PacketDecoder& decoder_;
  const bool strict_, everything_;
  Give give_;
  Lose lose_;
  bool anySize_ = false;
  int64_t mostPixels_ = INT64_MAX;
  DecodeCounters counters_;
  SegmentOutcome outcome_;
  const PacketDecoder::Output output_ = [this](AVFrame* frame, int) { return takeOutput(frame); };

  std::span<const int32_t> targets_;
  int32_t first_ = 0, current_ = 0;
  bool leading_ = false;  // H.264 pictures shown before the entry point were fed
  HarmlessErrors harmless_;
  bool followsReferences_ = false;
  std::map<int32_t, PictureReferences> references_;  // of the last packets
  std::set<int32_t> inside_;                         // fed, shown, not out yet
  SegmentDamage damage_;
  std::vector<int32_t> refused_;  // packets whose picture is too large
  bool unreferenced_ = false;     // references were missing somewhere
  std::vector<Held> held_;
  std::vector<bool> cameOut_;  // of each target, whether it is or was held
  size_t done_ = 0;            // targets that were given out or told of
  int32_t lastShown_ = -1;

  bool goesOn_ = false;
  int32_t behind_ = 0;   // packets that may be fed behind the last target
  int32_t newest_ = -1;  // display index of the last target
};

}  // namespace cps
