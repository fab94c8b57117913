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

// Note [Pictures by surface]
// Which packet a picture is of is not what NVDEC's parser says when it shows the picture: it moves
// timestamps on by one after each hidden picture of VP8 and VP9, swaps those of HEVC after pictures
// that it leaves out (RASL), and makes some up where a stream has none. What is certain is which
// packet is being parsed when a picture is decoded into a surface: each packet is a whole picture
// (or field, or one with hidden ones), the parser is told that it ends there
// (CUVID_PKT_ENDOFPICTURE) and keeps nothing back for the next one. That the bytes are that
// packet's is looked at, too. The surface then goes by its packet until another picture is decoded
// into it. AV1 alone goes by timestamps: a packet may show a surface that another packet decoded,
// and film grain is added in yet another one, but the timestamp is always that of the packet that
// shows it.

// Timestamps that say which packet they were given with. Where a picture has none the parser makes
// one up: that of the one before and multiples of half the duration of a picture in ticks of 10 MHz
// (400000 at 25/s). The step is a prime beyond any such duration (32 bits), so none of these is
// another packet's.
struct PacketClock {
  static constexpr int64_t kStep = 8589934609;  // the first prime above 2^33
  static int64_t timestampOf(int32_t ordinal) { return (int64_t{ordinal} + 1) * kStep; }
  // -1: of no packet.
  static int32_t ordinalOf(int64_t timestamp, size_t packets) {
    if (timestamp <= 0 || timestamp % kStep != 0) return -1;
    const int64_t ordinal = timestamp / kStep - 1;
    return ordinal < static_cast<int64_t>(packets) ? static_cast<int32_t>(ordinal) : -1;
  }
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
  // Of a run that ended so for a picture that NVDEC decoded without a complaint and never showed.
  bool neverShown() const { return neverShown_; }
  const NvdecCounters& counters() const { return counters_; }
  // After all segments went well: the decoder, good for others.
  std::unique_ptr<NvdecSession> takeSession() { return std::move(session_); }

 private:
  struct Surface {
    int32_t ordinal = -1;    // the packet of the picture in it
    bool statusDue = false;  // what became of it is not known yet
  };
  struct Mapped {
    CUdeviceptr surface = 0;
    CUevent copied = nullptr;
    uint64_t ticket = 0;  // of the copy, in the session's stream
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
  void checkOrigin(const CUVIDPICPARAMS& picture) const;
  int32_t ordinalOf(const CUVIDPARSERDISPINFO& info) const;
  bool mayDrop(const AVPacket& packet, int32_t ordinal, int32_t first) const;
  bool map(const CUVIDPARSERDISPINFO& info, int32_t ordinal);
  CUdeviceptr mapSurface(int pictureIndex, CUVIDPROCPARAMS& params, unsigned& pitch);
  bool decodesTo(const NvdecFormat& seen) const;
  Error misfit(const NvdecFormat& seen, int32_t width, int32_t height) const;
  NvdecPicture copyOut(CUdeviceptr surface, size_t pitch);
  bool giveOldest();
  void release(Mapped& mapped) noexcept;
  void readStatus(int pictureIndex);
  void settleStatus(int pictureIndex);

  const NvdecJob& job_;
  const FrameIndex& index_;
  BitstreamFormat bitstream_;  // with the headers read so far
  Give give_;
  DeviceContext& device_;
  PacketFilter filter_;
  std::unique_ptr<NvdecSession> session_;
  NvdecCounters counters_;
  SegmentOutcome outcome_;

  int32_t current_ = -1;  // the packet that is being parsed
  std::span<const uint8_t> currentBytes_;
  bool neverShown_ = false;
  int32_t cropLeft_ = 0, cropTop_ = 0;
  std::vector<int32_t> targets_;  // ascending, not mapped yet
  size_t targetCount_ = 0, given_ = 0;
  std::deque<Mapped> mapped_;  // the oldest first
  std::vector<Surface> surfaces_;
  SegmentDamage damage_;
  H264PictureNumbers h264Numbers_;
  H264Refreshes refreshes_;
};

}  // namespace cps
