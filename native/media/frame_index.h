#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/notes.h"
#include "ffmpeg/handles.h"
#include "media/byte_source.h"
#include "media/demuxer.h"
#include "media/frame_source.h"
#include "media/nal.h"

namespace cps {

inline constexpr int64_t kNoOrder = std::numeric_limits<int64_t>::min();

// One packet of the video stream, as the container gave it.
struct PacketEntry {
  int64_t pts = AV_NOPTS_VALUE;
  int64_t dts = AV_NOPTS_VALUE;
  int64_t pos = -1;
  int64_t order = kNoOrder;  // compares display order; kNoOrder: its picture is never shown
  int64_t duration = 0;
  int32_t size = 0;
  int32_t displayIndex = -1;  // of its picture; -1: none is shown
  bool key = false;
  bool discard = false;  // an edit list cuts this picture out
};

// Note [Trust]
// The index says which packet holds the picture with display index d without decoding anything.
// That holds only where one packet is one picture and its timestamp is its place: the container
// gives every shown packet a pts, all are distinct, decoding can start at the first packet and
// nothing is shown before it. It does not hold for field pictures in packets of their own, MPEG-4
// outside MP4 and Matroska or with packed B-frames, raw streams without timestamps, AVI (decode
// timestamps only) or streams cut in mid-GOP. There the whole stream is decoded once
// (count_pass.cpp) and the list of pictures that came out is kept in the index: `Counted` knows the
// packet of each picture, `Sequential` only how many there are.
enum class IndexTrust { Timestamps, Counted, Sequential };

// What decoding a stream needs to know, and which packets make which picture. Immutable after
// building, except for what is learnt on the way about seeking (thread-safe). Shared by all calls.
class FrameIndex {
 public:
  VideoInfo info;
  IndexTrust trust = IndexTrust::Timestamps;
  UniqueAVCodecParameters parameters;
  BitstreamFormat bitstream;
  StreamHint stream;
  SeekKind seekKind = SeekKind::Pts;
  bool plain = false;
  AVRational timeBase = {0, 1};
  Orientation orientation;
  int32_t storedWidth = 0, storedHeight = 0;
  int reorderDepth = 0;               // pictures that can be decoded before one that is shown first
  std::vector<PacketEntry> packets;   // in decode order; "ordinal" is a position in it
  std::vector<int32_t> display;       // [totalFrames] ordinal of each picture
  std::vector<int32_t> keys;          // ordinals of packets with the key flag
  std::vector<double> timestampsSec;  // [totalFrames]
  Notes notes;                        // what building it found

  // MP4, QuickTime and their kin.
  bool isMp4() const { return info.format.compare(0, 4, "mov,") == 0; }

  // Whether decoding may start at this packet, as far as is known.
  bool canStart(int32_t ordinal) const;
  bool startVerified(int32_t ordinal) const { return state(ordinal) != kUnknown; }
  bool startIsGood(int32_t ordinal) const { return state(ordinal) == kGood; }
  void setStart(int32_t ordinal, bool good) const;
  // The latest packet <= ordinal that decoding may start at, so that the picture of `ordinal` and
  // all that it depends on come after it; -1 when there is none.
  int32_t startFor(int32_t ordinal) const;

  // Seeking in this container does not lead back to packets that were seen: read on instead.
  bool seekable() const { return !seekBroken_.load(std::memory_order_relaxed); }
  void setSeekBroken() const { seekBroken_.store(true, std::memory_order_relaxed); }

  // Throws Error(Corrupt) where the file ends before the frames that its container declares.
  void checkWhole() const;

  size_t memoryBytes() const;

  // Called once when packets, keys and display are complete.
  void seal();
  // Fills reorderDepth from the packets' order.
  void measureReordering();

 private:
  enum State : uint8_t { kUnknown, kGood, kBad };
  uint8_t state(int32_t ordinal) const;

  size_t keyPosition(int32_t ordinal) const;
  mutable std::unique_ptr<std::atomic<uint8_t>[]> keyStates_;  // per element of keys
  mutable std::atomic<bool> seekBroken_{false};
};

using FrameIndexPtr = std::shared_ptr<const FrameIndex>;

struct MediaServices;

// Reads the packets' headers once; decodes only where Note [Trust] asks for it. Checks the limits
// maxFramePixels and maxFrames on the way. Throws Error as Demuxer does, and Error(Unsupported)
// naming the limit.
FrameIndexPtr buildFrameIndex(const std::shared_ptr<ByteSource>& source, const CallContext& call,
                              const MediaServices& services);

// Decodes the whole stream and fills trust, order, displayIndex and display from what came out.
void countPictures(FrameIndex& index, const std::shared_ptr<ByteSource>& source,
                   const CallContext& call, const MediaServices& services);

}  // namespace cps
