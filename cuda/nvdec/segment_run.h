#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "cuda/nvdec/packet_filter.h"
#include "cuda/nvdec/parser.h"
#include "cuda/nvdec/session.h"
#include "media/decode/indexed_video.h"
#include "media/decode/segment_damage.h"

namespace cps {

// Note [Timestamps through the parser]
// A packet goes into the parser with the rank of its picture in display order, times a step, as its
// timestamp: distinct, ascending like presentation times, and what comes out with a picture says
// which packet it was. Where a picture has no timestamp the parser makes one up: that of the one
// before and multiples of half the duration of a picture in ticks of 10 MHz (400000 at 25/s). The
// step is a prime beyond any such duration (32 bits), so none of these is another picture's.
class PictureClock {
 public:
  explicit PictureClock(const FrameIndex& index);
  std::optional<int64_t> timestampOf(int32_t ordinal) const;
  int32_t ordinalOf(int64_t timestamp) const;  // -1: of no packet

 private:
  static constexpr int64_t kStep = 8589934609;  // the first prime above 2^33
  std::vector<int32_t> ranks_;                  // per ordinal; -1: its picture is never shown
  std::vector<int32_t> ordinals_;               // per rank
};

// A picture copied out of a decoder.
struct NvdecPicture {
  std::shared_ptr<const void> owner;
  FrameView view;
};

struct NvdecCounters {
  int64_t packetsDecoded = 0, packetsDropped = 0, mapped = 0;
  NvdecCounters& operator+=(const NvdecCounters& other) {
    packetsDecoded += other.packetsDecoded;
    packetsDropped += other.packetsDropped;
    mapped += other.mapped;
    return *this;
  }
};

// What a run needs of its source.
struct NvdecJob {
  const IndexedVideo& video;
  const PictureClock& clock;
  NvdecFormat format;
  NvdecDevice& nvdec;
  bool reuse;             // take idle decoders
  unsigned displayDelay;  // pictures the parser may hold back to keep the engine busy
  ColorSpec color;
  CancelPtr cancel;
};

// Decodes segments on one NVDEC session and gives the wanted pictures out. Only their surfaces are
// mapped; each is copied within the device and unmapped. Copies overlap with further decoding: up
// to kMappedSurfaces - 1 are under way.
class NvdecRun final : public ParserEvents {
 public:
  using Give = std::function<void(int32_t ordinal, NvdecPicture picture)>;

  NvdecRun(const NvdecJob& job, Give give);
  ~NvdecRun() override;

  // Damaged: the first picture that does not arrive undamaged.
  SegmentOutcome decode(const DecodeSegment& segment, PacketReader& reader);
  const NvdecCounters& counters() const { return counters_; }
  // After all segments went well: the decoder, good for others.
  std::unique_ptr<NvdecSession> takeSession() { return std::move(session_); }

 private:
  struct Mapped {
    CUdeviceptr surface = 0;
    CUevent copied = nullptr;
    int32_t ordinal = -1;
    int pictureIndex = -1;
    NvdecPicture picture;
  };

  int onSequence(const CUVIDEOFORMAT& format) override;
  bool onDecode(CUVIDPICPARAMS& picture) override;
  bool onDisplay(const CUVIDPARSERDISPINFO& info) override;

  // Like the events, these are false where the run ends early, with outcome_.
  bool stop(SegmentOutcome::Kind kind, int32_t ordinal, std::string reason = {});
  bool feed(const DecodeSegment& segment, PacketReader& reader, NvdecParser& parser);
  bool mayDrop(const AVPacket& packet, int32_t ordinal, int32_t first) const;
  bool map(const CUVIDPARSERDISPINFO& info, int32_t ordinal);
  bool decodesTo(const NvdecFormat& seen) const;
  Error misfit(const NvdecFormat& seen, int32_t width, int32_t height) const;
  NvdecPicture copyOut(CUdeviceptr surface, size_t pitch);
  bool giveOldest();
  void release(Mapped& mapped) noexcept;
  void readStatus(int pictureIndex);

  const NvdecJob& job_;
  const FrameIndex& index_;
  BitstreamFormat bitstream_;  // with the headers read so far
  Give give_;
  DeviceContext& device_;
  PacketFilter filter_;
  std::unique_ptr<NvdecSession> session_;
  NvdecCounters counters_;
  SegmentOutcome outcome_;

  int32_t cropLeft_ = 0, cropTop_ = 0;
  std::vector<int32_t> targets_;  // ascending, not mapped yet
  size_t targetCount_ = 0, given_ = 0;
  std::deque<Mapped> mapped_;  // the oldest first
  std::vector<int32_t>
      shownOrdinals_;  // per decode surface: its picture, until its status is known
  SegmentDamage damage_;
  H264PictureNumbers h264Numbers_;
  H264Refreshes refreshes_;
};

}  // namespace cps
