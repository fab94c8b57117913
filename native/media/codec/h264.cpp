#include "media/codec/h264.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "media/codec/bit_reader.h"
#include "media/codec/bitstream.h"
#include "media/codec/nal_units.h"
#include "media/codec/picture_order_kinds.h"

namespace cps {

extern const CodecRules kH264Rules;

namespace {

enum H264Nal { kH264Slice = 1, kH264PartA = 2, kH264PartC = 4, kH264Idr = 5, kH264Sei = 6 };
constexpr int kH264Sps = 7, kH264Pps = 8;

bool isH264IntraSlice(std::span<const uint8_t> nal) {
  BitReader r(nal.subspan(1));
  r.ue();  // first_mb_in_slice
  const uint32_t type = r.ue() % 5;
  return !r.ended() && (type == 2 || type == 4);
}

// With one reference frame at most, the newest reference picture is the only one: each is marked as
// one when it is decoded, whatever its marking commands say of those before.
PictureReferences referencesOf(PacketBytes packet, const BitstreamFormat& format) {
  bool slices = false, predicted = false, clear = true, reference = true;
  forEachNal(packet, format.lengthBytes, [&](std::span<const uint8_t> nal) {
    const int type = nal[0] & 31;
    if (type >= kH264PartA && type <= kH264PartC) clear = false;
    if (type != kH264Slice && type != kH264Idr) return true;
    slices = true;
    reference = reference && (nal[0] >> 5 & 3) != 0;
    BitReader r(nal.subspan(1));
    r.ue();  // first_mb_in_slice
    const uint32_t slice = r.ue() % 5, set = r.ue();
    predicted = predicted || slice == 0;
    const int id = set < format.h264.sequenceOf.size() ? format.h264.sequenceOf[set] : -1;
    if (r.ended() || id < 0 || (slice != 0 && slice != 2)) return clear = false;
    const H264Sequence& s = format.h264.sequence[static_cast<size_t>(id)];
    clear = clear && s.known && s.framesOnly && !s.gaps && !s.cutsTopOrLeft &&
            s.mostReferences >= 0 && s.mostReferences <= 1;
    return clear;
  });
  if (!slices || !clear) return {};
  return {predicted ? RefersTo::TheOneReference : RefersTo::Nothing, reference};
}

// Looks for a message of this type in an SEI unit. Its size, with the reader at its payload.
std::optional<uint32_t> findSei(BitReader& r, uint32_t wanted) {
  while (!r.ended()) {
    uint32_t type = 0, size = 0, byte;
    do type += byte = r.bits(8);
    while (byte == 255 && !r.ended());
    do size += byte = r.bits(8);
    while (byte == 255 && !r.ended());
    if (r.ended()) return std::nullopt;
    if (type == wanted) return size;
    for (uint32_t i = 0; i < size && !r.ended(); ++i) r.bits(8);
  }
  return std::nullopt;
}

// A recovery point message in this SEI unit.
struct RecoveryPoint {
  uint32_t frames;  // recovery_frame_cnt
  bool exact;       // exact_match_flag
};
std::optional<RecoveryPoint> recoveryPointIn(std::span<const uint8_t> nal) {
  constexpr uint32_t kRecoveryPoint = 6;
  BitReader r(nal.subspan(1));
  if (!findSei(r, kRecoveryPoint)) return std::nullopt;
  const uint32_t frames = r.ue();
  const bool exact = r.bit() != 0;
  if (r.ended()) return std::nullopt;
  return RecoveryPoint{frames, exact};
}

// N of "x264 - core N" in an unregistered message of this SEI unit, or -1.
int x264Build(std::span<const uint8_t> nal) {
  constexpr uint32_t kUnregistered = 5, kUuidBytes = 16;
  constexpr std::string_view kName = "x264 - core ";
  BitReader r(nal.subspan(1));
  const std::optional<uint32_t> size = findSei(r, kUnregistered);
  if (!size || *size < kUuidBytes + kName.size() + 4) return -1;
  for (uint32_t i = 0; i < kUuidBytes; ++i) r.bits(8);
  for (const char c : kName) {
    if (r.bits(8) != static_cast<uint8_t>(c)) return -1;
  }
  int build = 0, digits = 0;
  for (uint32_t c = r.bits(8); digits++ < 6 && c >= '0' && c <= '9'; c = r.bits(8)) {
    build = 10 * build + static_cast<int>(c - '0');
  }
  return build > 0 ? build : -1;
}

// IDR, or a recovery point with recovery_frame_cnt 0 whose slices are all intra (open GOP; intra
// refresh has a larger count and is no entry).
bool isEntry(PacketBytes packet, const BitstreamFormat& format) {
  bool idr = false, recovery = false, slices = false, intra = true;
  const bool whole = forEachNal(packet, format.lengthBytes, [&](std::span<const uint8_t> nal) {
    const int type = nal[0] & 31;
    if (type == kH264Idr) {
      idr = true;
      return false;
    }
    if (type == kH264Sei) {
      const std::optional<RecoveryPoint> point = recoveryPointIn(nal);
      recovery = recovery || (point && point->frames == 0);
    }
    if (type >= kH264Slice && type <= kH264PartC) {
      slices = true;
      intra = intra && type <= kH264PartA && isH264IntraSlice(nal);
    }
    return true;
  });
  return idr || (whole && recovery && slices && intra);
}

// nal_ref_idc 0 in every slice.
bool isH264Droppable(PacketBytes packet, const BitstreamFormat& format) {
  bool slices = false, referenced = false;
  const bool whole = forEachNal(packet, format.lengthBytes, [&](std::span<const uint8_t> nal) {
    const int type = nal[0] & 31;
    if (type >= kH264Slice && type <= kH264Idr) {
      slices = true;
      referenced = referenced || type == kH264Idr || (nal[0] & 0x60) != 0;
    } else if (type == kH264Sps || type == kH264Pps) {
      referenced = true;  // parameter sets that later pictures may need
    }
    return !referenced;
  });
  return whole && slices && !referenced;
}

// Recorders that write 1920x1088 without cropping and 1920x1080 into the container: FFmpeg's
// decoder takes the container's word for less than a block, where the stream cuts nothing off.
PictureSize decodedSize(const BitstreamFormat& format, PictureSize ofHeaders,
                        PictureSize ofContainer) {
  const auto [width, height] = ofContainer;
  if (width <= 0 || height <= 0) return ofHeaders;
  if (width > ofHeaders.width || height > ofHeaders.height) return ofHeaders;
  const auto blocks = [](int side) { return (side + 15) / 16; };
  for (const H264Sequence& sequence : format.h264.sequence) {
    if (!sequence.known || sequence.cutsTopOrLeft) continue;
    if (sequence.width != ofHeaders.width || sequence.height != ofHeaders.height) continue;
    if (blocks(width) == blocks(ofHeaders.width) && blocks(height) == blocks(ofHeaders.height)) {
      return ofContainer;
    }
  }
  return ofHeaders;
}

class H264Order final : public OrderByCounts {
 public:
  explicit H264Order(const AVCodecParameters& parameters) : OrderByCounts(parameters) {}
  bool mayReorder() const override { return mayReorderIn(format_.h264.sequence); }

