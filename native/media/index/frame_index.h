#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/call_context.h"
#include "core/notes.h"
#include "core/picture.h"
#include "ffmpeg/handles.h"
#include "media/codec/bitstream.h"
#include "media/container/byte_source.h"
#include "media/container/demuxer.h"
#include "media/index/video_info.h"

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

// Note [In force]
// Some of what a decoder has to be told comes once and holds until it is told otherwise: palettes
// (AVI, QuickTime) and new headers in mid-stream are side data of a packet. A demuxer gives it with
// the packet that it happens to read first, or not at all after a seek. The index keeps it, and
// PacketReader gives every decoder that begins somewhere what is in force there.
struct SideData {
  int32_t from = 0;  // ordinal of the packet that it came with
  AVPacketSideDataType type = AV_PKT_DATA_PALETTE;
  std::vector<uint8_t> bytes;
};
// A frame whose timestamp is earlier than the one before it (joined captures, clock changes). From
// there on frames are shown at `seconds` after the first one, and as much later as the timestamps
// say.
struct ClockRestart {
  int64_t frame = 0;
  double seconds = 0;
};
// Whether side data of this type stays in force.
bool staysInForce(AVPacketSideDataType type);

// Note [Trust]
// The index says which packet holds the picture with display index d without decoding anything.
// That holds only where one packet is one picture and its timestamp is its place: the container
// gives every shown packet a pts, all are distinct, decoding can start at the first packet, nothing
// is shown before it, and the codec's own order is the same (Note [Picture order] in
// picture_order.h). It does not hold for field pictures in packets of their own, MPEG-4 outside MP4
// and Matroska or with packed B-frames, raw streams without timestamps, AVI (decode timestamps
// only), streams cut in mid-GOP or joined ones. There the whole stream is decoded once
// (decode/count_pass.cpp) and the list of pictures that came out is kept in the index: `Counted`
// knows the packet of each picture, `Sequential` only how many there are. Where a codec shows
// pictures as it decodes them, their order in the file is enough, whatever the clock says.
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
  int x264Build = -1;                 // DecoderConfig has it
  std::vector<SideData> inForce;      // Note [In force]; ascending
  int reorderDepth = 0;               // pictures that can be decoded before one that is shown first
  std::vector<PacketEntry> packets;   // in decode order; "ordinal" is a position in it
  std::vector<int32_t> display;       // [totalFrames] ordinal of each picture
  std::vector<int32_t> keys;          // ordinals of packets with the key flag
  std::vector<double> timestampsSec;  // [totalFrames]
  std::vector<ClockRestart> restarts;  // of timestampsSec, ascending; findRestarts fills it
  Notes notes;                         // what building it found
  bool stored = false;                 // read from disk: Note [Index files] in index_file.h
  std::vector<int64_t> shownAt;        // while building, where pictures were counted: their times

  // When a frame is shown, since the first one; ascending.
  double secondsFromStart(int64_t displayIndex) const;

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
  // What an index of so many packets takes of a call's maxMemoryBytes: that of an ordinary video is
  // part of what every call needs.
  static int64_t countedBytes(size_t packets);

  // Called once when packets, keys and display are complete.
  void seal();
  // Fills width and height of `info` from the stored size and the orientation.
  void setShownSize();
  // Fills reorderDepth from the packets' order.
  void measureReordering();

 private:
  enum State : uint8_t { kUnknown, kGood, kBad };
  uint8_t state(int32_t ordinal) const;

  size_t keyPosition(int32_t ordinal) const;
  int64_t startOrder(size_t key) const;
  size_t startCount(size_t level) const {
    return level == 0 ? keys.size() : leastOrders_[level - 1].size();
  }
  int64_t leastOrder(size_t level, size_t i) const;
  std::optional<size_t> lastStart(size_t level, size_t begin, size_t end, int64_t order) const;

  mutable std::unique_ptr<std::atomic<uint8_t>[]> keyStates_;  // per element of keys
  // Note [Starts]
  // Where a container flags every packet, or none of the flags is true, walking back from key to
  // key for each target takes as long as targets times packets. So keys are grouped by kStartGroup,
  // groups likewise, and so on; each group knows the least order of the starts in it, and what need
  // not be looked into is skipped.
  static constexpr size_t kStartGroup = 16;
  mutable std::vector<std::vector<std::atomic<int64_t>>> leastOrders_;
  mutable std::mutex leastMutex_;  // of those who write
  mutable std::atomic<bool> seekBroken_{false};
};

using FrameIndexPtr = std::shared_ptr<const FrameIndex>;

// Decodes the whole stream and fills trust, order, displayIndex and display from what came out.
using CountPictures = std::function<void(
    FrameIndex& index, const std::shared_ptr<ByteSource>& source, const CallContext& call)>;

// Reads the packets' headers once; has pictures counted only where Note [Trust] asks for it. Checks
// the limits maxFramePixels and maxFrames on the way. Throws Error as Demuxer does, and
// Error(Unsupported) naming the limit.
FrameIndexPtr buildFrameIndex(const std::shared_ptr<ByteSource>& source, const CallContext& call,
                              const CountPictures& count);

// What opening the file and its first packet tell: everything of an index that comes before the
// packets. nullptr: no packet. `declared`: packets that the container's tables list.
FrameIndexPtr readStreamHead(const std::shared_ptr<ByteSource>& source, const CallContext& call,
                             int64_t& declared);

}  // namespace cps
