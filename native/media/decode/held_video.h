#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "core/call_context.h"
#include "media/container/far_source.h"
#include "media/decode/media_services.h"
#include "media/decode/packet_decoder.h"
#include "media/decode/segment_decoder.h"
#include "media/index/frame_index.h"
#include "media/index/packet_reader.h"

namespace cps {

// A run over windows of a video (Note [Going on] in segment_decoder.h), between two of its calls.
// What it reads and decodes with lives as long as it.
struct OngoingRun {
  FrameIndexPtr index;
  std::shared_ptr<CancelToken> cancel = std::make_shared<CancelToken>();  // acts for the call
  DecoderConfig config;
  std::shared_ptr<FarReading> far;  // the view that it reads a far source by
  std::unique_ptr<PacketReader> reader;
  std::unique_ptr<PacketDecoder> decoder;
  std::unique_ptr<SegmentDecoder> segments;
  int64_t packetsRead = 0, seeks = 0;  // by the reader, that calls have counted
};

// What a video says of its pictures beside VideoInfo.
struct VideoDetails {
  // The stored picture is shown mirrored (left and right), then turned clockwise.
  bool mirrored = false;
  int rotation = 0;  // 0, 90, 180, 270
  int bitDepth = 0;  // 0: not known
  // As colours are computed under colorMatrix 'auto'; "rgb" for RGB. Empty: not known.
  std::string matrix, range;
  std::string primaries, transfer;  // FFmpeg's names of the tags; empty: untagged
};

// Note [Held videos]
// A video that was opened once and serves many calls: its bytes stay open and its index is kept for
// as long as somebody holds it, whatever the index cache does. It is immutable but for one thing:
// an index that came from disk and turns out to be wrong is replaced. Thread-safe.
class HeldVideo final : public VideoHandle {
 public:
  HeldVideo(std::shared_ptr<ByteSource> bytes, FrameIndexPtr index);

  std::string describe() const override { return state_->bytes->describe(); }
  const std::shared_ptr<ByteSource>& bytes() const { return state_->bytes; }
  const VideoDetails& details() const { return state_->details; }
  FrameIndexPtr index() const;
  void replaceIndex(FrameIndexPtr index) const;

  // The same video for a sequence of calls that each ask for later frames than the one before:
  // where one has stopped decoding the next goes on.
  std::shared_ptr<HeldVideo> reader() const;
  bool goesOn() const { return goesOn_; }
  // What the last call has left, once; null: nothing, or another call has it.
  std::unique_ptr<OngoingRun> takeRun() const;
  void giveBack(std::unique_ptr<OngoingRun> run) const;

 private:
  struct State {
    std::shared_ptr<ByteSource> bytes;
    VideoDetails details;
    mutable std::mutex mutex;
    FrameIndexPtr index;
  };
  explicit HeldVideo(std::shared_ptr<State> state);
  friend std::shared_ptr<HeldVideo> holdVideo(const VideoInput& input, const CallContext& call,
                                              const MediaServices& services);

  const std::shared_ptr<State> state_;
  const bool goesOn_;
  mutable std::mutex mutex_;
  mutable std::unique_ptr<OngoingRun> run_;
};

// Opens a video as a call does, and holds it. Where the container does not tell the colours, its
// first picture is decoded for them. Throws what a call throws.
std::shared_ptr<HeldVideo> holdVideo(const VideoInput& input, const CallContext& call,
                                     const MediaServices& services);

}  // namespace cps
