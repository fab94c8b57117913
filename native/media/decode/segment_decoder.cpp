#include "media/decode/segment_decoder.h"

#include <algorithm>

#include "ffmpeg/util.h"

namespace cps {
namespace {

// A picture that has not come out this many packets later never will.
constexpr int32_t kLostAfter = 96;

}  // namespace

bool SegmentDecoder::mayDrop(const AVPacket& packet, int32_t ordinal) const {
  // Where pictures were counted, a packet without references may be half of a picture.
  if (everything_ || index_.trust != IndexTrust::Timestamps) return false;
  if (isTarget(ordinal) || isBeyond(ordinal)) return false;
  return isDroppable({packet.data, static_cast<size_t>(packet.size)}, bitstream_);
}

bool isBroken(const FrameIndex& index, std::span<const uint8_t> bytes, int flags) {
  // Transport streams are flagged for what may be no loss at all: a length that is wrong, a counter
  // that jumps where two were joined. Elsewhere data ends early.
  if ((flags & AV_PKT_FLAG_CORRUPT) != 0 && index.info.format != "mpegts") return true;
  return index.bitstream.rules->isBroken(bytes);
}

void SegmentDecoder::reset(int32_t first) {
  inside_.clear();
  damage_.clear();
  references_.clear();
  refused_.clear();
  h264Numbers_ = {};
  refreshes_ = {};
  held_.clear();
  unreferenced_ = false;
  lastShown_ = -1;
  leading_ = false;
  first_ = first;
  goesOn_ = false;
}

SegmentOutcome SegmentDecoder::run(int32_t first, int32_t last, std::span<const int32_t> targets) {
  reset(first);
  targets_ = targets;
  done_ = 0;
  cameOut_.assign(targets.size(), false);
  outcome_ = {};
  if (!reader_.moveTo(first_)) {
    stop(Kind::Lost, first_);
  } else if (feedAll(last) && done_ < targets_.size()) {
    settleRest();
  }
  return outcome();
}

void SegmentDecoder::begin(int32_t first, int32_t fed) {
  reset(first);
  goesOn_ = true;
  behind_ = fed;
  outcome_ = {};
  if (!reader_.moveTo(first_)) stop(Kind::Lost, first_);
}

SegmentOutcome SegmentDecoder::goOn(int32_t last, std::span<const int32_t> targets) {
  if (outcome_.kind != Kind::Done) return outcome();
  targets_ = targets;
  done_ = 0;
  cameOut_.assign(targets.size(), false);
  counters_ = {};
  newest_ = -1;
  for (const int32_t target : targets) {
    newest_ = std::max(newest_, index_.packets[static_cast<size_t>(target)].displayIndex);
  }
  dropPassed();
  const auto count = static_cast<int32_t>(index_.packets.size());
  const int32_t limit = std::min(count - 1, last + behind_);
  if (!giveOutHeld() || done_ == targets_.size() || !feedAll(limit)) return outcome();
  if (done_ < targets_.size() && reader_.next() < count) {
    stop(Kind::Suspicious, targets_.back(), "it does not come out in time");
  } else if (done_ < targets_.size()) {
    settleRest();  // the end of the stream
  }
  return outcome();
}

// What the windows so far did not ask for, and damage that is too far back to matter.
void SegmentDecoder::dropPassed() {
  const int32_t start = index_.seeks().startFor(targets_.front());
  damage_.forgetBefore(start);
  std::erase_if(held_, [&](const Held& h) { return !isTarget(h.ordinal) && !isBeyond(h.ordinal); });
  for (const Held& h : held_) {
    const auto at = std::lower_bound(targets_.begin(), targets_.end(), h.ordinal);
    if (at != targets_.end() && *at == h.ordinal) {
      cameOut_[static_cast<size_t>(at - targets_.begin())] = true;
    }
  }
}

bool SegmentDecoder::isTarget(int32_t ordinal) const {
  return std::binary_search(targets_.begin(), targets_.end(), ordinal);
}

bool SegmentDecoder::isBeyond(int32_t ordinal) const {
  return goesOn_ && index_.packets[static_cast<size_t>(ordinal)].displayIndex > newest_;
}

bool SegmentDecoder::isToCome(int32_t ordinal) const {
  return ordinal >= reader_.next() || inside_.contains(ordinal) ||
         std::any_of(held_.begin(), held_.end(),
                     [&](const Held& h) { return h.ordinal == ordinal; });
}

SegmentOutcome SegmentDecoder::outcome() {
  // HEVC lists of references may name pictures that nothing refers to.
  const bool mayLackDropped = unreferenced_ && counters_.packetsDropped > 0;
  if (outcome_.kind == Kind::Damaged && mayLackDropped) outcome_.kind = Kind::Suspicious;
  return std::move(outcome_);
}

bool SegmentDecoder::stop(Kind kind, int32_t ordinal, std::string reason) {
  outcome_ = {kind, ordinal, std::move(reason)};
  return false;
}

// Whatever else comes out of a decoder that has several pictures in work.
bool SegmentDecoder::stopForSize(Kind kind, int32_t ordinal, int width, int height) {
  outcome_ = {kind, ordinal, {}, width, height};
  return false;
}

bool SegmentDecoder::feedAll(int32_t last) {
  UniqueAVPacket packet = makePacket(Stage::Decode);
  // FFmpeg's H.264 decoder does not show pictures that are shown before the entry point, and when
  // it is emptied, one that it does not show is the last: there it has to be fed on.
  while (reader_.next() <= last || (leading_ && reader_.next() <= last + kReadOn)) {
    const ReadResult got = reader_.read(*packet);
    if (got == ReadResult::Lost) return stop(Kind::Lost, reader_.next());
    if (got == ReadResult::End) break;
    current_ = reader_.next() - 1;
    if (!feed(*packet)) return false;
    if (done_ == targets_.size()) break;
  }
  return true;
}

bool SegmentDecoder::settleRest() {
  harmless_.end();
  if (!decoder_.drain(output_) || !noteUnreferenced()) return false;
  // What has not come out by now was lost: what refers to it is not right either.
  for (const int32_t lost : inside_) damage_.add(lost);
  inside_.clear();
  if (!giveOutHeld()) return false;
  for (size_t i = 0; i < targets_.size(); ++i) {
    if (cameOut_[i]) continue;
    const int32_t target = targets_[i];
    if (std::find(refused_.begin(), refused_.end(), target) != refused_.end()) {
      if (!lose({Kind::TooLarge, target, {}})) return false;
      continue;
    }
    const bool failed = damage_.spoils(target);
    const char* const reason =
        failed ? "its data cannot be decoded" : "the decoder never gave it out";
    if (!lose({Kind::Damaged, target, reason})) return false;
  }
  return true;
}

bool SegmentDecoder::lose(SegmentOutcome why) {
  if (!lose_) {
    outcome_ = std::move(why);
    return false;
  }
  ++done_;
  lose_(why);
  return true;
}

bool SegmentDecoder::feed(AVPacket& packet) {
  const std::span<const uint8_t> bytes(packet.data, static_cast<size_t>(packet.size));
  followHeaders(bytes, bitstream_);
  damage_.learnStart(current_, bytes, bitstream_);
  if (bitstream_.rules->numbersReferences && !readH264(bytes)) return false;
  if (followsReferences_) {
    references_[current_] = bitstream_.rules->references(bytes, bitstream_);
    references_.erase(references_.begin(), references_.lower_bound(current_ - kLostAfter));
  }
  if (mayDrop(packet, current_)) {
    ++counters_.packetsDropped;
    return true;
  }
  harmless_.begin(bytes, bitstream_);
  if (isBroken(index_, bytes, packet.flags)) damage_.add(current_);
  // Pictures that an edit list cuts out come out too: damage in them must be seen.
  packet.flags &= ~(AV_PKT_FLAG_DISCARD | AV_PKT_FLAG_CORRUPT);
  const PacketEntry& entry = index_.packets[static_cast<size_t>(current_)];
  if (entry.displayIndex >= 0) inside_.insert(current_);
  leading_ = leading_ || (bitstream_.rules->dropsLeading && entry.order != kNoOrder &&
                          entry.order < index_.packets[static_cast<size_t>(first_)].order);
  ++counters_.packetsDecoded;
  if (!decoder_.decode(packet, current_, output_) || !noteUnreferenced()) return false;
  forgetLost(current_);
  return giveOutHeld();
}

bool SegmentDecoder::readH264(std::span<const uint8_t> packet) {
  if (!h264Numbers_.follows(packet, bitstream_.lengthBytes, bitstream_.h264) &&
      !noteMissingBefore(current_)) {
    return false;
  }
  const int32_t from = refreshes_.endedBy(current_, h264Numbers_);
  if (from >= 0) damage_.addRefresh(from, current_);
  const H264Sequence& sequence = h264Numbers_.sequence();
  if (!anySize_ && !h264MayHaveSize(sequence, index_.storedWidth, index_.storedHeight) &&
      std::binary_search(targets_.begin(), targets_.end(), current_)) {
    const bool large = isTooLarge(sequence.width, sequence.height);
    return stopForSize(large ? Kind::TooLarge : Kind::OtherSize, current_, sequence.width,
                       sequence.height);
  }
  return true;
}

// Note [Made-up references] in picture_buffers.h.
bool SegmentDecoder::noteUnreferenced() {
  for (const int64_t number : decoder_.takeUnreferenced()) {
    if (!noteMissingBefore(static_cast<int32_t>(number))) return false;
    unreferenced_ = true;
  }
  return true;
}

bool SegmentDecoder::noteMissingBefore(int32_t ordinal) {
  if (damage_.addMissingBefore(ordinal) && strict_) {
    return stop(Kind::Suspicious, ordinal, "references are missing");
  }
  return true;
}

bool SegmentDecoder::takeOutput(AVFrame* frame) {
  if (!noteUnreferenced()) return false;
  if (!frame) {
    if (strict_) return stop(Kind::Suspicious, current_, "a strict decoder reports an error");
    // One thread decodes a packet before it takes the next: the error is of this one.
    if (harmless_.take()) return true;
    damage_.add(current_);
    if (decoder_.refusesSize()) refused_.push_back(current_);
    inside_.erase(current_);
    return true;
  }
  const auto ordinal = static_cast<int32_t>(packetNumber(*frame));
  if (index_.stored && !checkOrder(ordinal)) return false;
  if (isDamaged(*frame)) {
    if (strict_) return stop(Kind::Suspicious, ordinal, "it is damaged");
    damage_.add(ordinal);
  }
  const auto target = std::lower_bound(targets_.begin(), targets_.end(), ordinal);
  const auto at = static_cast<size_t>(target - targets_.begin());
  const bool wanted = target != targets_.end() && *target == ordinal && !cameOut_[at];
  if (wanted || isBeyond(ordinal)) {
    if (wanted) cameOut_[at] = true;
    UniqueAVFrame kept = makeFrame(Stage::Decode);
    if (av_frame_ref(kept.get(), frame) < 0) checkAlloc<void>(nullptr, Stage::Decode);
    held_.push_back({ordinal, std::move(kept)});
  }
  inside_.erase(ordinal);
  return giveOutHeld();
}

// Pictures come out in the order in which they are shown; an index from disk may say another.
bool SegmentDecoder::checkOrder(int32_t ordinal) {
  const PacketEntry& entry = index_.packets[static_cast<size_t>(ordinal)];
  const bool shown = entry.displayIndex >= 0;
  if (shown ? entry.displayIndex <= lastShown_ : !entry.discard) {
    return stop(Kind::Damaged, ordinal,
                "pictures come out in another order than that of the index");
  }
  if (shown) lastShown_ = entry.displayIndex;
  return true;
}

void SegmentDecoder::forgetLost(int32_t newest) {
  while (!inside_.empty() && *inside_.begin() < newest - kLostAfter) {
    damage_.add(*inside_.begin());
    inside_.erase(inside_.begin());
  }
}

bool SegmentDecoder::giveOutHeld() {
  for (size_t i = 0; i < held_.size();) {
    const int32_t ordinal = held_[i].ordinal;
    const bool isEarly = !inside_.empty() && *inside_.begin() < ordinal;
    if (isEarly || (goesOn_ && !isTarget(ordinal))) {
      ++i;
      continue;
    }
    const UniqueAVFrame frame = std::move(held_[i].frame);
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(i));
    if (damage_.spoils(ordinal)) {
      const char* const reason = isDamaged(*frame)
                                     ? "it is damaged"
                                     : "a picture that it depends on is damaged or missing";
      if (!lose({Kind::Damaged, ordinal, reason})) return false;
      continue;
    }
    if (isTooLarge(frame->width, frame->height)) {
      if (!lose({Kind::TooLarge, ordinal, {}, frame->width, frame->height})) return false;
      continue;
    }
    if (!anySize_ && !hasSizeOf(index_, *frame)) {
      return stopForSize(Kind::OtherSize, ordinal, frame->width, frame->height);
    }
    ++done_;
    give_(ordinal, *frame);
  }
  return true;
}

}  // namespace cps
