#include "cuda/nvdec/packet_filter.h"

#include "core/error.h"
#include "ffmpeg/util.h"

namespace cps {
namespace {

[[noreturn]] void fail(const char* name, int status) {
  throw avError(
      status, ErrorCode::BackendUnavailable, Stage::Open,
      std::string("FFmpeg's bitstream filter ") + name + " cannot prepare this stream for NVDEC");
}

}  // namespace

PacketFilter::PacketFilter(const FrameIndex& index)
    : rules_(*index.bitstream.rules), parameters_(index.parameters.get()) {
  const char* name = rules_.elementaryFilter;
  if (name == nullptr) return;
  const AVBitStreamFilter* description = av_bsf_get_by_name(name);
  if (description == nullptr) fail(name, AVERROR_BSF_NOT_FOUND);
  AVBSFContext* context = nullptr;
  if (const int status = av_bsf_alloc(description, &context); status < 0) fail(name, status);
  filter_.reset(context);
  if (avcodec_parameters_copy(context->par_in, parameters_) < 0) {
    checkAlloc<void>(nullptr, Stage::Open);
  }
  context->time_base_in = index.timeBase;
  if (const int status = av_bsf_init(context); status < 0) fail(name, status);
}

std::span<const uint8_t> PacketFilter::headers() const {
  const AVCodecParameters* from = filter_ ? filter_->par_out : parameters_;
  return rules_.streamHeaders({from->extradata, static_cast<size_t>(from->extradata_size)});
}

void PacketFilter::convert(AVPacket& packet, const Output& output) {
  if (!filter_) return output({packet.data, static_cast<size_t>(packet.size)});
  // A packet the filter cannot read is damaged; without it its picture never arrives, which is said
  // then with the frame's name.
  int status = av_bsf_send_packet(filter_.get(), &packet);
  if (status == AVERROR(ENOMEM)) checkAlloc<void>(nullptr, Stage::Decode);
  if (status < 0) {
    av_packet_unref(&packet);
    return;
  }
  while ((status = av_bsf_receive_packet(filter_.get(), &packet)) >= 0) {
    output({packet.data, static_cast<size_t>(packet.size)});
    av_packet_unref(&packet);
  }
  if (status == AVERROR(ENOMEM)) checkAlloc<void>(nullptr, Stage::Decode);
}

void PacketFilter::reset() {
  if (filter_) av_bsf_flush(filter_.get());
}

}  // namespace cps
