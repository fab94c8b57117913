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
  if (avcodec_parameters_copy(copy.get(), &from) < 0) {
    throw Error(ErrorCode::OutOfMemory, stage, "Out of memory copying codec parameters");
  }
  return copy;
}

}  // namespace cps
