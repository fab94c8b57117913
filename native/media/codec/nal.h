#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "ffmpeg/handles.h"
#include "media/codec/av1.h"
#include "media/codec/h264.h"

namespace cps {

// How the packets of a stream carry their units, from its codec parameters.
struct BitstreamFormat {
  AVCodecID codec = AV_CODEC_ID_NONE;
  int lengthBytes = 0;    // H.264 and HEVC: bytes of the length prefix; 0: Annex B start codes
  int hevcSubLayers = 0;  // temporal sub-layers as declared; 0: not known
  H264Headers h264;       // as far as they are known
  Av1Sequence av1;        // the same
};
BitstreamFormat bitstreamFormat(const AVCodecParameters& parameters);

// Whether a decoder that starts at this packet decodes every later picture in display order right:
// H.264 IDR, or a recovery point with recovery_frame_cnt 0 whose slices are all intra (open GOP;
// intra refresh has a larger count and is no entry); HEVC IRAP; MPEG-4 I-VOP; MPEG-1/2 I picture;
// VP8, VP9 and AV1 key frames. Other codecs: the container's key flag says it, so true.
bool isEntryPoint(std::span<const uint8_t> packet, const BitstreamFormat& format);

// Whether no other picture refers to this one, so that leaving the packet out changes nothing but
// this picture: H.264 with nal_ref_idc 0 in every slice, HEVC sub-layer non-reference pictures of
// the highest sub-layer, MPEG-1/2 B pictures, AV1 temporal units that refresh no reference slot.
// False when in doubt.
bool isDroppable(std::span<const uint8_t> packet, const BitstreamFormat& format);

// HEVC RASL pictures: after the entry point before them they are shown only where decoding did not
// begin there.
bool isSkippedLeading(std::span<const uint8_t> packet, const BitstreamFormat& format);

// False for H.264 and HEVC packets without a slice: delimiters, messages and parameter sets alone
// make no picture, and that there is none is no damage.
bool holdsPicture(std::span<const uint8_t> packet, const BitstreamFormat& format);

// Whether an MPEG-4 packet holds two pictures or more ("packed", as AVI needs it for B-frames).
bool holdsSeveralVops(std::span<const uint8_t> packet);

// The type of an MPEG-4 packet's picture (vop_coding_type, ISO/IEC 14496-2, table 6-20). Nothing
// where the packet holds several VOPs or none, or one that may be marked as not coded.
enum class VopType : uint8_t { I, P, B, S };
std::optional<VopType> soleVop(std::span<const uint8_t> packet);

// Takes note of headers in the stream, for this packet and those after it (AV1, H.264).
void followHeaders(std::span<const uint8_t> packet, BitstreamFormat& format);

// Pictures that a packet shows, where its headers tell: VP8, VP9 and AV1 may carry hidden ones
// only.
int shownPictures(std::span<const uint8_t> packet, const BitstreamFormat& format);

}  // namespace cps
