#pragma once

#include <cstdint>
#include <span>

namespace cps {

// Note [Image packets]
// Packets that are whole image files tell more about damage than FFmpeg's decoders look at. A PNG
// picture keeps the palette of the one before it where its own is damaged, so that it depends on
// where decoding began; a GIF picture whose data ends early keeps what lies beneath. Neither is
// reported.

// Whether a PNG or APNG packet is a sequence of chunks that ends where the packet does (or with
// IEND), each with the CRC-32 over its type and data (PNG specification, section 5.3). True for
// MNG.
bool pngChecksumsHold(std::span<const uint8_t> packet);

// Whether a GIF packet has an image whose data blocks reach their terminator (GIF89a, sections 15,
// 20 and 22).
bool gifIsWhole(std::span<const uint8_t> packet);

}  // namespace cps
