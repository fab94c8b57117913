#include "media/codec/picture_order.h"

#include <algorithm>

#include "media/codec/bit_reader.h"
#include "media/codec/nal_units.h"

namespace cps {
namespace {

constexpr int64_t kCountsPerSequence = int64_t{1} << 34;

// Whether the last unit of a HEVC packet is an end of sequence: two bytes behind a start code or a
// length.
bool endsSequence(std::span<const uint8_t> d) {
  constexpr uint8_t kUnit[] = {36 << 1, 1};
  if (d.size() < 6 || !std::equal(d.end() - 2, d.end(), kUnit)) return false;
  return d[d.size() - 5] == 0 && d[d.size() - 4] == 0 &&
         (d[d.size() - 3] == 1 || d[d.size() - 3] == 2);
}

}  // namespace

PictureOrder::PictureOrder(const AVCodecParameters& parameters)
    : format_(bitstreamFormat(parameters)) {
  if (format_.codec != AV_CODEC_ID_HEVC) return;
  readHevcExtradata({parameters.extradata, static_cast<size_t>(parameters.extradata_size)});
  ended_ = false;
}

bool PictureOrder::isToldBy(AVCodecID codec) {
  switch (codec) {
    case AV_CODEC_ID_H264:
    case AV_CODEC_ID_HEVC:
    case AV_CODEC_ID_MPEG1VIDEO:
    case AV_CODEC_ID_MPEG2VIDEO:
    case AV_CODEC_ID_MPEG4:
      return true;
    default:
      return false;
  }
}

bool PictureOrder::add(std::span<const uint8_t> packet) {
  if (format_.codec == AV_CODEC_ID_MPEG4) return addMpeg4(packet);
  const bool h264 = format_.codec == AV_CODEC_ID_H264;
  if (!h264 && format_.codec != AV_CODEC_ID_HEVC) return addMpeg12(packet);
  // Looking for the end of the first slice of a large packet would be most of the work.
  const std::span<const uint8_t> head = packet.first(std::min(packet.size(), kHeadBytes));
  const auto keyIn = [&](std::span<const uint8_t> bytes) {
    return h264 ? h264Key(bytes) : hevcKey(bytes);
  };
  int64_t key = keyIn(head);
  if (key == kNoPicture && head.size() < packet.size()) key = keyIn(packet);
  keys_.push_back(key);
  if (!h264) ended_ = ended_ || endsSequence(packet);
  return key != kNoPicture;
}

void PictureOrder::skip() {
  if (held_) show(*held_);
  held_.reset();
  restart();
  keys_.push_back(kUnknown);
}

bool PictureOrder::mayReorder() const {
  if (format_.codec == AV_CODEC_ID_H264) {
    const auto& sets = format_.h264.sequence;
    return std::none_of(sets.begin(), sets.end(), [](const auto& s) { return s.known; }) ||
           std::any_of(sets.begin(), sets.end(),
                       [](const auto& s) { return s.known && s.mostReordered != 0; });
  }
  if (format_.codec == AV_CODEC_ID_HEVC) {
    return std::none_of(sequences_.begin(), sequences_.end(),
                        [](const auto& s) { return s.known; }) ||
           std::any_of(sequences_.begin(), sequences_.end(),
                       [](const auto& s) { return s.known && s.mostReordered != 0; });
  }
  return true;
}

std::vector<int64_t> PictureOrder::finish() {
  if (held_) show(*held_);
  held_.reset();
  return std::move(keys_);
}

// H.264 and HEVC

void PictureOrder::restart() {
  ++sequence_;
  decoded_ = 0;
  reference_.reset();
}

int64_t PictureOrder::keyOf(int64_t count) const { return sequence_ * kCountsPerSequence + count; }

// H.264 8.2.1.1, HEVC 8.3.1: the low bits as they are nearest to the reference before.
int64_t PictureOrder::countOf(uint32_t low, int bits, bool isReference) {
  const int64_t range = int64_t{1} << bits;
  const int64_t before = reference_.value_or(low);
  const int64_t beforeLow = ((before % range) + range) % range;
  int64_t count = before - beforeLow + low;
  if (low < beforeLow && beforeLow - low >= range / 2) count += range;
  if (low > beforeLow && low - beforeLow > range / 2) count -= range;
  if (isReference || !reference_) reference_ = count;
  return count;
}

int64_t PictureOrder::h264Key(std::span<const uint8_t> packet) {
  readH264Headers(packet, format_.lengthBytes, format_.h264);
  int64_t key = kNoPicture;
  forEachNalOfHead(packet, format_.lengthBytes, [&](std::span<const uint8_t> nal) {
    const int type = nal[0] & 31;
    constexpr int kSlice = 1, kPartA = 2, kIdr = 5;
    if (type != kSlice && type != kPartA && type != kIdr) return true;
    key = h264SliceKey(nal);
    return false;
  });
  return key;
}

// A picture that resets the counts without being an IDR (memory_management_control_operation 5) is
// not recognised: its successors seem to be out of order, and decoding decides.
int64_t PictureOrder::h264SliceKey(std::span<const uint8_t> nal) {
  constexpr int kIdr = 5;
  const bool idr = (nal[0] & 31) == kIdr, reference = (nal[0] & 0x60) != 0;
  BitReader r(nal.subspan(1));
  r.ue();  // first_mb_in_slice
  r.ue();  // slice_type
  const uint32_t set = r.ue();
  const int id = set < format_.h264.sequenceOf.size() ? format_.h264.sequenceOf[set] : -1;
  if (id < 0) return kUnknown;
  const H264Sequence& sequence = format_.h264.sequence[static_cast<size_t>(id)];
  if (!sequence.known || !sequence.framesOnly) return kUnknown;
  if (idr) restart();
  ++decoded_;
  if (sequence.separatePlanes) r.bits(2);
  r.bits(sequence.frameNumBits);
  if (idr) r.ue();  // idr_pic_id
  if (sequence.orderType == 2) return keyOf(decoded_);
  if (sequence.orderType != 0) return kUnknown;
  const uint32_t low = r.bits(sequence.orderBits);
  return r.ended() ? kUnknown : keyOf(countOf(low, sequence.orderBits, reference));
}

int64_t PictureOrder::hevcKey(std::span<const uint8_t> packet) {
  int64_t key = kNoPicture;
  forEachNalOfHead(packet, format_.lengthBytes, [&](std::span<const uint8_t> nal) {
    if (nal.size() < 3) return true;
    const int layer = (nal[0] & 1) << 5 | nal[1] >> 3;
    if (layer != 0) return true;
    readHevcHeaders(nal);
    constexpr int kFirstOfNoSlice = 32;
    if (((nal[0] >> 1) & 63) >= kFirstOfNoSlice) return true;
    key = hevcSliceKey(nal);
    return false;
  });
  return key;
}

void PictureOrder::readHevcExtradata(std::span<const uint8_t> extra) {
  const auto read = [&](std::span<const uint8_t> nal) {
    readHevcHeaders(nal);
    return true;
  };
  if (format_.lengthBytes == 0) {
    forEachNal(extra, 0, read);
    return;
  }
  // hvcC: a count of arrays; each a type, a 16-bit count and units with a 16-bit size.
  size_t at = 22;
  const auto two = [&] {
    const size_t v = size_t{extra[at]} << 8 | extra[at + 1];
    at += 2;
    return v;
  };
  if (at >= extra.size()) return;
  for (int arrays = extra[at++]; arrays > 0 && at + 3 <= extra.size(); --arrays) {
    ++at;
    for (size_t units = two(); units > 0 && at + 2 <= extra.size(); --units) {
      const size_t size = two();
      if (size > extra.size() - at) return;
      read(extra.subspan(at, size));
      at += size;
    }
  }
}

void PictureOrder::readHevcHeaders(std::span<const uint8_t> nal) {
  constexpr int kSequence = 33, kPictures = 34, kEndOfSequence = 36, kEndOfStream = 37;
  if (nal.size() < 2) return;
  const int type = (nal[0] >> 1) & 63;
  if (type == kSequence) readHevcSequence(nal);
  if (type == kPictures) readHevcPictureSet(nal);
  if (type == kEndOfSequence || type == kEndOfStream) ended_ = true;
}

void PictureOrder::readHevcSequence(std::span<const uint8_t> nal) {
  BitReader r(nal.subspan(2));
  r.bits(4);
  const uint32_t lastLayer = r.bits(3);
  r.bit();
  for (int i = 0; i < 12; ++i) r.bits(8);  // general profile, tier and level
  uint32_t present = 0;
  for (uint32_t i = 0; i < lastLayer; ++i) present = present << 2 | r.bits(2);
  if (lastLayer > 0) r.bits(static_cast<int>(2 * (8 - lastLayer)));
  for (uint32_t i = 0; i < lastLayer; ++i) {
    const uint32_t flags = present >> (2 * (lastLayer - 1 - i));
    for (int bytes = (flags & 2 ? 11 : 0) + (flags & 1 ? 1 : 0); bytes > 0; --bytes) r.bits(8);
  }
  const uint32_t id = r.ue();
  HevcSequence sequence;
  constexpr uint32_t kChroma444 = 3;
  if (r.ue() == kChroma444) sequence.separatePlanes = r.bit() != 0;
  r.ue();
  r.ue();         // size
  if (r.bit()) {  // conformance window
    for (int i = 0; i < 4; ++i) r.ue();
  }
  r.ue();
  r.ue();  // bit depths
  const uint32_t orderBits = r.ue() + 4;
  const bool perLayer = r.bit() != 0;
  uint32_t most = 0;
  for (uint32_t i = perLayer ? 0 : lastLayer; i <= lastLayer; ++i) {
    r.ue();
    most = std::max(most, r.ue());
    r.ue();
  }
  if (r.ended() || id >= sequences_.size() || orderBits > 16) return;
  sequence.known = true;
  sequence.orderBits = static_cast<int>(orderBits);
  sequence.mostReordered = static_cast<int>(std::min<uint32_t>(most, 16));
  sequences_[id] = sequence;
}

void PictureOrder::readHevcPictureSet(std::span<const uint8_t> nal) {
  BitReader r(nal.subspan(2));
  HevcPictureSet set;
  const uint32_t id = r.ue();
  set.sequence = r.ue();
  r.bit();  // dependent slices
  set.outputFlag = r.bit() != 0;
  set.extraBits = static_cast<int>(r.bits(3));
  set.known = true;
  if (!r.ended() && id < pictureSets_.size()) pictureSets_[id] = set;
}

int64_t PictureOrder::hevcSliceKey(std::span<const uint8_t> nal) {
  constexpr int kFirstLeading = 6, kFirstSkipped = 8, kLastLeading = 9, kLastSubLayer = 14;
  constexpr int kFirstEntry = 16, kLastBroken = 18, kFirstIdr = 19, kLastIdr = 20, kLastEntry = 23;
  const int type = (nal[0] >> 1) & 63;
  const int temporalId = (nal[1] & 7) - 1;
  const bool idr = type >= kFirstIdr && type <= kLastIdr;
  const bool entry = type >= kFirstEntry && type <= kLastEntry;
  BitReader r(nal.subspan(2));
  const bool firstSlice = r.bit() != 0;
  const bool dropsPrior = entry && r.bit() != 0;
  const uint32_t id = r.ue();
  if (!firstSlice || id >= pictureSets_.size()) return kUnknown;
  const HevcPictureSet& set = pictureSets_[id];
  if (!set.known || set.sequence >= sequences_.size()) return kUnknown;
  const HevcSequence& sequence = sequences_[set.sequence];
  if (!sequence.known) return kUnknown;
  if (entry) {
    const bool begins = type <= kLastIdr || ended_ || decoded_ == 0;
    if (begins && !keys_.empty() && (dropsPrior || ended_)) onlyDecodingTells_ = true;
    if (begins) restart();
    skipsLeading_ = begins && !keys_.empty() && (type <= kLastBroken || ended_);
    ended_ = false;
  }
  ++decoded_;
  if (skipsLeading_ && type >= kFirstSkipped && type <= kLastLeading) onlyDecodingTells_ = true;
  r.bits(set.extraBits);
  r.ue();  // slice_type
  if (set.outputFlag && !r.bit()) onlyDecodingTells_ = true;
  if (sequence.separatePlanes) r.bits(2);
  const uint32_t low = idr ? 0 : r.bits(sequence.orderBits);
  const bool leading = type >= kFirstLeading && type <= kLastLeading;
  const bool subLayer = type <= kLastSubLayer && type % 2 == 0;
  const bool reference = temporalId == 0 && !leading && !subLayer;
  return r.ended() ? kUnknown : keyOf(countOf(low, sequence.orderBits, reference));
}

// MPEG-1, 2 and 4

void PictureOrder::place(bool shownAtOnce) {
  const size_t newest = keys_.size() - 1;
  if (shownAtOnce) return show(newest);
  if (held_) show(*held_);
  held_ = newest;
}

bool PictureOrder::addMpeg12(std::span<const uint8_t> d) {
  constexpr int kPicture = 0x00, kExtension = 0xB5, kLastSlice = 0xAF;
  constexpr int kCodingExtension = 8, kWholeFrame = 3, kBPicture = 3;
  std::optional<int> type;
  bool field = false;
  int pictures = 0;
  for (size_t at = findStartCode(d, 0); at + 6 < d.size(); at = findStartCode(d, at + 3)) {
    const int code = d[at + 3];
    if (code == kPicture) {
      ++pictures;
      if (!type) type = d[at + 5] >> 3 & 7;
    } else if (code == kExtension && pictures == 1 && d[at + 4] >> 4 == kCodingExtension) {
      field = (d[at + 6] & 3) != kWholeFrame;
    } else if (code <= kLastSlice && pictures > 0 && !field) {
      break;  // the slices of a frame; a field's partner is looked for behind them
    }
  }
  keys_.push_back(type ? kUnknown : kNoPicture);
  if (!type) return false;
  if (field && pictures == 1) onlyDecodingTells_ = true;
  place(*type == kBPicture);
  return true;
}

bool PictureOrder::addMpeg4(std::span<const uint8_t> packet) {
  const std::optional<VopType> type = soleVop(packet);
  keys_.push_back(kUnknown);
  if (!type) {
    onlyDecodingTells_ = true;
    return true;
  }
  place(*type == VopType::B);
  return true;
}

}  // namespace cps
