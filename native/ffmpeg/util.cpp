#include "ffmpeg/util.h"

extern "C" {
#include <libavutil/log.h>
}

namespace cps {

std::string avErrorText(int error) {
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  if (av_strerror(error, text, sizeof(text)) < 0) return "error " + std::to_string(error);
  return text;
}

std::optional<ErrorCode> machineCode(int error) {
  switch (error) {
    case AVERROR(ENOMEM):
      return ErrorCode::OutOfMemory;
    case AVERROR(EAGAIN):
    case AVERROR(EMFILE):
    case AVERROR(ENFILE):
    case AVERROR(EINTR):
      return ErrorCode::Limit;
    default:
      return std::nullopt;
  }
}

Error avError(int status, ErrorCode code, Stage stage, const std::string& doing,
              const std::string& advice) {
  std::string said = doing + ": " + avErrorText(status) + ".";
  const std::optional<ErrorCode> ofMachine = machineCode(status);
  if (!ofMachine && !advice.empty()) said += " " + advice;
  if (ofMachine == ErrorCode::OutOfMemory) {
    said += " This says nothing about the file; make fewer calls at once or sample fewer frames.";
  } else if (ofMachine) {
    said += " The process or the machine has no more files or threads to give, which says nothing";
    said += " about the file; make fewer calls at once or raise the limit.";
  }
  return Error(ofMachine.value_or(code), stage, said);
}

bool blamesFile(ErrorCode code) {
  return code == ErrorCode::Corrupt || code == ErrorCode::NoVideo || code == ErrorCode::Unsupported;
}

Error outOfMemory(Stage stage, const std::string& doing) {
  return avError(AVERROR(ENOMEM), ErrorCode::OutOfMemory, stage, doing);
}

void silenceFfmpegLog() { av_log_set_level(AV_LOG_QUIET); }

std::string codecName(AVCodecID id) { return avcodec_get_name(id); }

const int32_t* streamDisplayMatrix(const AVStream& stream) {
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 102)
  const AVPacketSideData* data =
      av_packet_side_data_get(stream.codecpar->coded_side_data, stream.codecpar->nb_coded_side_data,
                              AV_PKT_DATA_DISPLAYMATRIX);
  if (!data || data->size < 9 * sizeof(int32_t)) return nullptr;
  return reinterpret_cast<const int32_t*>(data->data);
#else
  size_t size = 0;
  const uint8_t* data = av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
  if (!data || size < 9 * sizeof(int32_t)) return nullptr;
  return reinterpret_cast<const int32_t*>(data);
#endif
}

UniqueAVCodecParameters copyParameters(const AVCodecParameters& from, Stage stage) {
  UniqueAVCodecParameters copy(checkAlloc(avcodec_parameters_alloc(), stage));
  const int status = avcodec_parameters_copy(copy.get(), &from);
  if (status < 0) {
    throw avError(status, ErrorCode::OutOfMemory, stage, "Cannot copy codec parameters");
  }
  return copy;
}

bool isInterlaced(const AVFrame& frame) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100)
  return (frame.flags & AV_FRAME_FLAG_INTERLACED) != 0;
#else
  return frame.interlaced_frame != 0;
#endif
}

}  // namespace cps
