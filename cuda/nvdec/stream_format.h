#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "cuda/driver/driver_api.h"
#include "media/decode/indexed_video.h"

namespace cps {

// What a decoder must be able to do for a stream, and what its surfaces look like.
struct NvdecFormat {
  cudaVideoCodec codec = cudaVideoCodec_NumCodecs;
  cudaVideoChromaFormat chroma = cudaVideoChromaFormat_420;
  int bitDepth = 8;
  bool operator==(const NvdecFormat&) const = default;

  // NV12, P016, YUV444 or YUV444_16Bit.
  cudaVideoSurfaceFormat surface() const;
  bool is444() const { return chroma == cudaVideoChromaFormat_444; }
  int sampleBytes() const { return bitDepth > 8 ? 2 : 1; }
  // "hevc, 4:2:0, 10 bit".
  std::string describe() const;
};

// Note [Tags from headers]
// What pictures say of themselves: needed before decoding, to ask what the device can do, and for
// colours. Containers do not tell, or tell something else than the bitstream; NVDEC's parser tells
// chroma and depth but neither which of container and bitstream FFmpeg believes nor the colours of
// VP9 and MJPEG. So FFmpeg's own decoder gets the first packet and is stopped where it asks which
// pixel format to decode to: by then it has read the headers and nothing of the picture. What it
// knows at that moment is what its pictures would carry (a test compares every fixture). Codecs
// that learn more later (VP8) or do not ask (dav1d, where the container has no sequence header)
// decode that one picture.
struct StreamTags {
  AVPixelFormat format = AV_PIX_FMT_NONE;
  AVColorSpace space = AVCOL_SPC_UNSPECIFIED;
  AVColorRange range = AVCOL_RANGE_UNSPECIFIED;
  bool operator==(const StreamTags&) const = default;
};

// The tags of the stream's pictures. `headersOnly`: false decodes the first picture in any case.
// Format NONE when neither headers nor picture can be read. `decoded` says whether a picture was.
StreamTags readStreamTags(const IndexedVideo& video, bool headersOnly, bool* decoded = nullptr);

// The tags of recently opened videos, as long as their frame index lives.
class StreamTagsCache {
 public:
  // Throws Error(BackendUnavailable) when the first packet cannot be read.
  StreamTags get(const IndexedVideo& video);

 private:
  std::mutex mutex_;
  std::vector<std::pair<std::weak_ptr<const FrameIndex>, StreamTags>> known_;
};

// Throws Error(BackendUnavailable) for streams that NVDEC has no way to decode.
NvdecFormat nvdecFormatOf(const FrameIndex& index, const StreamTags& tags);
// Throws the same for a codec NVDEC does not know, and where packets do not tell the pictures apart
// (Note [Trust] in frame_index.h).
void checkNvdecStream(const FrameIndex& index);

}  // namespace cps
