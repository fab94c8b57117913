#include <algorithm>
#include <array>

#include "media/codec/bit_reader.h"
#include "media/codec/bitstream.h"
#include "media/codec/nal_units.h"
#include "media/codec/picture_order_kinds.h"

namespace cps {

extern const CodecRules kHevcRules;

namespace {

// nal_unit_type of the first slice; -1 when there is none.
int firstSliceType(PacketBytes packet, int lengthBytes) {
  int slice = -1;
  forEachNal(packet, lengthBytes, [&](PacketBytes nal) {
    const int type = (nal[0] >> 1) & 63;
    if (type >= 32) return true;
    slice = type;
    return false;
  });
  return slice;
}

bool isEntry(PacketBytes packet, const BitstreamFormat& format) {  // IRAP
  const int type = firstSliceType(packet, format.lengthBytes);
  return type >= 16 && type <= 21;
}

bool isRasl(PacketBytes packet, const BitstreamFormat& format) {
  const int type = firstSliceType(packet, format.lengthBytes);
  return type == 8 || type == 9;  // RASL_N, RASL_R
}

// Sub-layer non-reference pictures of the highest sub-layer.
bool isHevcDroppable(PacketBytes packet, const BitstreamFormat& format) {
  if (format.hevcSubLayers < 1) return false;
  bool slices = false, referenced = false;
  const bool whole = forEachNal(packet, format.lengthBytes, [&](PacketBytes nal) {
    if (nal.size() < 2) {
      referenced = true;
      return false;
    }
    const int type = (nal[0] >> 1) & 63;
    const int temporalId = (nal[1] & 7) - 1;
    const int layer = (nal[0] & 1) << 5 | nal[1] >> 3;
    if (type < 32) {
      slices = true;
      if (type >= 16 || type % 2 != 0 || temporalId != format.hevcSubLayers - 1 || layer != 0) {
        referenced = true;
      }
    } else if (type <= 34) {
      referenced = true;  // VPS, SPS, PPS
    }
    return !referenced;
  });
  return whole && slices && !referenced;
}

// The number of sub-layers that hvcC or an Annex B SPS declares.
int subLayers(PacketBytes extra, int lengthBytes) {
  if (lengthBytes > 0) return extra.size() > 21 ? (extra[21] >> 3) & 7 : 0;
  int layers = 0;
  forEachNal(extra, 0, [&](PacketBytes nal) {
    constexpr int kSps = 33;
    if (nal.size() > 2 && ((nal[0] >> 1) & 63) == kSps)
      layers = std::max(layers, ((nal[2] >> 1) & 7) + 1);
    return true;
  });
  return layers;
}

// Whether the last unit of a HEVC packet is an end of sequence: two bytes behind a start code or a
// length.
bool endsSequence(PacketBytes d) {
  constexpr uint8_t kUnit[] = {36 << 1, 1};
  if (d.size() < 6 || !std::equal(d.end() - 2, d.end(), kUnit)) return false;
  return d[d.size() - 5] == 0 && d[d.size() - 4] == 0 &&
         (d[d.size() - 3] == 1 || d[d.size() - 3] == 2);
}

class HevcOrder final : public OrderByCounts {
 public:
  explicit HevcOrder(const AVCodecParameters& parameters);
  bool add(PacketBytes packet) override;
  bool mayReorder() const override { return mayReorderIn(sequences_); }

 private:
  struct Sequence {
    bool known = false;
    bool separatePlanes = false;
    int orderBits = 0;
    int mostReordered = -1;
  };
  struct PictureSet {
    bool known = false;
    bool outputFlag = false;
    int extraBits = 0;
    uint32_t sequence = 0;
  };

  int64_t keyIn(PacketBytes packet) override;
  int64_t keyOfSlice(PacketBytes nal);
  void readHeaders(PacketBytes nal);
  void readSequence(PacketBytes nal);
  void readPictureSet(PacketBytes nal);

