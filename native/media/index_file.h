#pragma once

#include <string>

#include "media/frame_index.h"

namespace cps {

// Frame indexes on disk, for the next process (option readerCacheDir).
//
// Note [Index files]
// One small file per video, in a folder of the user's choice or beside the video. What it says is
// believed only for the same path (in a folder), size and modification time, and the same FFmpeg
// libraries, whose demuxers decide what a packet is; anything else is a miss, also every kind of
// damage (a CRC over all of it, and each value checked before it is used). Nothing depends on it
// being right: packets are compared with the index as they are read, whatever its origin. Files are
// written under another name and renamed, so a reader never sees half of one.
class IndexFile {
 public:
  // `place`: a folder, made when missing, or kBesideVideo. Throws Error(InvalidArgument) when the
  // folder cannot be had.
  IndexFile(const std::string& place, FileIdentity video);

  static constexpr const char* kBesideVideo = "beside";

  const std::string& path() const { return path_; }
  // nullptr: there is none for this state of the video.
  FrameIndexPtr load() const;
  // False when it could not be written (read-only or full disk, values that the format does not
  // hold): no reason to fail a call.
  bool save(const FrameIndex& index) const;

 private:
  FileIdentity video_;
  std::string path_;
};

}  // namespace cps
