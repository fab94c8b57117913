#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "media/frame_index.h"

namespace cps {

// A frame index as bytes and back (Note [Index files] in index_file.h). `video` is stored with it.
// encodeIndex gives no bytes for an index with values beyond what the format holds (some damaged
// files have such headers); decodeIndex gives nullptr for another video or state of it, another
// version of this package's format or of FFmpeg's libraries, and for bytes that are damaged in any
// way.
std::vector<uint8_t> encodeIndex(const FrameIndex& index, const FileIdentity& video);
FrameIndexPtr decodeIndex(std::span<const uint8_t> bytes, const FileIdentity& video);

}  // namespace cps
