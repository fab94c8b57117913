#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "core/cancel.h"
#include "media/index/frame_index.h"

namespace cps {

// Of index files. To be raised whenever the format changes, and whenever an index says something
// else of some file than it did: frames that are counted otherwise, other times, other notes. Else
// files that earlier versions of this package wrote go on saying the old. media_index_test compares
// what indexes say with what they said under this number, and fails until it is raised.
inline constexpr int64_t kIndexVersion = 6;

// A frame index as bytes and back (Note [Index files] in index_file.h). `video` is stored with it.
// encodeIndex gives no bytes for an index with values beyond what the format holds (some damaged
// files have such headers); decodeIndex gives nullptr for another video or state of it, another
// version of this package's format or of FFmpeg's libraries, for bytes that are damaged in any way,
// and for an index that would take more than maxBytes.
std::vector<uint8_t> encodeIndex(const FrameIndex& index, const FileIdentity& video);
FrameIndexPtr decodeIndex(std::span<const uint8_t> bytes, const FileIdentity& video,
                          int64_t maxBytes = std::numeric_limits<int64_t>::max(),
                          const CancelPtr& cancel = nullptr);

// Whether two indexes say the same of the stream itself: geometry, format, time base and all that a
// decoder is opened with.
bool sameHead(const FrameIndex& a, const FrameIndex& b);

}  // namespace cps