 private:
  int64_t keyIn(PacketBytes packet) override;
  int64_t keyOfSlice(PacketBytes nal);
};

int64_t H264Order::keyIn(PacketBytes packet) {
  readH264Headers(packet, format_.lengthBytes, format_.h264);
  int64_t key = kNoPicture;
  forEachNalOfHead(packet, format_.lengthBytes, [&](PacketBytes nal) {
    const int type = nal[0] & 31;
    if (type != kH264Slice && type != kH264PartA && type != kH264Idr) return true;
    key = keyOfSlice(nal);
    return false;
  });
  return key;
}

// A picture that resets the counts without being an IDR (memory_management_control_operation 5) is
// not recognised: its successors seem to be out of order, and decoding decides.
int64_t H264Order::keyOfSlice(PacketBytes nal) {
  const bool idr = (nal[0] & 31) == kH264Idr, reference = (nal[0] & 0x60) != 0;
  BitReader r(nal.subspan(1));
  r.ue();  // first_mb_in_slice
  r.ue();  // slice_type
  const uint32_t set = r.ue();
  const int id = set < format_.h264.sequenceOf.size() ? format_.h264.sequenceOf[set] : -1;
  if (id < 0) return kUnknown;
  const H264Sequence& sequence = format_.h264.sequence[static_cast<size_t>(id)];
  if (!sequence.known) return kUnknown;
  if (!sequence.framesOnly) {
    onlyDecodingTells_ = true;  // two packets may be the fields of one frame
    return kUnknown;
  }
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

constexpr NalRules kNal = {
    .isSlice =
        [](uint8_t header) {
          const int type = header & 31;
          return type >= kH264Slice && type <= kH264Idr;
        },
    .isParameterSet =
        [](uint8_t header) {
          const int type = header & 31;
          return type == kH264Sps || type == kH264Pps;
        },
    .isAside =
        [](uint8_t header) {
          constexpr int kLastAside = 13;
          const int type = header & 31;
          return type >= kH264Sei && type <= kLastAside;
        },
    .visitExtradata = [](PacketBytes extradata,
                         const auto& visit) { forEachH264ExtradataUnit(extradata, visit); },
};

}  // namespace

constinit const CodecRules kH264Rules = {
    .onePicturePerPacket = true,
    .trustsKeyFlags = false,
    .numbersReferences = true,
    .frameThreads = true,
    .flushForgets = true,
    .explodes = true,
    .mayJump = true,
    .dropsLeading = true,
    .marks = true,
    .concealsOverMarks = true,
    .isEntry = isEntry,
    .isDroppable = isH264Droppable,
    .holdsPicture = nalHoldsPicture,
    .references = referencesOf,
    .encoderBuild =
        [](PacketBytes packet, const BitstreamFormat& format) {
          return h264EncoderBuild(packet, format.lengthBytes);
        },
    .readExtradata =
        [](PacketBytes extradata, BitstreamFormat& format) {
          format.lengthBytes = h264LengthBytes(extradata);
          readH264Extradata(extradata, format.h264);
        },
    .followHeaders =
        [](PacketBytes packet, BitstreamFormat& format) {
          readH264Headers(packet, format.lengthBytes, format.h264);
        },
    .wholeFrames =
        [](const BitstreamFormat& format) { return h264FramesOnly(format.h264).value_or(false); },
    .decodedSize = decodedSize,
    .streamHeaders = [](PacketBytes extradata) { return extradata; },
    .elementaryFilter = "h264_mp4toannexb",
    .nal = &kNal,
    .pictureOrder = [](const AVCodecParameters& parameters) -> std::unique_ptr<PictureOrder> {
      return std::make_unique<H264Order>(parameters);
    },
};

int h264EncoderBuild(std::span<const uint8_t> packet, int lengthBytes) {
  int build = -1;
  forEachNal(packet, lengthBytes, [&](std::span<const uint8_t> nal) {
    const int type = nal[0] & 31;
    if (type == kH264Sei) build = std::max(build, x264Build(nal));
    return type < kH264Slice || type > kH264Idr;
  });
  return build;
}

bool H264PictureNumbers::follows(std::span<const uint8_t> packet, int lengthBytes,
                                 const H264Headers& headers) {
  bool follows = true;
  sequence_ = {};
  number_ = kNone;
  refreshesIn_ = 0;
  const auto readSet = [&](BitReader& r) {
    r.ue();  // first_mb_in_slice
    r.ue();  // slice_type
    const uint32_t set = r.ue();
    const int id = set < headers.sequenceOf.size() ? headers.sequenceOf[set] : -1;
    if (id >= 0) sequence_ = headers.sequence[static_cast<size_t>(id)];
  };
  forEachNal(packet, lengthBytes, [&](std::span<const uint8_t> nal) {
    const int type = nal[0] & 31;
    if (type == kH264Sei) {
      const std::optional<RecoveryPoint> point = recoveryPointIn(nal);
      if (point && point->exact) refreshesIn_ = point->frames;
    }
    if (type == kH264Idr) {
      reference_ = number_ = 0;
      BitReader r(nal.subspan(1));
      readSet(r);
      return false;
    }
    if (type != kH264Slice && type != kH264PartA) return true;
    BitReader r(nal.subspan(1));
    readSet(r);
    if (!sequence_.known) {
      reference_ = kNone;
      return false;
    }
    if (sequence_.separatePlanes) r.bits(2);
    const uint32_t number = r.bits(sequence_.frameNumBits);
    if (r.ended()) return false;  // the decoder will complain
    const uint32_t expected = (reference_ + 1) & ((1u << sequence_.frameNumBits) - 1);
    follows = sequence_.gaps || reference_ == kNone || number <= 1 || number == reference_ ||
              number == expected;
    const bool isReference = (nal[0] & 0x60) != 0;
    if (isReference || !follows) reference_ = number;
    if (isReference) number_ = number;
    return false;
  });
  return follows;
}

int32_t H264Refreshes::endedBy(int32_t ordinal, const H264PictureNumbers& numbers) {
  const std::optional<uint32_t> number = numbers.referenceNumber();
  if (!number) return -1;
  int32_t from = -1;
  std::erase_if(open_, [&](const Open& open) {
    if (open.number != *number) return false;
    from = std::max(from, open.from);
    return true;
  });
  const H264Sequence& sequence = numbers.sequence();
  if (numbers.refreshesIn() == 0 || !sequence.framesOnly || sequence.gaps) return from;
  constexpr size_t kMost = 32;  // encoders have one at a time
  if (open_.size() == kMost) open_.erase(open_.begin());
  const uint32_t mask = (1u << sequence.frameNumBits) - 1;
  open_.push_back({ordinal, (*number + numbers.refreshesIn()) & mask});
  return from;
}

}  // namespace cps
