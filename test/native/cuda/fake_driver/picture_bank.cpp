#include "cuda/fake_driver/picture_bank.h"

#include <cstring>
#include <utility>

namespace fake {

// The decoder writes a packet's picture before it returns (one thread), wherever it puts it in the
// order of display. Pictures that are made up for missing references have the packet's number as
// well: H.264's come before the picture, those of the others after it.
int PictureBank::keepBuffer(AVCodecContext* context, AVFrame* frame, int flags) noexcept {
  const int status = avcodec_default_get_buffer2(context, frame, flags);
  if (status < 0 || frame->pts == AV_NOPTS_VALUE) return status;
  auto* bank = static_cast<PictureBank*>(context->opaque);
  auto& held = bank->held_[static_cast<int>(frame->pts)];
  if (held && context->codec_id != AV_CODEC_ID_H264) return status;
  held.reset(av_frame_clone(frame));
  bank->writing_ = frame;
  return status;
}

PictureBank::PictureBank(AVCodecID codec, int lookAhead)
    : codec_(avcodec_find_decoder(codec)), lookAhead_(lookAhead), context_(open()) {
  switch (codec) {
    case AV_CODEC_ID_H264:
    case AV_CODEC_ID_HEVC:
    case AV_CODEC_ID_MPEG1VIDEO:
    case AV_CODEC_ID_MPEG2VIDEO:
    case AV_CODEC_ID_MPEG4:
      context_->opaque = this;
      context_->get_buffer2 = keepBuffer;
      break;
    default:  // each picture comes out at once
      break;
  }
}

cps::UniqueAVCodecContext PictureBank::open() const {
  cps::UniqueAVCodecContext context(avcodec_alloc_context3(codec_));
  context->thread_count = 1;
  context->apply_cropping = 0;
  // Whatever a device would show, damaged or not.
  context->flags |= AV_CODEC_FLAG_OUTPUT_CORRUPT;
  if (lookAhead_ > 0) context->has_b_frames = lookAhead_;
  if (avcodec_open2(context.get(), codec_, nullptr) < 0) return nullptr;
  return context;
}

// Packet -1 empties the decoder.
template <typename Take>
bool PictureBank::decode(AVCodecContext& context, int packet, const Take& take) const {
  const cps::UniqueAVFrame frame(av_frame_alloc());
  bool good = true;
  if (packet < 0) {
    good = avcodec_send_packet(&context, nullptr) >= 0;
  } else {
    const std::string& bytes = packets_[static_cast<size_t>(packet)];
    const cps::UniqueAVPacket copy(av_packet_alloc());
    av_new_packet(copy.get(), static_cast<int>(bytes.size()));
    std::memcpy(copy->data, bytes.data(), bytes.size());
    copy->pts = packet;
    good = avcodec_send_packet(&context, copy.get()) >= 0;
  }
  for (int errors = 0; errors < 64;) {
    const int status = avcodec_receive_frame(&context, frame.get());
    if (status == AVERROR(EAGAIN) || status == AVERROR_EOF) break;
    if (status < 0) {  // of one picture; the next may be good
      good = false;
      errors++;
      continue;
    }
    take(*frame);
    av_frame_unref(frame.get());
  }
  return good;
}

void PictureBank::takeOut(const AVFrame& frame) {
  const int number = static_cast<int>(frame.pts);
  shown_.push_back(number);
  pictures_[number].reset(av_frame_clone(&frame));
  if (frame.decode_error_flags != 0) damaged_.insert(number);
}

bool PictureBank::isDamaged(int packet) {
  const std::lock_guard lock(mutex_);
  return damaged_.contains(packet);
}

int PictureBank::feed(std::string bytes) {
  const std::lock_guard lock(mutex_);
  packets_.push_back(std::move(bytes));
  const int packet = static_cast<int>(packets_.size()) - 1;
  writing_ = nullptr;
  const bool good = decode(*context_, packet, [&](const AVFrame& frame) { takeOut(frame); });
  // Errors that were concealed are noted in the decoder's own frame; those of a packet that makes
  // no picture (a message alone) are no damage.
  const bool seesBuffers = context_->get_buffer2 == keepBuffer;
  if (seesBuffers && writing_ == nullptr) return packet;
  if (!good || (seesBuffers && writing_->decode_error_flags != 0)) damaged_.insert(packet);
  return packet;
}

void PictureBank::finish() {
  const std::lock_guard lock(mutex_);
  decode(*context_, -1, [&](const AVFrame& frame) { takeOut(frame); });
  avcodec_flush_buffers(context_.get());
}

std::vector<int> PictureBank::takeShown() {
  const std::lock_guard lock(mutex_);
  return std::exchange(shown_, {});
}

const AVFrame* PictureBank::picture(int packet) {
  const std::lock_guard lock(mutex_);
  if (const auto it = pictures_.find(packet); it != pictures_.end()) return it->second.get();
  if (const auto it = held_.find(packet); it != held_.end()) return it->second.get();
  // Of the decoders whose buffers are not looked at: another one that is emptied at this point. The
  // last packet's picture may lack its second field yet.
  const cps::UniqueAVCodecContext all = open();
  const auto take = [&](const AVFrame& frame) {
    const int number = static_cast<int>(frame.pts);
    const bool whole = number <= packet || number + 1 < packets();
    if (whole && !pictures_.contains(number)) {
      pictures_[number].reset(av_frame_clone(&frame));
    }
  };
  for (int i = 0; i < packets(); i++) decode(*all, i, take);
  decode(*all, -1, take);
  const auto it = pictures_.find(packet);
  return it == pictures_.end() ? nullptr : it->second.get();
}

std::vector<int> PictureBank::shape() const {
  return {context_->coded_width, context_->coded_height, context_->width, context_->height,
          context_->pix_fmt};
}

}  // namespace fake
