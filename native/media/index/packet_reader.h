#pragma once

#include "media/container/demuxer.h"
#include "media/index/frame_index.h"

namespace cps {

// Lost: a packet read from the container is not the one the index has there.
enum class ReadResult : uint8_t { Packet, End, Lost };

// Reads packets of an indexed stream by ordinal. Every packet is compared with its index entry, so
// that a container that cannot come back to the same place is noticed, never trusted. One that got
// lost is of no more use.
class PacketReader {
 public:
  PacketReader(std::shared_ptr<ByteSource> source, CancelPtr cancel, const FrameIndex& index);

  // Whether FFmpeg ran out of memory in reading (Note [Swallowed ENOMEM] in ffmpeg/util.h).
  bool ranShort() const { return demuxer_.ranShort(); }
  // The next read() gives packet `ordinal`. Reads over packets where that is shorter than seeking.
  // False: lost.
  [[nodiscard]] bool moveTo(int32_t ordinal);
  // Reads the packet `next()` and steps on.
  [[nodiscard]] ReadResult read(AVPacket& packet);
  int32_t next() const { return next_; }
  int64_t packetsRead() const { return packetsRead_; }
  int64_t seeks() const { return seeks_; }

 private:
  // What an earlier packet's side data says and still holds (Note [In force] in frame_index.h).
  void addWhatIsInForce(AVPacket& packet, int32_t ordinal) const;
  // Whether this is the packet, for all that is known of it.
  bool matches(const AVPacket& packet, int32_t ordinal) const;
  // The same where the packet before it was the one before: what parsers leave open does not count.
  bool follows(const AVPacket& packet, int32_t ordinal) const;
  bool goTo(int32_t ordinal);
  bool seekTo(int32_t ordinal);
  ReadResult readAny(AVPacket& packet);
  bool readNext(AVPacket& packet);
  void checkMemory() const;

  std::shared_ptr<ByteSource> source_;
  const FrameIndex& index_;
  Demuxer demuxer_;
  UniqueAVPacket ahead_;  // read while looking where a seek ended
  bool hasAhead_ = false;
  bool begins_ = true;  // the next packet is the first that some decoder gets
  int32_t next_ = 0;
  int64_t packetsRead_ = 0;
  int64_t seeks_ = 0;
};

}  // namespace cps
