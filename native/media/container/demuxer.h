#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "core/cancel.h"
#include "ffmpeg/handles.h"
#include "media/container/avio.h"
#include "media/container/byte_source.h"

namespace cps {

// How to come back to a packet that was seen before.
enum class SeekKind { Dts, Pts, Byte };

// The stream an earlier Demuxer of the same source chose.
struct StreamHint {
  int streamIndex = -1;
  AVCodecID codec = AV_CODEC_ID_NONE;
};

// What opening a file may take.
struct DemuxLimits {
  int64_t tableBytes = std::numeric_limits<int64_t>::max();
  // Of the pictures that FFmpeg decodes to find out about streams.
  int64_t pixels = INT32_MAX;
  // Of the bytes that are read to find out about streams.
  int64_t probeBytes = 5'000'000;
};

// One container opened for reading the packets of its main video stream, nothing else.
//
// Note [What is opened]
// FFmpeg gets no URL and no protocol: bytes come from AvioReader, formats come from a list of
// containers (container_formats.cpp), and opening any other file is refused. So no playlist,
// manifest or external data reference in a file can make us read anything but the file itself.
class Demuxer {
 public:
  // Throws Error: NoVideo (not a video, or no video stream), Unsupported (a playlist, or a
  // container or codec that is not decoded), Corrupt (headers that cannot be read), OutOfMemory
  // (tables beyond the limit, as far as that can be seen beforehand).
  // `fillsIn`: timestamps that the container does not store are filled in as FFmpeg's tools do it.
  Demuxer(std::shared_ptr<ByteSource> source, CancelPtr cancel, const StreamHint* hint = nullptr,
          DemuxLimits limits = {}, bool fillsIn = false);
  ~Demuxer();
  Demuxer(const Demuxer&) = delete;
  Demuxer& operator=(const Demuxer&) = delete;

  const AVStream& stream() const { return *stream_; }
  const AVCodecParameters& parameters() const { return *stream_->codecpar; }
  std::string formatName() const { return context_->iformat->name; }
  StreamHint hint() const { return {stream_->index, stream_->codecpar->codec_id}; }
  SeekKind seekKind() const;
  // Packets come as the container stores them; their timestamps are the container's own.
  bool plain() const { return plain_; }

  // Whether FFmpeg ran out of memory in reading (Note [Swallowed ENOMEM]).
  bool ranShort() const { return ranShort_; }

  // The next packet of the stream; false at the end. Throws Error(Corrupt) when reading stops
  // early.
  bool read(AVPacket& packet);
  // False when the container cannot go there. What the next packet is, only reading it tells.
  bool seek(SeekKind kind, int64_t target);

  AvioReader& io() { return *io_; }

 private:
  void open();
  void chooseStream();
  void openStream(const StreamHint* hint, bool fillsIn);
  void findStreamInfo();
  bool isPastEnd(int64_t before) const;
  bool resumeAtBoundary();

  std::shared_ptr<ByteSource> source_;
  CancelPtr cancel_;
  std::unique_ptr<AvioReader> io_;
  UniqueAVFormatContext context_;
  AVStream* stream_ = nullptr;
  DemuxLimits limits_;
  bool again_ = false;      // the packets are known from an earlier reading
  int64_t resumedAt_ = 0;   // where resumeAtBoundary did so last
  bool readAhead_ = false;  // finding out about the streams took the whole file
  bool plain_ = false;
  bool ranShort_ = false;
};

// Whether a demuxer reads containers of video data, and nothing but the file it is given.
bool isContainerFormat(const char* formatName);
// Whether it is one that names other files (playlists, manifests, image sequences).
bool isPlaylistFormat(const char* formatName);

}  // namespace cps
