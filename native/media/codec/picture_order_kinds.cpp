#include "media/codec/picture_order_kinds.h"

#include <algorithm>

namespace cps {
namespace {

constexpr int64_t kCountsPerSequence = int64_t{1} << 34;

}  // namespace

std::unique_ptr<PictureOrder> pictureOrderOf(const AVCodecParameters& parameters) {
  return rulesOf(parameters.codec_id).pictureOrder(parameters);
}

bool OrderByCounts::add(std::span<const uint8_t> packet) {
  // Looking for the end of the first slice of a large packet would be most of the work.
  const std::span<const uint8_t> head = packet.first(std::min(packet.size(), kHeadBytes));
  int64_t key = keyIn(head);
  if (key == kNoPicture && head.size() < packet.size()) key = keyIn(packet);
  keys_.push_back(key);
  return key != kNoPicture;
}

void OrderByCounts::skip() {
  restart();
  keys_.push_back(kUnknown);
}

void OrderByCounts::restart() {
  ++sequence_;
  decoded_ = 0;
  reference_.reset();
}

int64_t OrderByCounts::keyOf(int64_t count) const { return sequence_ * kCountsPerSequence + count; }

// H.264 8.2.1.1, HEVC 8.3.1: the low bits as they are nearest to the reference before.
int64_t OrderByCounts::countOf(uint32_t low, int bits, bool isReference) {
  const int64_t range = int64_t{1} << bits;
  const int64_t before = reference_.value_or(low);
  const int64_t beforeLow = ((before % range) + range) % range;
  int64_t count = before - beforeLow + low;
  if (low < beforeLow && beforeLow - low >= range / 2) count += range;
  if (low > beforeLow && low - beforeLow > range / 2) count -= range;
  if (isReference || !reference_) reference_ = count;
  return count;
}

void OrderByTypes::skip() {
  if (held_) show(*held_);
  held_.reset();
  keys_.push_back(kUnknown);
}

std::vector<int64_t> OrderByTypes::finish() {
  if (held_) show(*held_);
  held_.reset();
  return std::move(keys_);
}

void OrderByTypes::place(bool shownAtOnce) {
  const size_t newest = keys_.size() - 1;
  if (shownAtOnce) return show(newest);
  if (held_) show(*held_);
  held_ = newest;
}

}  // namespace cps
