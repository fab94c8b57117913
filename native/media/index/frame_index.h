#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/call_context.h"
#include "core/notes.h"
#include "core/picture.h"
#include "ffmpeg/handles.h"
#include "media/codec/bitstream.h"
#include "media/container/byte_source.h"
#include "media/container/demuxer.h"
#include "media/index/packet_entry.h"
#include "media/index/seek_knowledge.h"
#include "media/index/video_info.h"

namespace cps {

// Note [In force]
// Some of what a decoder has to be told comes once and holds until it is told otherwise: palettes
// (AVI, QuickTime) and new headers in mid-stream are side data of a packet. A demuxer gives it with
// the packet that it happens to read first, or not at all after a seek. The index keeps it, and
// PacketReader gives every decoder that begins somewhere what is in force there.
struct SideData {
  int32_t from = 0;  // ordinal of the packet that it came with
  AVPacketSideDataType type = AV_PKT_DATA_PALETTE;
  std::vector<uint8_t> bytes;

  int64_t memoryBytes() const { return static_cast<int64_t>(sizeof(*this) + bytes.size()); }
};
// The types that stay in force.
inline constexpr std::array kTypesInForce = {AV_PKT_DATA_PALETTE, AV_PKT_DATA_NEW_EXTRADATA};
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
// building and shared by all calls. What they learn about seeking in the file stands beside it.
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

  // What is known about starting in mid-stream; grows as calls look into the file.
  SeekKnowledge& seeks() const { return *seeks_; }

  // Throws Error(Corrupt) where the file ends before the frames that its container declares.
  void checkWhole() const;

  size_t memoryBytes() const;
  // What an index of so many packets, with side data of so many bytes, takes of a call's
  // maxMemoryBytes: that of an ordinary video is part of what every call needs.
  static int64_t countedBytes(size_t packets, int64_t sideDataBytes = 0);
  // The same of this one, once it is sealed.
  int64_t countedBytes() const { return countedBytes_; }

  // What the packet with this ordinal, or the last one before it that had any, says of the type;
  // null: nothing is in force. The index has to be sealed.
  const SideData* inForceAt(int32_t ordinal, AVPacketSideDataType type) const;

  // Called once when packets, keys, display and inForce are complete.
  void seal();
  // Fills width and height of `info` from the stored size and the orientation.
  void setShownSize();
  // Fills reorderDepth from the packets' order.
  void measureReordering();

 private:
  // One for each of kTypesInForce, which come in any number between each other.
  std::array<std::vector<int32_t>, kTypesInForce.size()> placesInForce_;  // in inForce
  int64_t countedBytes_ = 0;
  std::unique_ptr<SeekKnowledge> seeks_ = std::make_unique<SeekKnowledge>();
};

// Whether a picture has the video's size.
inline bool hasSizeOf(const FrameIndex& index, const AVFrame& frame) {
  return frame.width == index.storedWidth && frame.height == index.storedHeight;
}

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
