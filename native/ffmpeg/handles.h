#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavcodec/bsf.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libavutil/frame.h>
}

#include <memory>

#include "core/error.h"

namespace cps {

// FFmpeg objects by ownership. Nothing outside these types frees an FFmpeg object.
struct FormatContextDeleter {
  void operator()(AVFormatContext* p) const noexcept { avformat_close_input(&p); }
};
struct CodecContextDeleter {
  void operator()(AVCodecContext* p) const noexcept { avcodec_free_context(&p); }
};
struct CodecParametersDeleter {
  void operator()(AVCodecParameters* p) const noexcept { avcodec_parameters_free(&p); }
};
struct PacketDeleter {
  void operator()(AVPacket* p) const noexcept { av_packet_free(&p); }
};
struct FrameDeleter {
  void operator()(AVFrame* p) const noexcept { av_frame_free(&p); }
};
struct ParserDeleter {
  void operator()(AVCodecParserContext* p) const noexcept { av_parser_close(p); }
};
struct BsfContextDeleter {
  void operator()(AVBSFContext* p) const noexcept { av_bsf_free(&p); }
};
struct IoContextDeleter {
  void operator()(AVIOContext* p) const noexcept {
    av_freep(&p->buffer);  // FFmpeg may have replaced the buffer it was given
    avio_context_free(&p);
  }
};

using UniqueAVFormatContext = std::unique_ptr<AVFormatContext, FormatContextDeleter>;
using UniqueAVCodecContext = std::unique_ptr<AVCodecContext, CodecContextDeleter>;
using UniqueAVCodecParameters = std::unique_ptr<AVCodecParameters, CodecParametersDeleter>;
using UniqueAVPacket = std::unique_ptr<AVPacket, PacketDeleter>;
using UniqueAVFrame = std::unique_ptr<AVFrame, FrameDeleter>;
using SharedAVFrame = std::shared_ptr<const AVFrame>;
using UniqueAVParser = std::unique_ptr<AVCodecParserContext, ParserDeleter>;
using UniqueAVBSFContext = std::unique_ptr<AVBSFContext, BsfContextDeleter>;
using UniqueAVIOContext = std::unique_ptr<AVIOContext, IoContextDeleter>;

// Throws Error(OutOfMemory) for a null that an FFmpeg allocation returned.
template <typename T>
T* checkAlloc(T* p, Stage stage) {
  if (!p) throw Error(ErrorCode::OutOfMemory, stage, "Out of memory in FFmpeg");
  return p;
}

inline UniqueAVPacket makePacket(Stage stage) {
  return UniqueAVPacket(checkAlloc(av_packet_alloc(), stage));
}
inline UniqueAVFrame makeFrame(Stage stage) {
  return UniqueAVFrame(checkAlloc(av_frame_alloc(), stage));
}

}  // namespace cps
