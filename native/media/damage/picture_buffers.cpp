#include "media/damage/picture_buffers.h"

#include <algorithm>
#include <utility>

#include "media/codec/codec_rules.h"
#include "media/damage/picture_marks.h"

namespace cps {

void PictureBuffers::install(AVCodecContext& context) {
  const CodecRules& rules = rulesOf(context.codec_id);
  marks_ = rules.marks;
  counts_ = rules.makesReferencesUp;
  context.opaque = this;
  context.get_buffer2 = getBuffer;
#if LIBAVCODEC_VERSION_MAJOR < 60
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  context.thread_safe_callbacks = 1;  // else frame threads wait for the caller's thread
#pragma GCC diagnostic pop
#endif
}

int PictureBuffers::getBuffer(AVCodecContext* context, AVFrame* frame, int flags) noexcept {
  auto& self = *static_cast<PictureBuffers*>(context->opaque);
  int status = avcodec_default_get_buffer2(context, frame, flags);
  if (status >= 0 && self.marks_) setMarks(*frame);
  // Without the flag it is for the picture with film grain on it, which nothing refers to.
  if (status >= 0 && self.counts_ && (flags & AV_GET_BUFFER_FLAG_REF) != 0) {
    try {
      self.note(frame->pts);
    } catch (...) {  // nothing may leave through FFmpeg's frames; the caller frees the picture
      status = AVERROR(ENOMEM);
    }
  }
  if (status == AVERROR(ENOMEM)) self.ranShort_.store(true, std::memory_order_relaxed);
  return status;
}

void PictureBuffers::note(int64_t packet) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto end = recent_.begin() + static_cast<std::ptrdiff_t>(filled_);
  if (std::find(recent_.begin(), end, packet) == end) {
    recent_[next_] = packet;
    next_ = (next_ + 1) % recent_.size();
    filled_ = std::min(filled_ + 1, recent_.size());
  } else if (repeated_.empty() || repeated_.back() != packet) {
    repeated_.push_back(packet);
  }
}

std::vector<int64_t> PictureBuffers::takeRepeated() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(repeated_, {});
}

void PictureBuffers::forget() {
  const std::lock_guard<std::mutex> lock(mutex_);
  next_ = filled_ = 0;
  repeated_.clear();
  ranShort_ = false;
}

}  // namespace cps
