#include "media/nal.h"

#include <algorithm>

#include "media/av1.h"
#include "media/bit_reader.h"

namespace cps {
namespace {

// First position at or after `from` of a start code 00 00 01; the size when there is none.
size_t findStartCode(std::span<const uint8_t> d, size_t from) {
  for (size_t i = from; i + 2 < d.size();) {
    if (d[i + 2] > 1) {
      i += 3;
    } else if (d[i + 2] == 1 && d[i] == 0 && d[i + 1] == 0) {
      return i;
    } else {
      ++i;
    }
  }
  return d.size();
}

// Calls visit(nal) for each unit until it returns false. False when the framing is broken.
template <typename Visit>
bool forEachNal(std::span<const uint8_t> d, int lengthBytes, Visit visit) {
  if (lengthBytes == 0) {
    size_t at = findStartCode(d, 0);
    while (at < d.size()) {
      const size_t begin = at + 3;
      at = findStartCode(d, begin);
      if (at > begin && !visit(d.subspan(begin, at - begin))) return true;
    }
    return true;
  }
  size_t at = 0;
  while (at + lengthBytes <= d.size()) {
    size_t n = 0;
    for (int i = 0; i < lengthBytes; ++i) n = n << 8 | d[at++];
    if (n > d.size() - at) return false;
    if (n > 0 && !visit(d.subspan(at, n))) return true;
    at += n;
  }
  return at == d.size();
}

enum H264Nal { kH264Slice = 1, kH264PartA = 2, kH264PartC = 4, kH264Idr = 5, kH264Sei = 6 };
constexpr int kH264Sps = 7;

bool isH264IntraSlice(std::span<const uint8_t> nal) {
  BitReader r(nal.subspan(1));
  r.ue();  // first_mb_in_slice
  const uint32_t type = r.ue() % 5;
  return !r.ended() && (type == 2 || type == 4);
}

// recovery_frame_cnt of a recovery point message in this SEI unit, or -1.
int64_t h264RecoveryCount(std::span<const uint8_t> nal) {
  constexpr uint32_t kRecoveryPoint = 6;
  BitReader r(nal.subspan(1));
  while (!r.ended()) {
    uint32_t type = 0, size = 0, byte;
    do type += byte = r.bits(8);
    while (byte == 255 && !r.ended());
    do size += byte = r.bits(8);
    while (byte == 255 && !r.ended());
    if (r.ended()) return -1;
    if (type == kRecoveryPoint) return r.ue();
    for (uint32_t i = 0; i < size && !r.ended(); ++i) r.bits(8);
  }
  return -1;
}

bool isH264Entry(std::span<const uint8_t> packet, int lengthBytes) {
  bool idr = false, recovery = false, slices = false, intra = true;
  const bool whole = forEachNal(packet, lengthBytes, [&](std::span<const uint8_t> nal) {
    const int type = nal[0] & 31;
    if (type == kH264Idr) {
      idr = true;
      return false;
    }
    if (type == kH264Sei && h264RecoveryCount(nal) == 0) recovery = true;
    if (type >= kH264Slice && type <= kH264PartC) {
      slices = true;
      intra = intra && type <= kH264PartA && isH264IntraSlice(nal);
    }
    return true;
  });
  return idr || (whole && recovery && slices && intra);
}

bool isHevcEntry(std::span<const uint8_t> packet, int lengthBytes) {
  bool irap = false;
  forEachNal(packet, lengthBytes, [&](std::span<const uint8_t> nal) {
    const int type = (nal[0] >> 1) & 63;
    if (type >= 32) return true;
    irap = type >= 16 && type <= 21;
    return false;
  });
  return irap;
}

bool isH264Droppable(std::span<const uint8_t> packet, int lengthBytes) {
  bool slices = false, referenced = false;
  const bool whole = forEachNal(packet, lengthBytes, [&](std::span<const uint8_t> nal) {
    const int type = nal[0] & 31;
    if (type >= kH264Slice && type <= kH264Idr) {
      slices = true;
      referenced = referenced || type == kH264Idr || (nal[0] & 0x60) != 0;
    } else if (type == kH264Sps || type == 8) {
      referenced = true;  // parameter sets that later pictures may need
    }
    return !referenced;
  });
  return whole && slices && !referenced;
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

bool spsFramesOnly(std::span<const uint8_t> nal) {
  BitReader r(nal.subspan(1));
  const uint32_t profile = r.bits(8);
  r.bits(16);  // constraints, level
  r.ue();      // id
  static constexpr uint32_t kHigh[] = {100, 110, 122, 244, 44,  83, 86,
                                       118, 128, 138, 139, 134, 135};
  if (std::find(std::begin(kHigh), std::end(kHigh), profile) != std::end(kHigh)) {
    const uint32_t chroma = r.ue();
    if (chroma == 3) r.bit();
    r.ue();
    r.ue();
    r.bit();
    if (r.bit()) {  // scaling matrices
      for (int i = 0; i < (chroma == 3 ? 12 : 8); ++i) {
        if (!r.bit()) continue;
        int last = 8, next = 8;
        for (int j = 0; j < (i < 6 ? 16 : 64); ++j) {
          if (next != 0) next = (last + r.se() + 256) % 256;
          last = next == 0 ? last : next;
        }
      }
    }
  }
  r.ue();  // log2_max_frame_num
  const uint32_t pocType = r.ue();
  if (pocType == 0) {
    r.ue();
  } else if (pocType == 1) {
    r.bit();
    r.se();
    r.se();
    const uint32_t cycle = r.ue();
    for (uint32_t i = 0; i < cycle && i < 256; ++i) r.se();
  }
  r.ue();  // max_num_ref_frames
  r.bit();
  r.ue();
  r.ue();
  const bool framesOnly = r.bit() != 0;
  return framesOnly && !r.ended();
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
    if (extra.size() >= 7 && extra[0] == 1) format.lengthBytes = (extra[4] & 3) + 1;
  } else if (par.codec_id == AV_CODEC_ID_HEVC) {
    // Annex B begins with a start code, hvcC with its version.
    const bool hvcc = extra.size() >= 23 && (extra[0] || extra[1] || extra[2] > 1);
    if (hvcc) format.lengthBytes = (extra[21] & 3) + 1;
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

void followHeaders(std::span<const uint8_t> packet, BitstreamFormat& format) {
  if (format.codec != AV_CODEC_ID_AV1) return;
  if (const auto sequence = av1SequenceOf(packet)) format.av1 = *sequence;
}

int shownPictures(std::span<const uint8_t> packet, AVCodecID codec) {
  if (packet.empty()) return 0;
  if (codec == AV_CODEC_ID_VP8) return (packet[0] & 0x10) ? 1 : 0;
  if (codec == AV_CODEC_ID_VP9) return vp9ShownPictures(packet);
  return 1;
}

std::optional<bool> h264FramesOnly(std::span<const uint8_t> extradata,
                                   std::span<const uint8_t> firstPacket,
                                   const BitstreamFormat& format) {
  std::optional<bool> framesOnly;
  const auto look = [&](std::span<const uint8_t> nal) {
    if ((nal[0] & 31) == kH264Sps && nal.size() > 4) {
      framesOnly = framesOnly.value_or(true) && spsFramesOnly(nal);
    }
    return true;
  };
  if (format.lengthBytes > 0) {  // avcC: a count of parameter sets, each with a 16-bit size
    const size_t count = extradata[5] & 31;
    size_t at = 6;
    for (size_t i = 0; i < count && at + 2 <= extradata.size(); ++i) {
      const size_t n = size_t{extradata[at]} << 8 | extradata[at + 1];
      at += 2;
      if (n == 0 || n > extradata.size() - at) break;
      look(extradata.subspan(at, n));
      at += n;
    }
  } else {
    forEachNal(extradata, 0, look);
  }
  forEachNal(firstPacket, format.lengthBytes, look);
  return framesOnly;
}

}  // namespace cps
