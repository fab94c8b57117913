#include "media/codec/nal.h"

#include <algorithm>

#include "media/codec/av1.h"
#include "media/codec/bit_reader.h"
#include "media/codec/nal_units.h"

namespace cps {
namespace {

// nal_unit_type of the first slice; -1 when there is none.
int hevcSliceType(std::span<const uint8_t> packet, int lengthBytes) {
  int slice = -1;
  forEachNal(packet, lengthBytes, [&](std::span<const uint8_t> nal) {
    const int type = (nal[0] >> 1) & 63;
    if (type >= 32) return true;
    slice = type;
    return false;
  });
  return slice;
}

bool isHevcEntry(std::span<const uint8_t> packet, int lengthBytes) {
  const int type = hevcSliceType(packet, lengthBytes);
  return type >= 16 && type <= 21;
}

bool isHevcDroppable(std::span<const uint8_t> packet, const BitstreamFormat& format) {
  if (format.hevcSubLayers < 1) return false;
  bool slices = false, referenced = false;
  const bool whole = forEachNal(packet, format.lengthBytes, [&](std::span<const uint8_t> nal) {
    if (nal.size() < 2) {
      referenced = true;
      return false;
    }
    const int type = (nal[0] >> 1) & 63;
    const int temporalId = (nal[1] & 7) - 1;
    const int layer = (nal[0] & 1) << 5 | nal[1] >> 3;
    if (type < 32) {
      slices = true;
      if (type >= 16 || type % 2 != 0 || temporalId != format.hevcSubLayers - 1 || layer != 0) {
        referenced = true;
      }
    } else if (type <= 34) {
      referenced = true;  // VPS, SPS, PPS
    }
    return !referenced;
  });
  return whole && slices && !referenced;
}

struct Vops {
  int count = 0;
  std::optional<VopType> first;
};

Vops vopsOf(std::span<const uint8_t> d) {
  constexpr int kVop = 0xB6;
  Vops vops;
  for (size_t at = findStartCode(d, 0); at + 3 < d.size(); at = findStartCode(d, at + 3)) {
    if (d[at + 3] != kVop) continue;
    ++vops.count;
    // vop_coding_type
    if (!vops.first && at + 4 < d.size()) vops.first = static_cast<VopType>(d[at + 4] >> 6);
  }
  return vops;
}

// FFmpeg's decoder makes a reference up where there is none.
bool isMpeg4Entry(std::span<const uint8_t> d) {
  return vopsOf(d).first.value_or(VopType::I) == VopType::I;
}

bool isMpeg12Entry(std::span<const uint8_t> d) {
  for (size_t at = findStartCode(d, 0); at + 5 < d.size(); at = findStartCode(d, at + 3)) {
    if (d[at + 3] == 0x00) return (d[at + 5] >> 3 & 7) == 1;  // picture_coding_type I
  }
  return true;
}

bool isMpeg12Droppable(std::span<const uint8_t> d) {
  constexpr int kBPicture = 3;
  bool pictures = false;
  for (size_t at = findStartCode(d, 0); at + 5 < d.size(); at = findStartCode(d, at + 3)) {
    const int code = d[at + 3];
    if (code == 0xB3 || code == 0xB8) return false;  // sequence or group header
    if (code == 0x00) {
      if (((d[at + 5] >> 3) & 7) != kBPicture) return false;
      pictures = true;
    }
    if (code >= 0x01 && code <= 0xAF) break;  // slices begin; the header is read
  }
  return pictures;
}

// The number of sub-layers that hvcC or an Annex B SPS declares.
int hevcSubLayers(std::span<const uint8_t> extra, int lengthBytes) {
  if (lengthBytes > 0) return extra.size() > 21 ? (extra[21] >> 3) & 7 : 0;
  int layers = 0;
  forEachNal(extra, 0, [&](std::span<const uint8_t> nal) {
    constexpr int kSps = 33;
    if (nal.size() > 2 && ((nal[0] >> 1) & 63) == kSps)
      layers = std::max(layers, ((nal[2] >> 1) & 7) + 1);
    return true;
  });
  return layers;
}

// Shown pictures of one VP9 frame: 0 or 1.
int vp9Shown(std::span<const uint8_t> frame) {
  if (frame.empty()) return 0;
  BitReader r(frame.first(std::min<size_t>(frame.size(), 2)));
  if (r.bits(2) != 2) return 1;
  const uint32_t low = r.bit();
  const uint32_t high = r.bit();
  if (high << 1 == 2 && low == 1) r.bit();  // profile 3 has a reserved bit
  if (r.bit()) return 1;                    // show_existing_frame
  r.bit();                                  // frame_type
  return r.bit() ? 1 : 0;
}

bool isVp9Entry(std::span<const uint8_t> d) {
  if (d.empty()) return false;
  BitReader r(d.first(std::min<size_t>(d.size(), 2)));
  r.bits(2);                                           // frame_marker
  if (r.bits(2) == 3) r.bit();                         // profile 3 has a reserved bit
  const bool showExisting = r.bit(), inter = r.bit();  // show_existing_frame, frame_type
  return !showExisting && !inter;
}

int vp9ShownPictures(std::span<const uint8_t> d) {
  const uint8_t marker = d.back();
  if ((marker & 0xE0) == 0xC0) {  // superframe: the index at the end gives the sizes
    const size_t frames = (marker & 7) + 1;
    const size_t bytes = ((marker >> 3) & 3) + 1;
    const size_t indexSize = 2 + frames * bytes;
    if (d.size() >= indexSize && d[d.size() - indexSize] == marker) {
      const uint8_t* p = &d[d.size() - indexSize + 1];
      size_t at = 0;
      int shown = 0;
      for (size_t i = 0; i < frames; ++i) {
        size_t n = 0;
        for (size_t b = 0; b < bytes; ++b) n |= size_t{*p++} << (8 * b);
        if (n > d.size() - indexSize - at) return 1;
        shown += vp9Shown(d.subspan(at, n));
        at += n;
      }
      return shown;
    }
  }
  return vp9Shown(d);
}

}  // namespace

BitstreamFormat bitstreamFormat(const AVCodecParameters& par) {
  BitstreamFormat format;
  format.codec = par.codec_id;
  const std::span<const uint8_t> extra(par.extradata, static_cast<size_t>(par.extradata_size));
  if (par.codec_id == AV_CODEC_ID_H264) {
    format.lengthBytes = h264LengthBytes(extra);
    readH264Extradata(extra, format.h264);
  } else if (par.codec_id == AV_CODEC_ID_HEVC) {
    if (isHvcc(extra)) format.lengthBytes = (extra[21] & 3) + 1;
    format.hevcSubLayers = hevcSubLayers(extra, format.lengthBytes);
  } else if (par.codec_id == AV_CODEC_ID_AV1) {
    // av1C: four bytes, then OBUs; other containers give the OBUs alone.
    const bool av1c = extra.size() >= 4 && extra[0] == 0x81;
    format.av1 = av1SequenceOf(av1c ? extra.subspan(4) : extra).value_or(Av1Sequence());
  }
  return format;
}

bool isEntryPoint(std::span<const uint8_t> packet, const BitstreamFormat& format) {
  switch (format.codec) {
    case AV_CODEC_ID_H264:
      return isH264Entry(packet, format.lengthBytes);
    case AV_CODEC_ID_HEVC:
      return isHevcEntry(packet, format.lengthBytes);
    case AV_CODEC_ID_MPEG4:
      return isMpeg4Entry(packet);
    case AV_CODEC_ID_MPEG1VIDEO:
    case AV_CODEC_ID_MPEG2VIDEO:
      return isMpeg12Entry(packet);
    case AV_CODEC_ID_VP8:
      return !packet.empty() && (packet[0] & 1) == 0;  // key_frame
    case AV_CODEC_ID_VP9:
      return isVp9Entry(packet);
    case AV_CODEC_ID_AV1:
      return isAv1Entry(packet);
    default:
      return true;
  }
}

bool isDroppable(std::span<const uint8_t> packet, const BitstreamFormat& format) {
  switch (format.codec) {
    case AV_CODEC_ID_H264:
      return isH264Droppable(packet, format.lengthBytes);
    case AV_CODEC_ID_HEVC:
      return isHevcDroppable(packet, format);
    case AV_CODEC_ID_MPEG1VIDEO:
    case AV_CODEC_ID_MPEG2VIDEO:
      return isMpeg12Droppable(packet);
    case AV_CODEC_ID_AV1:
      return isAv1Droppable(packet, format.av1);
    default:
      return false;
  }
}

bool isSkippedLeading(std::span<const uint8_t> packet, const BitstreamFormat& format) {
  if (format.codec != AV_CODEC_ID_HEVC) return false;
  const int type = hevcSliceType(packet, format.lengthBytes);
  return type == 8 || type == 9;  // RASL_N, RASL_R
}

void followHeaders(std::span<const uint8_t> packet, BitstreamFormat& format) {
  if (format.codec == AV_CODEC_ID_AV1) {
    if (const auto sequence = av1SequenceOf(packet)) format.av1 = *sequence;
  } else if (format.codec == AV_CODEC_ID_H264) {
    readH264Headers(packet, format.lengthBytes, format.h264);
  }
}

bool holdsPicture(std::span<const uint8_t> packet, const BitstreamFormat& format) {
  const bool hevc = format.codec == AV_CODEC_ID_HEVC;
  if (!hevc && format.codec != AV_CODEC_ID_H264) return true;
  int others = 0;
  bool picture = false;
  const bool whole = forEachNal(packet, format.lengthBytes, [&](std::span<const uint8_t> nal) {
    const int type = hevc ? (nal[0] >> 1) & 63 : nal[0] & 31;
    // Messages, parameter sets, delimiters, ends of sequence and stream, filler.
    const bool other = hevc ? type >= 32 && type <= 40 : type >= 6 && type <= 13;
    picture = !other;
    ++others;
    return other;
  });
  return picture || !whole || others == 0;
}

bool holdsSeveralVops(std::span<const uint8_t> packet) { return vopsOf(packet).count > 1; }

std::optional<VopType> soleVop(std::span<const uint8_t> packet) {
  // As short as this a VOP may be one that is not coded, which shows nothing (FFmpeg's
  // mpeg4_unpack_bframes draws the line there too).
  constexpr size_t kNotCodedBytes = 19;
  const Vops vops = vopsOf(packet);
  if (packet.size() <= kNotCodedBytes || vops.count != 1) return std::nullopt;
  return vops.first;
}

int shownPictures(std::span<const uint8_t> packet, const BitstreamFormat& format) {
  if (packet.empty()) return 0;
  if (format.codec == AV_CODEC_ID_VP8) return (packet[0] & 0x10) ? 1 : 0;
  if (format.codec == AV_CODEC_ID_VP9) return vp9ShownPictures(packet);
  if (format.codec == AV_CODEC_ID_AV1) return av1ShownPictures(packet, format.av1);
  return 1;
}

}  // namespace cps
