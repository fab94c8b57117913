#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace cps {

// What a slice header cannot be read without (H.264 7.3.2.1.1), and whether all pictures are whole
// frames.
struct H264Sequence {
  bool known = false;
  bool framesOnly = false;
  int mostReferences = -1;  // max_num_ref_frames
  bool gaps = false;        // gaps_in_frame_num_value_allowed_flag
  bool separatePlanes = false;
  int frameNumBits = 0;
  int orderType = 0;       // pic_order_cnt_type
  int orderBits = 0;       // of pic_order_cnt_lsb, where the type is 0
  int mostReordered = -1;  // pictures that may be shown after one decoded later; -1: not said
  int codedWidth = 0, codedHeight = 0;  // in whole macroblocks
  int width = 0, height = 0;            // after cropping
  bool cutsTopOrLeft = false;
};

// The parameter sets seen so far.
struct H264Headers {
  std::array<H264Sequence, 32> sequence;  // by id
  std::array<int8_t, 256> sequenceOf;     // of each picture parameter set; -1: not seen

  H264Headers() { sequenceOf.fill(-1); }
};

// `lengthBytes`: of the length prefix of each unit; 0: Annex B start codes.
int h264LengthBytes(std::span<const uint8_t> extradata);
void readH264Extradata(std::span<const uint8_t> extradata, H264Headers& headers);
// Those in front of the first slice.
void readH264Headers(std::span<const uint8_t> packet, int lengthBytes, H264Headers& headers);
// Whether every picture is a whole frame; nullopt when no sequence parameter set was seen.
std::optional<bool> h264FramesOnly(const H264Headers& headers);

// The build of x264 that a message in front of the first slice names, or -1. FFmpeg needs it:
// builds before 151 write 4:4:4, and those before 34 B pictures, in other ways than the standard.
int h264EncoderBuild(std::span<const uint8_t> packet, int lengthBytes);

// Note [Picture numbers]
// A decoder that misses a reference takes another picture for it, and where pictures that nothing
// refers to come in between FFmpeg does not even notice. The stream tells: reference pictures are
// numbered without a gap (frame_num, H.264 7.4.3), unless its parameter set allows gaps, which
// means that pictures were left out on purpose and none that is there refers to them. A number of 0
// or 1 may also follow memory_management_control_operation 5, which restarts the count: no gap.
class H264PictureNumbers {
 public:
  // The next packet in decode order. False: a reference picture is missing before it.
  bool follows(std::span<const uint8_t> packet, int lengthBytes, const H264Headers& headers);
  // The parameter set of that packet's picture; not `known` where it was not seen.
  const H264Sequence& sequence() const { return sequence_; }
  // Its frame_num where it is a reference picture.
  std::optional<uint32_t> referenceNumber() const {
    return number_ == kNone ? std::nullopt : std::optional<uint32_t>(number_);
  }
  // Of a gradual refresh that begins with it: after how many frames it ends; else 0.
  uint32_t refreshesIn() const { return refreshesIn_; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  uint32_t reference_ = kNone;  // frame_num of the reference picture before
  uint32_t number_ = kNone;
  uint32_t refreshesIn_ = 0;
  H264Sequence sequence_;
};

// Note [Gradual refresh]
// A stream without key frames (intra refresh) renews its pictures bit by bit, and a recovery point
// message says when one round is over: in output order from the reference picture on whose
// frame_num is recovery_frame_cnt larger (H.264 D.2.8). Where exact_match_flag is set the pictures
// from there on are those that the encoder made, whatever came before the message. So damage ends
// there. (A stream is not entered there: decoders show such pictures late.)
class H264Refreshes {
 public:
  // The next packet in decode order, as `numbers` have read it. The packet at which the refresh
  // began that ends with its picture; -1: none does.
  int32_t endedBy(int32_t ordinal, const H264PictureNumbers& numbers);

 private:
  struct Open {
    int32_t from;
    uint32_t number;  // frame_num of the picture that ends it
  };
  std::vector<Open> open_;
};

// Whether pictures of this parameter set may come out of a decoder in this size: as cropped, or
// with the container's cropping where the set has none.
bool h264MayHaveSize(const H264Sequence& sequence, int width, int height);

}  // namespace cps
