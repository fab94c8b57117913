#include "media/codec/codec_rules.h"

#include <algorithm>
#include <iterator>

namespace cps {

// Each in its codec's file.
extern const CodecRules kAv1Rules, kFfv1Rules, kH264Rules, kHevcRules;
extern const CodecRules kMpeg12Rules, kMpeg4Rules, kVp8Rules, kVp9Rules;
extern const CodecRules kApngRules, kGifRules, kPngRules;
extern const CodecRules kCfhdRules, kDrawnOverRules, kMjpegRules, kPlainIntraRules, kTheoraRules;

namespace {

struct Row {
  AVCodecID codec;
  const CodecRules& rules;
};

constexpr Row kTable[] = {
    {AV_CODEC_ID_H264, kH264Rules},
    {AV_CODEC_ID_HEVC, kHevcRules},
    {AV_CODEC_ID_AV1, kAv1Rules},
    {AV_CODEC_ID_VP9, kVp9Rules},
    {AV_CODEC_ID_VP8, kVp8Rules},
    {AV_CODEC_ID_MPEG1VIDEO, kMpeg12Rules},
    {AV_CODEC_ID_MPEG2VIDEO, kMpeg12Rules},
    {AV_CODEC_ID_MPEG4, kMpeg4Rules},
    {AV_CODEC_ID_FFV1, kFfv1Rules},
    {AV_CODEC_ID_PNG, kPngRules},
    {AV_CODEC_ID_APNG, kApngRules},
    {AV_CODEC_ID_GIF, kGifRules},
    {AV_CODEC_ID_THEORA, kTheoraRules},
    {AV_CODEC_ID_CFHD, kCfhdRules},
    {AV_CODEC_ID_MJPEG, kMjpegRules},
    {AV_CODEC_ID_PRORES, kPlainIntraRules},
    {AV_CODEC_ID_DNXHD, kPlainIntraRules},
    {AV_CODEC_ID_HUFFYUV, kPlainIntraRules},
    {AV_CODEC_ID_FFVHUFF, kPlainIntraRules},
    {AV_CODEC_ID_RAWVIDEO, kPlainIntraRules},
    {AV_CODEC_ID_UTVIDEO, kPlainIntraRules},
    {AV_CODEC_ID_JPEG2000, kPlainIntraRules},
    {AV_CODEC_ID_DVVIDEO, kPlainIntraRules},
    {AV_CODEC_ID_QTRLE, kDrawnOverRules},
    {AV_CODEC_ID_MSRLE, kDrawnOverRules},
    {AV_CODEC_ID_MSVIDEO1, kDrawnOverRules},
    {AV_CODEC_ID_CINEPAK, kDrawnOverRules},
    {AV_CODEC_ID_RPZA, kDrawnOverRules},
    {AV_CODEC_ID_SMC, kDrawnOverRules},
};

// Of a codec without a row only what FFmpeg says of it. No frame threads, though it offers them:
// - VP3, VP4, Theora: a race between a picture and the one that it refers to; headers in mid-stream
//   (chained Ogg) are refused.
// - RealVideo: as kMpeg4Rules, whose code it shares.
// - Mimic and what is not known: pictures are drawn over the one before.
constexpr CodecRules otherRules(bool intraOnly, bool reorders) {
  return {.intraOnly = intraOnly,
          .reorders = reorders,
          .frameThreads = intraOnly,
          .mayJump = intraOnly};
}
constexpr CodecRules kOtherRules[2][2] = {{otherRules(false, false), otherRules(false, true)},
                                          {otherRules(true, false), otherRules(true, true)}};

}  // namespace

const CodecRules& rulesOf(AVCodecID codec) {
  const auto* row = std::find_if(std::begin(kTable), std::end(kTable),
                                 [&](const Row& r) { return r.codec == codec; });
  if (row != std::end(kTable)) return row->rules;
  const AVCodecDescriptor* descriptor = avcodec_descriptor_get(codec);
  const bool intraOnly = descriptor && (descriptor->props & AV_CODEC_PROP_INTRA_ONLY) != 0;
  const bool reorders = !descriptor || (descriptor->props & AV_CODEC_PROP_REORDER) != 0;
  return kOtherRules[intraOnly ? 1 : 0][reorders ? 1 : 0];
}

}  // namespace cps
