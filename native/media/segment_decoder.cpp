#include "media/segment_decoder.h"

#include <algorithm>

#include "ffmpeg/util.h"
#include "media/ffv1.h"
#include "media/image_packets.h"

namespace cps {
namespace {

// A picture that has not come out this many packets later never will.
constexpr int32_t kLostAfter = 96;

}  // namespace

bool SegmentDecoder::mayDrop(const AVPacket& packet, int32_t ordinal) const {
  // Where pictures were counted, a packet without references may be half of a picture.
  if (everything_ || index_.trust != IndexTrust::Timestamps) return false;
  if (std::binary_search(targets_.begin(), targets_.end(), ordinal)) return false;
  return isDroppable({packet.data, static_cast<size_t>(packet.size)}, bitstream_);
}

// What the packet itself says, whatever the decoder makes of it.
bool SegmentDecoder::isBroken(const AVPacket& packet) const {
  if ((packet.flags & AV_PKT_FLAG_CORRUPT) != 0) return true;
  const std::span<const uint8_t> bytes(packet.data, static_cast<size_t>(packet.size));
  switch (bitstream_.codec) {
    case AV_CODEC_ID_FFV1:
      return !ffv1ChecksumsHold(bytes);
    case AV_CODEC_ID_PNG:
    case AV_CODEC_ID_APNG:
      return !pngChecksumsHold(bytes);
    case AV_CODEC_ID_GIF:
      return !gifIsWhole(bytes);
    default:
      return false;
  }
}

void SegmentDecoder::run(int32_t first, int32_t last, std::span<const int32_t> targets) {
  targets_ = targets;
  inside_.clear();
  damaged_.clear();
  lostBefore_.clear();
  h264Numbers_ = {};
  held_.clear();
  done_ = 0;
  cameOut_.assign(targets.size(), false);
  unreferenced_ = false;
  const PacketDecoder::Output output = [this](AVFrame* frame, int error) {
    takeOutput(frame, error);
  };
  UniqueAVPacket packet = makePacket(Stage::Decode);
  reader_.moveTo(first);
  while (reader_.next() <= last && reader_.read(*packet)) {
    current_ = reader_.next() - 1;
    const std::span<const uint8_t> bytes(packet->data, static_cast<size_t>(packet->size));
    followHeaders(bytes, bitstream_);
    if (bitstream_.codec == AV_CODEC_ID_H264) readH264(bytes);
    if (mayDrop(*packet, current_)) {
      ++counters_.packetsDropped;
      continue;
    }
    // Pictures that an edit list cuts out come out too: damage in them must be seen.
    packet->flags &= ~AV_PKT_FLAG_DISCARD;
    if (isBroken(*packet)) damaged_.push_back(current_);
    const PacketEntry& entry = index_.packets[static_cast<size_t>(current_)];
    if (entry.displayIndex >= 0) inside_.insert(current_);
    ++counters_.packetsDecoded;
    decoder_.decode(*packet, current_, output);
    noteUnreferenced();
    forgetLost(current_);
    giveOutHeld();
    if (done_ == targets_.size()) return;
  }
  decoder_.drain(output);
  noteUnreferenced();
  // What has not come out by now was lost: what refers to it is not right either.
  damaged_.insert(damaged_.end(), inside_.begin(), inside_.end());
  inside_.clear();
  giveOutHeld();
  for (size_t i = 0; i < targets_.size(); ++i) {
    if (cameOut_[i]) continue;
    const int32_t target = targets_[i];
    const bool failed = std::find(damaged_.begin(), damaged_.end(), target) != damaged_.end();
    lose(target, failed || isSpoilt(target) ? "its data cannot be decoded"
                                            : "the decoder never gave it out");
  }
}

void SegmentDecoder::lose(int32_t ordinal, const char* reason) {
  const DamagedPicture damaged{ordinal, reason};
  if (!lose_) throw damaged;
  ++done_;
  lose_(damaged);
}

void SegmentDecoder::readH264(std::span<const uint8_t> packet) {
  if (!h264Numbers_.follows(packet, bitstream_.lengthBytes, bitstream_.h264)) {
    noteMissingBefore(current_);
  }
  const H264Sequence& sequence = h264Numbers_.sequence();
  if (!h264MayHaveSize(sequence, index_.storedWidth, index_.storedHeight) &&
      std::binary_search(targets_.begin(), targets_.end(), current_)) {
    throw OtherSize{current_, sequence.width, sequence.height};
  }
}

// Note [Made-up references] in picture_buffers.h.
void SegmentDecoder::noteUnreferenced() {
  for (const int64_t number : decoder_.takeUnreferenced()) {
    noteMissingBefore(static_cast<int32_t>(number));
    unreferenced_ = true;
  }
}

// What an entry point lacks only its leading pictures can notice.
void SegmentDecoder::noteMissingBefore(int32_t ordinal) {
  const bool entry = index_.startFor(ordinal) == ordinal;
  if (strict_ && !entry) throw StrictFailure();
  (entry ? lostBefore_ : damaged_).push_back(ordinal);
}

void SegmentDecoder::takeOutput(AVFrame* frame, int error) {
  noteUnreferenced();
  if (!frame) {
    if (strict_) throw StrictFailure();
    // One thread decodes a packet before it takes the next: the error is of this one.
    damaged_.push_back(current_);
    inside_.erase(current_);
    return;
  }
  const auto ordinal = static_cast<int32_t>(packetNumber(*frame));
  const bool damagedNow = isDamaged(*frame);
  if (damagedNow) {
    if (strict_) throw StrictFailure();
    damaged_.push_back(ordinal);
  }
  const auto target = std::lower_bound(targets_.begin(), targets_.end(), ordinal);
  const auto at = static_cast<size_t>(target - targets_.begin());
  if (target != targets_.end() && *target == ordinal && !cameOut_[at]) {
    cameOut_[at] = true;
    UniqueAVFrame kept = makeFrame(Stage::Decode);
    if (av_frame_ref(kept.get(), frame) < 0) checkAlloc<void>(nullptr, Stage::Decode);
    held_.push_back({ordinal, std::move(kept)});
  }
  inside_.erase(ordinal);
  giveOutHeld();
}

void SegmentDecoder::forgetLost(int32_t newest) {
  while (!inside_.empty() && *inside_.begin() < newest - kLostAfter) {
    damaged_.push_back(*inside_.begin());
    inside_.erase(inside_.begin());
  }
}

void SegmentDecoder::giveOutHeld() {
  for (size_t i = 0; i < held_.size();) {
    const int32_t ordinal = held_[i].ordinal;
    if (!inside_.empty() && *inside_.begin() < ordinal) {
      ++i;
      continue;
    }
    const UniqueAVFrame frame = std::move(held_[i].frame);
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(i));
    if (isSpoilt(ordinal)) {
      lose(ordinal, isDamaged(*frame) ? "it is damaged"
                                      : "a picture that it depends on is damaged or missing");
      continue;
    }
    ++done_;
    give_(ordinal, *frame);
  }
}

bool SegmentDecoder::isSpoilt(int32_t ordinal) const {
  const auto spoils = [&](int32_t bad) { return damageReaches(index_, bad, ordinal); };
  const auto leadsOver = [&](int32_t entry) {
    return entry < ordinal && index_.startFor(ordinal) < entry;
  };
  return std::any_of(damaged_.begin(), damaged_.end(), spoils) ||
         std::any_of(lostBefore_.begin(), lostBefore_.end(), leadsOver);
}

bool damageReaches(const FrameIndex& index, int32_t bad, int32_t target) {
  const int32_t start = index.startFor(target);
  if (bad < start || bad > target) return false;
  const PacketEntry& entry = index.packets[static_cast<size_t>(bad)];
  // Leading pictures of an open GOP miss their references after a jump: not wanted, not needed.
  const int64_t startOrder = index.packets[static_cast<size_t>(start)].order;
  const bool leading = entry.order != kNoOrder && entry.order < startOrder;
  return bad == target || !leading;
}

}  // namespace cps