  std::array<Sequence, 16> sequences_;
  std::array<PictureSet, 64> pictureSets_;
  bool ended_ = false;         // a sequence: what follows begins as if nothing had been before
  bool skipsLeading_ = false;  // leading pictures of the entry point before are not shown
};

HevcOrder::HevcOrder(const AVCodecParameters& parameters) : OrderByCounts(parameters) {
  const PacketBytes extra(parameters.extradata, static_cast<size_t>(parameters.extradata_size));
  forEachHevcExtradataUnit(extra, [this](PacketBytes nal) {
    readHeaders(nal);
    return true;
  });
  ended_ = false;
}

bool HevcOrder::add(PacketBytes packet) {
  const bool picture = OrderByCounts::add(packet);
  ended_ = ended_ || endsSequence(packet);
  return picture;
}

int64_t HevcOrder::keyIn(PacketBytes packet) {
  int64_t key = kNoPicture;
  forEachNalOfHead(packet, format_.lengthBytes, [&](PacketBytes nal) {
    if (nal.size() < 3) return true;
    const int layer = (nal[0] & 1) << 5 | nal[1] >> 3;
    if (layer != 0) return true;
    readHeaders(nal);
    constexpr int kFirstOfNoSlice = 32;
    if (((nal[0] >> 1) & 63) >= kFirstOfNoSlice) return true;
    key = keyOfSlice(nal);
    return false;
  });
  return key;
}

void HevcOrder::readHeaders(PacketBytes nal) {
  constexpr int kSequence = 33, kPictures = 34, kEndOfSequence = 36, kEndOfStream = 37;
  if (nal.size() < 2) return;
  const int type = (nal[0] >> 1) & 63;
  if (type == kSequence) readSequence(nal);
  if (type == kPictures) readPictureSet(nal);
  if (type == kEndOfSequence || type == kEndOfStream) ended_ = true;
}

void HevcOrder::readSequence(PacketBytes nal) {
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
  Sequence sequence;
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

void HevcOrder::readPictureSet(PacketBytes nal) {
  BitReader r(nal.subspan(2));
  PictureSet set;
  const uint32_t id = r.ue();
  set.sequence = r.ue();
  r.bit();  // dependent slices
  set.outputFlag = r.bit() != 0;
  set.extraBits = static_cast<int>(r.bits(3));
  set.known = true;
  if (!r.ended() && id < pictureSets_.size()) pictureSets_[id] = set;
}

int64_t HevcOrder::keyOfSlice(PacketBytes nal) {
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
  const PictureSet& set = pictureSets_[id];
  if (!set.known || set.sequence >= sequences_.size()) return kUnknown;
  const Sequence& sequence = sequences_[set.sequence];
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

constexpr int typeOf(uint8_t header) { return (header >> 1) & 63; }

constexpr NalRules kNal = {
    .isSlice = [](uint8_t header) { return typeOf(header) < 32; },
    .isParameterSet =
        [](uint8_t header) {
          return typeOf(header) >= 32 && typeOf(header) <= 34;  // VPS, SPS, PPS
        },
    .isAside = [](uint8_t header) { return typeOf(header) >= 32 && typeOf(header) <= 40; },
    .visitExtradata = [](PacketBytes extradata,
                         const auto& visit) { forEachHevcExtradataUnit(extradata, visit); },
};

}  // namespace

constinit const CodecRules kHevcRules = {
    .onePicturePerPacket = true,
    .trustsKeyFlags = false,
    .frameThreads = true,
    .flushForgets = true,
    .explodes = true,
    .mayJump = true,
    .marks = true,
    .concealsOverMarks = true,
    .makesReferencesUp = true,
    .makesThemUpAgain = LIBAVCODEC_VERSION_MAJOR >= 60,
    .isEntry = isEntry,
    .isDroppable = isHevcDroppable,
    .isSkippedLeading = isRasl,
    .holdsPicture = nalHoldsPicture,
    .readExtradata =
        [](PacketBytes extradata, BitstreamFormat& format) {
          if (isHvcc(extradata)) format.lengthBytes = (extradata[21] & 3) + 1;
          format.hevcSubLayers = subLayers(extradata, format.lengthBytes);
        },
    .streamHeaders = [](PacketBytes extradata) { return extradata; },
    .elementaryFilter = "hevc_mp4toannexb",
    .nal = &kNal,
    .pictureOrder = [](const AVCodecParameters& parameters) -> std::unique_ptr<PictureOrder> {
      return std::make_unique<HevcOrder>(parameters);
    },
};

}  // namespace cps
