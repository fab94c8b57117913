#include "cuda/fake_driver/picture_bank.h"

#include <cstring>
#include <utility>

namespace fake {

PictureBank::PictureBank(AVCodecID codec, int lookAhead)
    : codec_(avcodec_find_decoder(codec)), lookAhead_(lookAhead), context_(open()) {}

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
void PictureBank::decode(AVCodecContext& context, int packet, const Take& take) const {
  const cps::UniqueAVFrame frame(av_frame_alloc());
  if (packet < 0) {
    avcodec_send_packet(&context, nullptr);
  } else {
    const std::string& bytes = packets_[static_cast<size_t>(packet)];
    const cps::UniqueAVPacket copy(av_packet_alloc());
    av_new_packet(copy.get(), static_cast<int>(bytes.size()));
    std::memcpy(copy->data, bytes.data(), bytes.size());
    copy->pts = packet;
    avcodec_send_packet(&context, copy.get());
  }
  for (int errors = 0; errors < 64;) {
    const int status = avcodec_receive_frame(&context, frame.get());
    if (status == AVERROR(EAGAIN) || status == AVERROR_EOF) return;
    if (status < 0) {  // of one picture; the next may be good
      errors++;
      continue;
    }
    take(*frame);
    av_frame_unref(frame.get());
  }
}

int PictureBank::feed(std::string bytes) {
  const std::lock_guard lock(mutex_);
  packets_.push_back(std::move(bytes));
  const int packet = static_cast<int>(packets_.size()) - 1;
  decode(*context_, packet, [&](const AVFrame& frame) {
    const int number = static_cast<int>(frame.pts);
    shown_.push_back(number);
    pictures_[number].reset(av_frame_clone(&frame));
  });
  return packet;
}

void PictureBank::finish() {
  const std::lock_guard lock(mutex_);
  decode(*context_, -1, [&](const AVFrame& frame) {
    const int number = static_cast<int>(frame.pts);
    shown_.push_back(number);
    pictures_[number].reset(av_frame_clone(&frame));
  });
  avcodec_flush_buffers(context_.get());
}

std::vector<int> PictureBank::takeShown() {
  const std::lock_guard lock(mutex_);
  return std::exchange(shown_, {});
}

const AVFrame* PictureBank::picture(int packet) {
  const std::lock_guard lock(mutex_);
  if (const auto it = pictures_.find(packet); it != pictures_.end()) return it->second.get();
  // Held back by the decoder: another one that is emptied at this point. The last packet's picture
  // may lack its second field yet.
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
