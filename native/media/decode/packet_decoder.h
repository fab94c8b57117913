#pragma once

#include <cstdint>
#include <functional>

#include "core/options.h"
#include "ffmpeg/handles.h"
#include "media/codec/bitstream.h"
#include "media/codec/parameter_sets.h"
#include "media/damage/picture_buffers.h"

namespace cps {

struct DecoderConfig {
  int threads = 1;
  ThreadType threadType = ThreadType::Auto;
  int reorderDepth = 0;
  // The decoder allocates no larger picture than this (and what its codec's blocks add), whatever
  // size the stream changes to.
  int64_t maxPixels = INT32_MAX;
  // Note [Strict]
  // With frame threads a picture can be given out before the decoder knows that it is damaged, and
  // errors do not say which packet they belong to. A strict decoder turns everything suspicious
  // into an error (H.264, HEVC: AV_EF_EXPLODE), and whatever it reports makes the segment be
  // decoded again by one lenient thread, which knows.
  bool strict = false;
  // The build of x264 that the stream's first packet names, for decoders that begin elsewhere
  // (h264EncoderBuild); -1: none.
  int x264Build = -1;
  bool vectors = false;  // pictures come with their motion vectors
};

// One opened decoder. Packets are numbered by the caller (their position in the frame index); the
// number travels through the decoder as the timestamp, so every picture says which packet it is.
class PacketDecoder {
 public:
  // With fewer threads than the config says where so many cannot be had.
  PacketDecoder(const AVCodecParameters& parameters, const DecoderConfig& config);
  // A strict decoder does not take this stream's headers, as it may a picture: of no further use.
  bool refused() const { return refused_; }

  // Takes the picture of one packet, or a decode error (< 0) with a null frame. The frame is only
  // valid during the call; reference it to keep it. False: enough, nothing more is wanted.
  using Output = std::function<bool(AVFrame* frame, int error)>;
  // What the last output said.
  bool decode(AVPacket& packet, int64_t number, const Output& output);
  // Takes what the decoder still holds. Only flush() may follow.
  bool drain(const Output& output);
  // Ready for packets from anywhere else.
  void flush();

  // Numbers of packets whose picture lacks references (Note [Made-up references]), since the last
  // call. With frame threads up to as many packets late as there are threads, but before the
  // picture comes out.
  std::vector<int64_t> takeUnreferenced() { return buffers_.takeRepeated(); }

  // Whether what it reported may come of a lack of memory (Note [Swallowed ENOMEM] in
  // ffmpeg/util.h). To ask before a file is blamed: it tries how much can be had.
  bool ranShort() const;

  // Note [Refused sizes]
  // Whether the pictures that come now are larger than maxPixels, or than FFmpeg takes; of a
  // decoder with one thread. What such a decoder makes of the rest differs from codec to codec, so
  // it gives out what it holds, takes each packet up to the next entry point for an error, and
  // begins anew there. (Where CodecRules::headersApart it just goes on.)
  bool refusesSize() const { return refusesSize_; }

  int threads() const { return context_->thread_count; }
  // Whether a picture may come out later than its packet, as far as is known so far.
  bool holdsBack() const { return context_->has_b_frames > 0; }
  // Something happened that a later use could notice, even after a flush.
  bool tainted() const { return tainted_; }
  const char* name() const { return context_->codec->name; }

 private:
  int open(const AVCodec& codec, const AVCodecParameters& parameters, const DecoderConfig& config,
           int threads);
  bool receive(const Output& output);
  bool giveOut(const Output& output);
  bool takeError(int status, const Output& output);
  bool hasRefusedSize();
  const CodecRules& rules() const { return *bitstream_.rules; }
  bool waits() const { return refusesSize_ && !rules().headersApart; }
  template <typename Call>
  int watch(const Call& call);

  const ParameterSets sets_;
  const DecoderConfig config_;
  BitstreamFormat bitstream_;
  const UniqueAVCodecParameters parameters_;
  PacketBytes packet_;      // that is being decoded
  PictureBuffers buffers_;  // the context points to it
  UniqueAVCodecContext context_;
  UniqueAVFrame frame_;
  bool tainted_ = false;
  bool refused_ = false;
  bool ranShort_ = false;
  bool refusesSize_ = false;
  bool marked_ = false;  // Note [Marks] in picture_marks.h
};

// The number of the packet that a picture came from.
int64_t packetNumber(const AVFrame& frame);
// Whether the decoder says that this picture is not what the encoder made.
bool isDamaged(const AVFrame& frame);

}  // namespace cps
