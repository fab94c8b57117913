// Codecs of which next to nothing has to be read off the packets.

#include "media/codec/codec_rules.h"

namespace cps {

extern const CodecRules kCfhdRules, kDrawnOverRules, kMjpegRules, kPlainIntraRules, kTheoraRules;

// ProRes, DNxHD, HuffYUV, Ut Video, JPEG 2000, DV, raw video.
constinit const CodecRules kPlainIntraRules = {
    .intraOnly = true,
    .reorders = false,
    .onePicturePerPacket = true,
    .frameThreads = true,
    .mayJump = true,
};

constinit const CodecRules kMjpegRules = {
    .intraOnly = true,
    .reorders = false,
    .onePicturePerPacket = true,
    .frameThreads = true,
    .mayJump = true,
    .marks = true,
    .concealsOverMarks = true,
};

// CineForm
constinit const CodecRules kCfhdRules = {
    .reorders = false,
    .onePicturePerPacket = true,
};

constinit const CodecRules kTheoraRules = {
    .reorders = false,
    .headersApart = true,
    .holdsPicture =
        [](PacketBytes packet, const BitstreamFormat&) {
          return packet.empty() || (packet[0] & 0x80) == 0;  // else a header
        },
};

// QuickTime Animation, Microsoft RLE and Video 1, Cinepak, Apple Video and Graphics: each picture
// is drawn over the one before.
constinit const CodecRules kDrawnOverRules = {
    .reorders = false,
    .marks = true,
    .concealsOverMarks = true,
};

}  // namespace cps
