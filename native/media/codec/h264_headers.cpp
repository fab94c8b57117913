#include <algorithm>
#include <optional>

#include "media/codec/bit_reader.h"
#include "media/codec/h264.h"
#include "media/codec/nal_units.h"

namespace cps {
namespace {

constexpr int kH264Slice = 1, kH264Idr = 5, kH264Sps = 7, kH264Pps = 8;

void skipBufferParameters(BitReader& r) {  // hrd_parameters()
  const uint32_t count = r.ue() + 1;
  r.bits(8);
  for (uint32_t i = 0; i < count && !r.ended(); ++i) {
    r.ue();
    r.ue();
    r.bit();
  }
  r.bits(20);
}

// max_num_reorder_frames of the usability information (annex E.1.1); -1: not there.
int readMostReordered(BitReader& r) {
  constexpr uint32_t kExtendedAspect = 255, kMost = 16;
  if (r.bit() && r.bits(8) == kExtendedAspect) r.bits(32);
  if (r.bit()) r.bit();                             // overscan
  if (r.bit() && (r.bits(4) & 1) != 0) r.bits(24);  // video signal, colours
  if (r.bit()) {                                    // chroma location
    r.ue();
    r.ue();
  }
  if (r.bit()) {  // timing
    r.bits(32);
    r.bits(32);
    r.bit();
  }
  const bool network = r.bit() != 0;
  if (network) skipBufferParameters(r);
  const bool coded = r.bit() != 0;
  if (coded) skipBufferParameters(r);
  if (network || coded) r.bit();
  r.bit();  // pic_struct_present_flag
  if (!r.bit()) return -1;
  r.bit();
  for (int i = 0; i < 4; ++i) r.ue();
  const uint32_t most = r.ue();
  return r.ended() || most > kMost ? -1 : static_cast<int>(most);
}

void readSequence(std::span<const uint8_t> nal, H264Headers& headers) {
  BitReader r(nal.subspan(1));
  H264Sequence sequence;
  uint32_t chroma = 1;
  const uint32_t profile = r.bits(8);
  r.bits(16);  // constraints, level
  const uint32_t id = r.ue();
  static constexpr uint32_t kHigh[] = {100, 110, 122, 244, 44,  83, 86,
                                       118, 128, 138, 139, 134, 135};
  if (std::find(std::begin(kHigh), std::end(kHigh), profile) != std::end(kHigh)) {
    chroma = r.ue();
    if (chroma == 3) sequence.separatePlanes = r.bit() != 0;
    r.ue();
    r.ue();
    r.bit();
    if (r.bit()) {  // scaling matrices
      for (int i = 0; i < (chroma == 3 ? 12 : 8); ++i) {
        if (!r.bit()) continue;
        uint32_t last = 8, next = 8;
        for (int j = 0; j < (i < 6 ? 16 : 64); ++j) {
          if (next != 0) next = (last + static_cast<uint32_t>(r.se())) % 256;
          last = next == 0 ? last : next;
        }
      }
    }
  }
  const uint64_t frameNumBits = uint64_t{r.ue()} + 4;
  const uint32_t orderType = r.ue();
  uint64_t orderBits = 4;
  if (orderType == 0) {
    orderBits = uint64_t{r.ue()} + 4;
  } else if (orderType == 1) {
    r.bit();
    r.se();
    r.se();
    const uint32_t cycle = r.ue();
    for (uint32_t i = 0; i < cycle && i < 256; ++i) r.se();
  }
  sequence.mostReferences = static_cast<int>(std::min<uint32_t>(r.ue(), 16));
  sequence.gaps = r.bit() != 0;
  const uint64_t blocksWide = uint64_t{r.ue()} + 1, blocksHigh = uint64_t{r.ue()} + 1;
  sequence.framesOnly = r.bit() != 0;
  if (!sequence.framesOnly) r.bit();  // mb_adaptive_frame_field_flag
  r.bit();                            // direct_8x8_inference_flag
  uint32_t crop[4] = {};              // left, right, top, bottom
  if (r.bit()) {
    for (uint32_t& side : crop) side = r.ue();
  }
  constexpr uint64_t kMostBlocks = 4096;
  if (r.ended() || id >= headers.sequence.size() || frameNumBits > 16) return;
  if (blocksWide > kMostBlocks || blocksHigh > kMostBlocks || orderBits > 16) return;
  const int fields = sequence.framesOnly ? 1 : 2;
  sequence.codedWidth = static_cast<int>(blocksWide) * 16;
  sequence.codedHeight = static_cast<int>(blocksHigh) * 16 * fields;
  const bool planes = chroma == 0 || sequence.separatePlanes;  // CropUnitX, CropUnitY
  const int unitX = !planes && chroma < 3 ? 2 : 1, unitY = (!planes && chroma < 2 ? 2 : 1) * fields;
  const auto cut = [](uint32_t a, uint32_t b, int unit, int whole) {
    const uint64_t sum = (uint64_t{a} + b) * static_cast<uint64_t>(unit);
    return sum < static_cast<uint64_t>(whole) ? whole - static_cast<int>(sum) : whole;
  };
  sequence.cutsTopOrLeft = crop[0] > 0 || crop[2] > 0;
  sequence.width = cut(crop[0], crop[1], unitX, sequence.codedWidth);
  sequence.height = cut(crop[2], crop[3], unitY, sequence.codedHeight);
  sequence.known = true;
  sequence.frameNumBits = static_cast<int>(frameNumBits);
  sequence.orderType = static_cast<int>(std::min<uint32_t>(orderType, 3));
  sequence.orderBits = static_cast<int>(orderBits);
  constexpr uint32_t kBaseline = 66;
  if (orderType == 2 || profile == kBaseline) {
    sequence.mostReordered = 0;
  } else if (r.bit()) {
    sequence.mostReordered = readMostReordered(r);
  }
  headers.sequence[id] = sequence;
}

void readPictureSet(std::span<const uint8_t> nal, H264Headers& headers) {
  BitReader r(nal.subspan(1));
  const uint32_t id = r.ue();
  const uint32_t sequence = r.ue();
  if (r.ended() || id >= headers.sequenceOf.size() || sequence >= headers.sequence.size()) return;
  headers.sequenceOf[id] = static_cast<int8_t>(sequence);
}

void readUnit(std::span<const uint8_t> nal, H264Headers& headers) {
  const int type = nal[0] & 31;
  if (type == kH264Sps) readSequence(nal, headers);
  if (type == kH264Pps) readPictureSet(nal, headers);
}

}  // namespace

int h264LengthBytes(std::span<const uint8_t> extradata) {
  return extradata.size() >= 7 && extradata[0] == 1 ? (extradata[4] & 3) + 1 : 0;
}

void readH264Extradata(std::span<const uint8_t> extradata, H264Headers& headers) {
  forEachH264ExtradataUnit(extradata, [&](std::span<const uint8_t> unit) {
    readUnit(unit, headers);
    return true;
  });
}

void readH264Headers(std::span<const uint8_t> packet, int lengthBytes, H264Headers& headers) {
  forEachNal(packet, lengthBytes, [&](std::span<const uint8_t> nal) {
    readUnit(nal, headers);
    const int type = nal[0] & 31;
    return type < kH264Slice || type > kH264Idr;
  });
}

std::optional<bool> h264FramesOnly(const H264Headers& headers) {
  std::optional<bool> framesOnly;
  for (const H264Sequence& sequence : headers.sequence) {
    if (sequence.known) framesOnly = framesOnly.value_or(true) && sequence.framesOnly;
  }
  return framesOnly;
}

bool h264MayHaveSize(const H264Sequence& sequence, int width, int height) {
  const auto blocks = [](int side) { return (side + 15) / 16 * 16; };
  if (!sequence.known) return true;
  return (width == sequence.width && height == sequence.height) ||
         (blocks(width) == sequence.codedWidth && blocks(height) == sequence.codedHeight);
}

}  // namespace cps
