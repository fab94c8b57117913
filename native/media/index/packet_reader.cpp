#include "media/index/packet_reader.h"

#include <cstring>
#include <utility>

#include "core/error.h"
#include "ffmpeg/util.h"

namespace cps {
namespace {

// Reading over this many packets costs less than a seek and what it makes the container do.
constexpr int32_t kReadOver = 8;

void removeSideData(AVPacket& packet, AVPacketSideDataType type) {
  for (int i = packet.side_data_elems - 1; i >= 0; --i) {
    if (packet.side_data[i].type != type) continue;
    av_freep(&packet.side_data[i].data);
    packet.side_data[i] = packet.side_data[--packet.side_data_elems];
  }
}

}  // namespace

PacketReader::PacketReader(std::shared_ptr<ByteSource> source, CancelPtr cancel,
                           const FrameIndex& index)
    : source_(std::move(source)),
      index_(index),
      demuxer_(source_, std::move(cancel), &index.stream),
      ahead_(makePacket(Stage::Decode)) {}

bool PacketReader::matches(const AVPacket& packet, int32_t ordinal) const {
  const PacketEntry& entry = index_.packets[static_cast<size_t>(ordinal)];
  if (packet.size != entry.size) return false;
  if (index_.stored) {
    const bool key = (packet.flags & AV_PKT_FLAG_KEY) != 0;
    const bool discard = (packet.flags & AV_PKT_FLAG_DISCARD) != 0;
    if (key != entry.key || discard != entry.discard) return false;
  }
  // Parsed streams: timestamps are filled in from what was read before, so only places compare.
  const bool byPlace = packet.pos >= 0 && entry.pos >= 0;
  if (byPlace && packet.pos != entry.pos) return false;
  if (byPlace && !index_.plain) return true;
  return packet.pts == entry.pts && packet.dts == entry.dts;
}

// A packet that was lost for want of memory looks like one that another file has there.
void PacketReader::checkMemory() const {
  if (ranShort()) throw outOfMemory(Stage::Decode, "Reading '" + source_->describe() + "' failed");
}

bool PacketReader::follows(const AVPacket& packet, int32_t ordinal) const {
  if (index_.plain) return matches(packet, ordinal);
  // How much a parser can fill in depends on what was read before: on a second reading less.
  const PacketEntry& entry = index_.packets[static_cast<size_t>(ordinal)];
  const bool placed = packet.pos >= 0 && entry.pos >= 0;
  if (packet.size != entry.size || (placed && packet.pos != entry.pos)) return false;
  const auto differ = [](int64_t a, int64_t b) {
    return a != AV_NOPTS_VALUE && b != AV_NOPTS_VALUE && a != b;
  };
  return placed || (!differ(packet.pts, entry.pts) && !differ(packet.dts, entry.dts));
}

// Where jumps lead to something that cannot be read, reading on from the start may still be good.
ReadResult PacketReader::readAny(AVPacket& packet) {
  try {
    if (!demuxer_.read(packet)) return ReadResult::End;
  } catch (const Error& error) {
    if (seeks_ == 0 || error.code() != ErrorCode::Corrupt) throw;
    return ReadResult::Lost;
  }
  ++packetsRead_;
  return ReadResult::Packet;
}

// Reads the packet `next()`; some demuxers give empty ones in between on one reading, not on
// others.
bool PacketReader::readNext(AVPacket& packet) {
  const bool isEmpty = index_.packets[static_cast<size_t>(next_)].size == 0;
  do {
    if (readAny(packet) != ReadResult::Packet) return false;
  } while (packet.size == 0 && !isEmpty);
  return follows(packet, next_);
}

void PacketReader::addWhatIsInForce(AVPacket& packet, int32_t ordinal) const {
  for (const AVPacketSideDataType type : kTypesInForce) {
    // As the demuxer gives it, it may be of another place.
    removeSideData(packet, type);
    const SideData* last = index_.inForceAt(ordinal, type);
    if (!last || (!begins_ && last->from != ordinal)) continue;
    uint8_t* data =
        checkAlloc(av_packet_new_side_data(&packet, type, last->bytes.size()), Stage::Decode);
    std::memcpy(data, last->bytes.data(), last->bytes.size());
  }
}

ReadResult PacketReader::read(AVPacket& packet) {
  if (next_ >= static_cast<int32_t>(index_.packets.size())) return ReadResult::End;
  if (hasAhead_) {  // compared by seekTo
    hasAhead_ = false;
    av_packet_unref(&packet);
    av_packet_move_ref(&packet, ahead_.get());
  } else if (!readNext(packet)) {
    checkMemory();
    return ReadResult::Lost;
  }
  if (!index_.inForce.empty()) addWhatIsInForce(packet, next_);
  begins_ = false;
  ++next_;
  return ReadResult::Packet;
}

bool PacketReader::seekTo(int32_t ordinal) {
  const PacketEntry& entry = index_.packets[static_cast<size_t>(ordinal)];
  int64_t target = entry.pts;
  if (index_.seekKind == SeekKind::Byte) {
    target = entry.pos;
    if (target < 0) return false;
  } else {
    const bool isMov = index_.plain && index_.seekKind == SeekKind::Dts;
    // MP4 is searched by dts but compares the result with the time asked for as a pts: asking for
    // the dts of a key packet would lead to the key before it.
    if (index_.seekKind == SeekKind::Dts && !isMov && entry.dts != AV_NOPTS_VALUE) {
      target = entry.dts;
    }
    if (target == AV_NOPTS_VALUE) target = entry.dts;
    if (target == AV_NOPTS_VALUE) return false;
  }
  hasAhead_ = false;
  ++seeks_;
  if (!demuxer_.seek(index_.seekKind, target)) return false;
  if (readAny(*ahead_) != ReadResult::Packet) return false;
  // At the packet itself, or before it: at a key packet as a rule.
  for (int32_t at = ordinal; at >= 0; --at) {
    if (matches(*ahead_, at)) {
      hasAhead_ = true;
      next_ = at;
      return true;
    }
  }
  return false;
}

bool PacketReader::moveTo(int32_t ordinal) {
  begins_ = true;
  const bool there = goTo(ordinal);
  if (!there) checkMemory();
  return there;
}

bool PacketReader::goTo(int32_t ordinal) {
  const bool ahead = next_ <= ordinal;
  if (!ahead || (ordinal - next_ > kReadOver && index_.seeks().seekable())) {
    if (!index_.seeks().seekable() || !seekTo(ordinal)) return false;
  }
  while (next_ < ordinal) {
    if (hasAhead_) {
      // Already compared by seekTo.
      hasAhead_ = false;
      av_packet_unref(ahead_.get());
      ++next_;
      continue;
    }
    if (!readNext(*ahead_)) return false;
    av_packet_unref(ahead_.get());
    ++next_;
  }
  return true;
}

}  // namespace cps
