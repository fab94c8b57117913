#pragma once

#include <cstdint>
#include <span>

namespace cps {

// Note [FFV1 checksums]
// FFmpeg's FFV1 decoder covers a slice with a wrong checksum by the picture before and reports
// nothing but a line in the log. Whether slices have checksums stands in the range coded header;
// what can be seen without it is the chain of their sizes, from the end of the packet: 24 bits, and
// with checksums 8 bits of error status and a CRC-32 over the whole slice, 0 with itself (RFC 9043,
// section 4.9).

// False: the packet is a chain of slices with checksums, and one is wrong.
bool ffv1ChecksumsHold(std::span<const uint8_t> packet);

}  // namespace cps
