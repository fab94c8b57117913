#include "media/codec/image_packets.h"

#include <algorithm>
#include <string_view>

#include "media/codec/codec_rules.h"

extern "C" {
#include <libavutil/crc.h>
}

namespace cps {

extern const CodecRules kApngRules, kGifRules, kPngRules;

namespace {

bool startsWith(std::span<const uint8_t> bytes, std::string_view prefix) {
  return bytes.size() >= prefix.size() &&
         std::equal(prefix.begin(), prefix.end(), bytes.begin(),
                    [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; });
}

uint32_t bigEndian32(std::span<const uint8_t> b) {
  return uint32_t{b[0]} << 24 | uint32_t{b[1]} << 16 | uint32_t{b[2]} << 8 | b[3];
}

uint32_t crc32(std::span<const uint8_t> bytes) {
  constexpr uint32_t kAll = 0xFFFFFFFF;
  return av_crc(av_crc_get_table(AV_CRC_32_IEEE_LE), kAll, bytes.data(), bytes.size()) ^ kAll;
}

// Reads on, and notices when there is nothing left.
class Cursor {
 public:
  explicit Cursor(std::span<const uint8_t> bytes) : left_(bytes) {}

  bool failed() const { return failed_; }
  void skip(size_t n) {
    failed_ = failed_ || n > left_.size();
    left_ = left_.subspan(std::min(n, left_.size()));
  }
  int byte() {
    const int value = left_.empty() ? 0 : left_[0];
    skip(1);
    return value;
  }
  // Blocks with their sizes before them, up to one of size 0.
  void skipBlocks() {
    while (!failed_) {
      const int size = byte();
      if (size == 0) return;
      skip(static_cast<size_t>(size));
    }
  }

 private:
  std::span<const uint8_t> left_;
  bool failed_ = false;
};

constexpr int kHasPalette = 0x80;
size_t paletteBytes(int flags) {
  return (flags & kHasPalette) != 0 ? size_t{3} << ((flags & 7) + 1) : 0;
}

}  // namespace

bool pngChecksumsHold(std::span<const uint8_t> packet) {
  constexpr std::string_view kPng = "\x89PNG\r\n\x1a\n", kMng = "\x8aMNG\r\n\x1a\n";
  constexpr size_t kFrame = 12;  // length, type, CRC-32
  if (startsWith(packet, kMng)) return true;
  if (startsWith(packet, kPng)) packet = packet.subspan(kPng.size());
  if (packet.empty()) return false;
  while (!packet.empty()) {
    if (packet.size() < kFrame) return false;
    const size_t length = bigEndian32(packet);
    if (length > packet.size() - kFrame) return false;
    const auto typeAndData = packet.subspan(4, 4 + length);
    if (crc32(typeAndData) != bigEndian32(packet.subspan(8 + length))) return false;
    if (startsWith(typeAndData, "IEND")) return true;
    packet = packet.subspan(kFrame + length);
  }
  return true;
}

bool gifIsWhole(std::span<const uint8_t> packet) {
  constexpr int kExtension = 0x21, kImage = 0x2C;
  Cursor at(packet);
  if (startsWith(packet, "GIF87a") || startsWith(packet, "GIF89a")) {
    at.skip(6 + 4);
    const int flags = at.byte();
    at.skip(2 + paletteBytes(flags));
  }
  for (int block = at.byte(); block != kImage; block = at.byte()) {
    if (block != kExtension || at.failed()) return false;
    at.skip(1);
    at.skipBlocks();
  }
  at.skip(4 * 2);
  at.skip(paletteBytes(at.byte()));
  at.skip(1);  // LZW minimum code size
  at.skipBlocks();
  return !at.failed();
}

constinit const CodecRules kPngRules = {
    .reorders = false,
    .onePicturePerPacket = true,
    .frameThreads = true,
    .isBroken = [](PacketBytes packet) { return !pngChecksumsHold(packet); },
};

// APNG and GIF are drawn over the picture before: no frame threads, though FFmpeg offers them.
constinit const CodecRules kApngRules = {
    .reorders = false,
    .isBroken = [](PacketBytes packet) { return !pngChecksumsHold(packet); },
};

constinit const CodecRules kGifRules = {
    .reorders = false,
    .isBroken = [](PacketBytes packet) { return !gifIsWhole(packet); },
};

}  // namespace cps
