#include <algorithm>

#include "media/codec/bit_reader.h"
#include "media/codec/bitstream.h"

namespace cps {

extern const CodecRules kVp8Rules, kVp9Rules;

namespace {

// Shown pictures of one VP9 frame: 0 or 1.
int vp9Shown(PacketBytes frame) {
  if (frame.empty()) return 0;
  BitReader r(frame.first(std::min<size_t>(frame.size(), 2)));
  if (r.bits(2) != 2) return frame.size() == 1 ? 0 : 1;
  const uint32_t low = r.bit();
  const uint32_t high = r.bit();
  if (high << 1 == 2 && low == 1) r.bit();  // profile 3 has a reserved bit
  if (r.bit()) return 1;                    // show_existing_frame
  if (frame.size() == 1) return 0;          // too short for any other frame
  r.bit();                                  // frame_type
  return r.bit() ? 1 : 0;
}

bool isVp9Entry(PacketBytes d, const BitstreamFormat& /*format*/) {
  if (d.size() < 2) return false;
  BitReader r(d.first(2));
  r.bits(2);                                           // frame_marker
  if (r.bits(2) == 3) r.bit();                         // profile 3 has a reserved bit
  const bool showExisting = r.bit(), inter = r.bit();  // show_existing_frame, frame_type
  return !showExisting && !inter;
}

// Visits each frame of a superframe, whose index at the end gives their sizes, or the one frame
// that a packet is. False: sizes that do not fit.
template <typename Visit>
bool forEachVp9Frame(PacketBytes d, const Visit& visit) {
  const uint8_t marker = d.back();
  const size_t frames = (marker & 7) + 1;
  const size_t bytes = ((marker >> 3) & 3) + 1;
  const size_t indexSize = 2 + frames * bytes;
  const bool isSuperframe =
      (marker & 0xE0) == 0xC0 && d.size() >= indexSize && d[d.size() - indexSize] == marker;
  if (!isSuperframe) {
    visit(d);
    return true;
  }
  const uint8_t* p = &d[d.size() - indexSize + 1];
  size_t at = 0;
  for (size_t i = 0; i < frames; ++i) {
    size_t n = 0;
    for (size_t b = 0; b < bytes; ++b) n |= size_t{*p++} << (8 * b);
    if (n > d.size() - indexSize - at) return false;
    visit(d.subspan(at, n));
    at += n;
  }
  return true;
}

int vp9ShownPictures(PacketBytes d, const BitstreamFormat& /*format*/) {
  int shown = 0;
  return forEachVp9Frame(d, [&](PacketBytes frame) { shown += vp9Shown(frame); }) ? shown : 1;
}

// As short as that only a picture shown again can be.
bool isNoVp9Picture(PacketBytes frame) { return frame.size() == 1 && vp9Shown(frame) == 0; }

int vp9EmptyParts(PacketBytes d, const BitstreamFormat& /*format*/) {
  int empty = 0;
  const auto count = [&](PacketBytes frame) { empty += isNoVp9Picture(frame) ? 1 : 0; };
  return forEachVp9Frame(d, count) ? empty : 0;
}

}  // namespace

// No frame threads: pictures after a lost packet, which nothing reports, differ with the number of
// threads. It does not forget what a damaged packet did to it.
constinit const CodecRules kVp8Rules = {
    .reorders = false,
    .onePicturePerPacket = true,
    .hidesPictures = true,
    .mayJump = true,
    .marks = true,
    .isEntry =
        [](PacketBytes packet, const BitstreamFormat&) {
          return !packet.empty() && (packet[0] & 1) == 0;  // key_frame
        },
    .shownPictures =
        [](PacketBytes packet, const BitstreamFormat&) {
          return (packet[0] & 0x10) != 0 ? 1 : 0;  // show_frame
        },
};

// FFmpeg's parser flags packets of one byte that are no picture.
constinit const CodecRules kVp9Rules = {
    .reorders = false,
    .onePicturePerPacket = true,
    .hidesPictures = true,
    .trustsKeyFlags = false,
    .frameThreads = true,
    .flushForgets = true,
    .mayJump = true,
    .isEntry = isVp9Entry,
    .holdsPicture = [](PacketBytes packet,
                       const BitstreamFormat&) { return !isNoVp9Picture(packet); },
    .emptyParts = vp9EmptyParts,
    .shownPictures = vp9ShownPictures,
};

}  // namespace cps
