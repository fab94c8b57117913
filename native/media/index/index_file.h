#pragma once

#include <cstdint>
#include <string>

#include "core/cancel.h"
#include "media/index/frame_index.h"

namespace cps {

// Frame indexes on disk, for the next process (option readerCacheDir).
//
// Note [Index files]
// One small file per video, in a folder of the user's choice or beside the video. What it says is
// believed only for the same path (in a folder), size and modification time, and the same FFmpeg
// libraries, whose demuxers decide what a packet is; anything else is a miss, also every kind of
// damage (a CRC over all of it, and each value checked before it is used). Of a caller's source it
// is the name, the size and the version. Files are written under
// another name and renamed, so a reader never sees half of one.
//
// A file may still lie. What opening the video and its first packet tell must be the same there
// (sameHead in index_codec.h). Packets are compared with the index as they are read, their flags,
// too; the order in which pictures come out of the decoder is compared with the display order; and
// whatever goes wrong with the file under an index from disk makes it be forgotten, in memory and
// on disk, and the call run once more with one of its own (pipeline.cpp). What cannot be compared
// are packets that no call reads, among them those behind the last frame that there is by the index
// (one that leaves out the last frames is not found out): therefore only files count that belong to
// the user, to root or to the owner of the video, who could as well change the video.
class IndexFile {
 public:
  // `place`: a folder, made when missing, or kBesideVideo.
  IndexFile(const std::string& place, FileIdentity video);

  static constexpr const char* kBesideVideo = "beside";

  const std::string& path() const { return path_; }
  std::string folder() const;
  // Why nothing can be kept there, as far as is known; "" otherwise.
  const std::string& unusable() const { return unusable_; }
  // Whether there is a file, of whatever state of the video.
  bool exists() const;
  // nullptr: there is none for this state of the video, or it would take more than maxBytes.
  FrameIndexPtr load(int64_t maxBytes, const CancelPtr& cancel) const;
  // False when it could not be written (read-only or full disk; unusable() says more then) or when
  // the format does not hold the index: no reason to fail a call.
  bool save(const FrameIndex& index, const CancelPtr& cancel);
  void remove() const;
  // Removes what processes that ended in the middle of save() left in the folder, an hour old or
  // older. Nothing but names that save() gives.
  void removeUnfinished() const;

 private:
  FileIdentity video_;
  std::string videoPath_;
  std::string path_;
  std::string unusable_;
};

}  // namespace cps
