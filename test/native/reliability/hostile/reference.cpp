#include "reliability/hostile/reference.h"

#include <algorithm>
#include <chrono>
#include <cstdarg>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "ffmpeg/handles.h"
#include "media/frame_hash.h"

namespace hostile {
namespace {

using frame_hash::Hash;
using frame_hash::hashOfFrame;

struct Memory {
  const Bytes* bytes;
  int64_t at = 0;
};

int readMemory(void* opaque, uint8_t* dst, int n) {
  auto& m = *static_cast<Memory*>(opaque);
  const auto size = static_cast<int64_t>(m.bytes->size());
  if (m.at >= size) return AVERROR_EOF;
  const auto count = static_cast<int>(std::min<int64_t>(n, size - m.at));
  std::memcpy(dst, m.bytes->data() + m.at, static_cast<size_t>(count));
  m.at += count;
  return count;
}

int64_t seekMemory(void* opaque, int64_t offset, int whence) {
  auto& m = *static_cast<Memory*>(opaque);
  const auto size = static_cast<int64_t>(m.bytes->size());
  switch (whence & ~AVSEEK_FORCE) {
    case AVSEEK_SIZE:
      return size;
    case SEEK_CUR:
      offset += m.at;
      break;
    case SEEK_END:
      offset += size;
      break;
    default:
      break;
  }
  if (offset < 0) return AVERROR(EINVAL);
  return m.at = offset;
}

int refuseOpen(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EACCES);
}

thread_local bool missingReference = false;

// Listens to FFmpeg's log while it lives.
class LogWatch {
 public:
  LogWatch() {
    missingReference = false;
    av_log_set_callback([](void*, int, const char* format, va_list) {
      for (const char* text : {"issing reference", "reference picture missing", "Frame num gap",
                               "Could not find ref", "unref short failure"}) {
        missingReference = missingReference || std::strstr(format, text) != nullptr;
      }
    });
  }
  ~LogWatch() { av_log_set_callback(av_log_default_callback); }
};

AVStream* mainStream(AVFormatContext& context) {
  AVStream* best = nullptr;
  const auto rank = [](const AVStream& s) {
    return std::make_pair((s.disposition & AV_DISPOSITION_DEFAULT) != 0,
                          int64_t{s.codecpar->width} * s.codecpar->height);
  };
  for (unsigned i = 0; i < context.nb_streams; ++i) {
    AVStream* s = context.streams[i];
    if (s->codecpar->codec_type != AVMEDIA_TYPE_VIDEO) continue;
    if ((s->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0) continue;
    if (best == nullptr || rank(*best) < rank(*s)) best = s;
  }
  return best;
}

}  // namespace

Reference decodeReference(const Bytes& bytes, int64_t maxFrames, double seconds, bool anewAtKeys) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                      std::chrono::duration<double>(seconds));
  Reference out;
  const LogWatch watch;
  Memory memory{&bytes};
  constexpr int kBuffer = 32 * 1024;
  auto* buffer = static_cast<uint8_t*>(av_malloc(kBuffer));
  const cps::UniqueAVIOContext io(
      avio_alloc_context(buffer, kBuffer, 0, &memory, readMemory, nullptr, seekMemory));
  AVFormatContext* opened = avformat_alloc_context();
  opened->pb = io.get();
  opened->io_open = refuseOpen;
  // As FFmpeg's own programs do: a broadcast's other programs come up later than the first.
  AVDictionary* options = nullptr;
  av_dict_set(&options, "scan_all_pmts", "1", 0);
  const int status = avformat_open_input(&opened, "", nullptr, &options);
  av_dict_free(&options);
  if (status < 0) return out;
  const cps::UniqueAVFormatContext context(opened);
  if (avformat_find_stream_info(opened, nullptr) < 0) return out;
  AVStream* stream = mainStream(*opened);
  const AVCodec* codec = stream ? avcodec_find_decoder(stream->codecpar->codec_id) : nullptr;
  if (codec == nullptr) return out;
  cps::UniqueAVCodecContext decoder;
  const auto openDecoder = [&] {
    decoder.reset(avcodec_alloc_context3(codec));
    avcodec_parameters_to_context(decoder.get(), stream->codecpar);
    decoder->thread_count = 1;
    decoder->flags |= AV_CODEC_FLAG_UNALIGNED;
    return avcodec_open2(decoder.get(), codec, nullptr) >= 0;
  };
  if (!openDecoder()) return out;
  const cps::UniqueAVPacket packet(av_packet_alloc());
  const cps::UniqueAVFrame frame(av_frame_alloc());
  const auto full = [&] {
    return static_cast<int64_t>(out.frames.size()) >= maxFrames || Clock::now() >= end;
  };
  const auto receive = [&] {
    while (!full() && avcodec_receive_frame(decoder.get(), frame.get()) >= 0) {
      ReferenceFrame f;
      f.hash = hashOfFrame(*frame);
      f.width = frame->width;
      f.height = frame->height;
      f.hasTime = frame->pts != AV_NOPTS_VALUE;
      if (f.hasTime) f.seconds = static_cast<double>(frame->pts) * av_q2d(stream->time_base);
      f.damaged = frame->decode_error_flags != 0 || (frame->flags & AV_FRAME_FLAG_CORRUPT) != 0;
      out.frames.push_back(f);
    }
  };
  while (!full() && av_read_frame(opened, packet.get()) >= 0) {
    if (packet->stream_index == stream->index) {
      if (anewAtKeys && (packet->flags & AV_PKT_FLAG_KEY) != 0) {
        avcodec_send_packet(decoder.get(), nullptr);
        receive();
        if (!openDecoder()) return out;
      }
      for (int tries = 0; tries < 64; ++tries) {
        if (avcodec_send_packet(decoder.get(), packet.get()) != AVERROR(EAGAIN)) break;
        receive();
      }
      receive();
    }
    av_packet_unref(packet.get());
  }
  avcodec_send_packet(decoder.get(), nullptr);
  receive();
  out.missingReferences = missingReference;
  out.complete = !full();
  return out;
}

uint64_t hashOf(const cps::FrameView& view) {
  Hash hash;
  for (int c = 0; c < view.planes; ++c) {
    const cps::PlaneView& plane = view.plane[c];
    const int shiftW = c > 0 ? view.log2ChromaW : 0, shiftH = c > 0 ? view.log2ChromaH : 0;
    const int width = (view.width + (1 << shiftW) - 1) >> shiftW;
    const int height = (view.height + (1 << shiftH) - 1) >> shiftH;
    for (int y = 0; y < height; ++y) {
      const uint8_t* p = plane.data + y * plane.stride;
      for (int x = 0; x < width; ++x, p += plane.step) {
        const uint32_t word = view.bitDepth > 8 ? p[0] | uint32_t{p[1]} << 8 : p[0];
        hash.add(word >> plane.shift);
      }
    }
  }
  return hash.value();
}

Bytes readFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

void writeFile(const std::string& path, const Bytes& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  if (!file) throw std::runtime_error("cannot write " + path);
}

}  // namespace hostile
