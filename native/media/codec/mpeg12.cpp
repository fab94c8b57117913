#include <optional>

#include "media/codec/bitstream.h"
#include "media/codec/nal_units.h"
#include "media/codec/picture_order_kinds.h"

namespace cps {

extern const CodecRules kMpeg12Rules;

namespace {

bool isEntry(PacketBytes d, const BitstreamFormat& /*format*/) {
  for (size_t at = findStartCode(d, 0); at + 5 < d.size(); at = findStartCode(d, at + 3)) {
    if (d[at + 3] == 0x00) return (d[at + 5] >> 3 & 7) == 1;  // picture_coding_type I
  }
  return true;
}

bool holdsBPictures(PacketBytes d, const BitstreamFormat& /*format*/) {
  constexpr int kBPicture = 3;
  bool pictures = false;
  for (size_t at = findStartCode(d, 0); at + 5 < d.size(); at = findStartCode(d, at + 3)) {
    const int code = d[at + 3];
    if (code == 0xB3 || code == 0xB8) return false;  // sequence or group header
    if (code == 0x00) {
      if (((d[at + 5] >> 3) & 7) != kBPicture) return false;
      pictures = true;
    }
    if (code >= 0x01 && code <= 0xAF) break;  // slices begin; the header is read
  }
  return pictures;
}

// Whole frames that are predicted frame-wise, all from one picture: in one with field prediction
// vectors lead to fields, and those of scalable layers to pictures of another stream.
PictureReferences referencesOf(PacketBytes d, const BitstreamFormat& /*format*/) {
  constexpr int kPicture = 0x00, kExtension = 0xB5, kFirstSlice = 0x01, kLastSlice = 0xAF;
  constexpr int kCodingExtension = 8, kSpatial = 9, kTemporal = 10, kWholeFrame = 3;
  constexpr int kFramePrediction = 0x40, kIntra = 1, kPredicted = 2;
  std::optional<int> type;
  bool slices = false;
  for (size_t at = findStartCode(d, 0); at + 4 < d.size(); at = findStartCode(d, at + 3)) {
    const int code = d[at + 3];
    if (code == kPicture) {
      if (type || at + 5 >= d.size()) return {};  // two pictures, or fields
      type = d[at + 5] >> 3 & 7;
    } else if (code == kExtension && type && !slices) {
      const int kind = d[at + 4] >> 4;
      if (kind == kSpatial || kind == kTemporal || at + 7 >= d.size()) return {};
      const bool frames = (d[at + 6] & 3) == kWholeFrame && (d[at + 7] & kFramePrediction) != 0;
      if (kind == kCodingExtension && !frames) return {};
    } else if (code >= kFirstSlice && code <= kLastSlice) {
      slices = true;
    }
  }
  if (!type || !slices) return {};
  if (*type == kIntra) return {RefersTo::Nothing, true};
  if (*type == kPredicted) return {RefersTo::TheOneReference, true};
  return {};
}

class Mpeg12Order final : public OrderByTypes {
 public:
  bool add(PacketBytes packet) override;
};

bool Mpeg12Order::add(PacketBytes d) {
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

}  // namespace

// It has no frame threads, and where it conceals it sets the flag that says so; left to itself it
// would give out whole slices whose end shows that they are wrong. It does not forget: a colour
// description stays in force until the next, which need not come.
constinit const CodecRules kMpeg12Rules = {
    .onePicturePerPacket = true,
    .frameThreads = true,
    .mayJump = true,
    .marks = true,
    .emptiesWithoutVectors = true,
    .losesHeldAtChange = true,
    .isEntry = isEntry,
    .isDroppable = holdsBPictures,
    .references = referencesOf,
    .streamHeaders = [](PacketBytes extradata) { return extradata; },
    .pictureOrder = [](const AVCodecParameters&) -> std::unique_ptr<PictureOrder> {
      return std::make_unique<Mpeg12Order>();
    },
};

}  // namespace cps
