// Packet-level mutations: libavformat's muxers write what a broken recorder or editor would.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "ffmpeg/handles.h"
#include "reliability/hostile/mutate.h"

namespace hostile {
namespace {

struct Clip {
  cps::UniqueAVCodecParameters parameters;
  AVRational timeBase = {1, 1};
  std::vector<cps::UniqueAVPacket> packets;
};

struct Memory {
  const Bytes* bytes;
  int64_t at = 0;
};

int readMemory(void* opaque, uint8_t* dst, int n) {
  auto& m = *static_cast<Memory*>(opaque);
  const int64_t left = static_cast<int64_t>(m.bytes->size()) - m.at;
  if (left <= 0) return AVERROR_EOF;
  const auto count = static_cast<int>(std::min<int64_t>(n, left));
  std::memcpy(dst, m.bytes->data() + m.at, static_cast<size_t>(count));
  m.at += count;
  return count;
}

int64_t seekMemory(void* opaque, int64_t offset, int whence) {
  auto& m = *static_cast<Memory*>(opaque);
  if ((whence & AVSEEK_SIZE) != 0) return static_cast<int64_t>(m.bytes->size());
  if ((whence & 3) == SEEK_CUR) offset += m.at;
  if ((whence & 3) == SEEK_END) offset += static_cast<int64_t>(m.bytes->size());
  if (offset < 0) return AVERROR(EINVAL);
  return m.at = offset;
}

Clip demux(const Bytes& bytes) {
  Clip clip;
  Memory memory{&bytes};
  auto* buffer = static_cast<uint8_t*>(av_malloc(32768));
  const cps::UniqueAVIOContext io(
      avio_alloc_context(buffer, 32768, 0, &memory, readMemory, nullptr, seekMemory));
  AVFormatContext* opened = avformat_alloc_context();
  opened->pb = io.get();
  if (avformat_open_input(&opened, "", nullptr, nullptr) < 0) return clip;
  const cps::UniqueAVFormatContext context(opened);
  avformat_find_stream_info(opened, nullptr);
  const int best = av_find_best_stream(opened, AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
  if (best < 0) return clip;
  clip.parameters.reset(avcodec_parameters_alloc());
  avcodec_parameters_copy(clip.parameters.get(), opened->streams[best]->codecpar);
  clip.parameters->codec_tag = 0;
  clip.timeBase = opened->streams[best]->time_base;
  for (;;) {
    cps::UniqueAVPacket packet(av_packet_alloc());
    if (av_read_frame(opened, packet.get()) < 0) break;
    if (packet->stream_index == best) clip.packets.push_back(std::move(packet));
  }
  return clip;
}

// Writes the packets as they are. Muxers that insist on rising decode timestamps drop a packet;
// that too is a file somebody may have.
Bytes mux(const Clip& clip, const char* format) {
  Bytes out;
  AVFormatContext* context = nullptr;
  if (avformat_alloc_output_context2(&context, nullptr, format, nullptr) < 0) return out;
  AVStream* stream = avformat_new_stream(context, nullptr);
  avcodec_parameters_copy(stream->codecpar, clip.parameters.get());
  stream->time_base = clip.timeBase;
  if (avio_open_dyn_buf(&context->pb) >= 0) {
    context->strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL;
    if (avformat_write_header(context, nullptr) >= 0) {
      for (const auto& packet : clip.packets) {
        const cps::UniqueAVPacket copy(av_packet_clone(packet.get()));
        copy->stream_index = 0;
        copy->pos = -1;
        av_packet_rescale_ts(copy.get(), clip.timeBase, stream->time_base);
        av_write_frame(context, copy.get());
      }
      av_write_trailer(context);
    }
    uint8_t* data = nullptr;
    const int size = avio_close_dyn_buf(context->pb, &data);
    context->pb = nullptr;
    if (data != nullptr) out.assign(data, data + size);
    av_free(data);
  }
  avformat_free_context(context);
  return out;
}

// In a process of its own: libavformat's muxers end theirs by an assertion for some of the packets
// that we want to see written. Empty then.
Bytes muxApart(const Clip& clip, const char* format) {
  int ends[2];
  if (::pipe(ends) != 0) return {};
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    for (const int signal : {SIGABRT, SIGSEGV}) ::signal(signal, SIG_DFL);
    const Bytes bytes = mux(clip, format);
    for (size_t at = 0; at < bytes.size();) {
      const ssize_t n = ::write(ends[1], bytes.data() + at, bytes.size() - at);
      if (n <= 0) break;
      at += static_cast<size_t>(n);
    }
    ::_exit(0);
  }
  ::close(ends[1]);
  Bytes out;
  uint8_t block[65536];
  for (ssize_t n = 0; child > 0 && (n = ::read(ends[0], block, sizeof(block))) > 0;) {
    out.insert(out.end(), block, block + n);
  }
  ::close(ends[0]);
  int status = 0;
  if (child > 0) ::waitpid(child, &status, 0);
  return child > 0 && status == 0 ? out : Bytes();
}

using Edit = std::function<void(Clip&)>;

// Times that are not there stay away.
void shift(int64_t& time, int64_t by) {
  if (time != AV_NOPTS_VALUE) time += by;
}

void shuffleTimes(Clip& clip) {
  for (size_t i = 0; i < clip.packets.size(); ++i) {
    shift(clip.packets[i]->pts, static_cast<int64_t>(mix(i) % 9) * clip.packets[i]->duration);
  }
}

std::vector<std::pair<const char*, Edit>> edits() {
  return {
      {"no-pts",
       [](Clip& c) {
         for (auto& p : c.packets) p->pts = AV_NOPTS_VALUE;
       }},
      {"no-times",
       [](Clip& c) {
         for (auto& p : c.packets) p->pts = p->dts = AV_NOPTS_VALUE;
       }},
      {"some-pts",
       [](Clip& c) {
         for (size_t i = 1; i < c.packets.size(); i += 3) c.packets[i]->pts = AV_NOPTS_VALUE;
       }},
      {"same-pts",
       [](Clip& c) {
         for (auto& p : c.packets) p->pts = c.packets[0]->pts;
       }},
      {"twin-pts",
       [](Clip& c) {
         for (size_t i = 1; i < c.packets.size(); i += 2) c.packets[i]->pts = c.packets[i - 1]->pts;
       }},
      {"shuffled-pts", shuffleTimes},
      {"times-back",
       [](Clip& c) {
         const int64_t jump = c.packets[c.packets.size() / 2]->dts;
         for (size_t i = c.packets.size() / 2; i < c.packets.size() && jump != AV_NOPTS_VALUE;
              ++i) {
           shift(c.packets[i]->pts, -jump);
           shift(c.packets[i]->dts, -jump);
         }
       }},
      {"times-huge",
       [](Clip& c) {
         for (size_t i = c.packets.size() / 2; i < c.packets.size(); ++i) {
           shift(c.packets[i]->pts, int64_t{1} << 40);
           shift(c.packets[i]->dts, int64_t{1} << 40);
         }
       }},
      {"negative-times",
       [](Clip& c) {
         for (auto& p : c.packets) {
           shift(p->pts, -100 * p->duration);
           shift(p->dts, -100 * p->duration);
         }
       }},
      {"no-key-flags",
       [](Clip& c) {
         for (auto& p : c.packets) p->flags &= ~AV_PKT_FLAG_KEY;
       }},
      {"all-key-flags",
       [](Clip& c) {
         for (auto& p : c.packets) p->flags |= AV_PKT_FLAG_KEY;
       }},
      {"no-key-frames",
       [](Clip& c) {
         std::erase_if(c.packets, [](const auto& p) { return (p->flags & AV_PKT_FLAG_KEY) != 0; });
       }},
      {"later-keys-gone",
       [](Clip& c) {
         const auto second = std::next(c.packets.begin());
         c.packets.erase(
             std::remove_if(second, c.packets.end(),
                            [](const auto& p) { return (p->flags & AV_PKT_FLAG_KEY) != 0; }),
             c.packets.end());
       }},
      {"first-key-gone", [](Clip& c) { c.packets.erase(c.packets.begin()); }},
      {"every-fifth-gone",
       [](Clip& c) {
         size_t i = 0;
         std::erase_if(c.packets, [&i](const auto&) { return ++i % 5 == 0; });
       }},
      {"every-fifth-cut",
       [](Clip& c) {
         for (size_t i = 2; i < c.packets.size(); i += 5) {
           av_shrink_packet(c.packets[i].get(), c.packets[i]->size / 2);
         }
       }},
      {"every-fifth-empty",
       [](Clip& c) {
         for (size_t i = 2; i < c.packets.size(); i += 5) av_shrink_packet(c.packets[i].get(), 1);
       }},
      {"every-fifth-noise",
       [](Clip& c) {
         for (size_t i = 2; i < c.packets.size(); i += 5) {
           av_packet_make_writable(c.packets[i].get());
           uint8_t* data = c.packets[i]->data;
           for (int at = 0; at < c.packets[i]->size; ++at) {
             data[at] = static_cast<uint8_t>(mix(static_cast<uint64_t>(at)));
           }
         }
       }},
      {"twice",
       [](Clip& c) {
         const size_t n = c.packets.size();
         for (size_t i = 0; i < n; ++i) c.packets.emplace_back(av_packet_clone(c.packets[i].get()));
       }},
      {"backwards", [](Clip& c) { std::reverse(c.packets.begin(), c.packets.end()); }},
      {"wrong-size",
       [](Clip& c) {
         c.parameters->width = 16384;
         c.parameters->height = 16384;
       }},
      {"size-1x1", [](Clip& c) { c.parameters->width = c.parameters->height = 1; }},
      {"no-extradata",
       [](Clip& c) {
         av_freep(&c.parameters->extradata);
         c.parameters->extradata_size = 0;
       }},
  };
}

}  // namespace

std::vector<Mutation> packetMutations(const Bytes& clip, const Bytes& other) {
  std::vector<Mutation> out;
  const auto source = std::make_shared<Clip>(demux(clip));
  if (source->packets.size() < 3) return out;
  const auto again = [source] {
    Clip copy;
    copy.parameters.reset(avcodec_parameters_alloc());
    avcodec_parameters_copy(copy.parameters.get(), source->parameters.get());
    copy.timeBase = source->timeBase;
    for (const auto& p : source->packets) {
      copy.packets.emplace_back(av_packet_clone(p.get()));
      av_packet_make_writable(copy.packets.back().get());  // edits are of this copy only
    }
    return copy;
  };
  for (const char* format : {"matroska", "mp4", "mpegts", "nut", "avi"}) {
    // NUT without a codec tag does not say how raw samples are packed: two readers may differ.
    if (source->parameters->codec_id == AV_CODEC_ID_RAWVIDEO && std::strcmp(format, "nut") == 0) {
      continue;
    }
    for (const auto& [name, edit] : edits()) {
      out.push_back({"mux-" + std::string(format) + "-" + name, [again, edit = edit, format] {
                       Clip copy = again();
                       edit(copy);
                       return muxApart(copy, format);
                     }});
    }
    out.push_back({"mux-" + std::string(format) + "-new-size", [again, &other, format] {
                     Clip copy = again();
                     Clip rest = demux(other);
                     int64_t after = copy.packets.back()->dts;
                     if (after == AV_NOPTS_VALUE) after = 0;
                     after += copy.packets.back()->duration * 4;
                     for (auto& p : rest.packets) {
                       av_packet_rescale_ts(p.get(), rest.timeBase, copy.timeBase);
                       shift(p->pts, after);
                       shift(p->dts, after);
                       copy.packets.push_back(std::move(p));
                     }
                     return muxApart(copy, format);
                   }});
  }
  return out;
}

}  // namespace hostile
