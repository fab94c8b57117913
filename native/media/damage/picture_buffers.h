#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "ffmpeg/handles.h"

namespace cps {

// Note [Made-up references]
// Where an HEVC picture refers to one that is missing from the file, FFmpeg's decoder makes a gray
// one up and reports nothing but a line in the log. It asks for memory for it, though, while it
// decodes the packet that refers to it: a packet that asks for more than one picture lacks
// references. Entry points need none, but ask for those that their leading pictures use. (H.264
// decoders take another picture instead; see Note [Picture numbers] in h264.h.)
//
// FFmpeg 5 keeps what it made up for the pictures to come. From 6 on it is made up anew for each
// picture, and from 8 on a picture that needs it is an error (but for gradual refreshes).

// The memory of a decoder's pictures: marks them (Note [Marks] in picture_marks.h), counts them per
// packet, and knows when there was none to be had. Must outlive the decoder.
class PictureBuffers {
 public:
  PictureBuffers() = default;
  PictureBuffers(const PictureBuffers&) = delete;
  PictureBuffers& operator=(const PictureBuffers&) = delete;

  // Before avcodec_open2.
  void install(AVCodecContext& context);
  // The packets' numbers (their pts) that asked for several pictures since the last call.
  std::vector<int64_t> takeRepeated();
  // After a flush: the same packets may come again.
  void forget();
  // Whether memory for a picture could not be had, in whatever thread.
  bool ranShort() const { return ranShort_.load(std::memory_order_relaxed); }

 private:
  static int getBuffer(AVCodecContext* context, AVFrame* frame, int flags) noexcept;
  void note(int64_t packet);

  bool marks_ = false;
  bool counts_ = false;
  std::atomic<bool> ranShort_{false};
  std::mutex mutex_;                   // frame threads ask for pictures at the same time
  std::array<int64_t, 128> recent_{};  // more than any decoder has frame threads
  size_t next_ = 0, filled_ = 0;
  std::vector<int64_t> repeated_;
};

}  // namespace cps
