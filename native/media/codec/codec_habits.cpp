#include "media/codec/codec_habits.h"

#include <algorithm>
#include <iterator>

namespace cps {
namespace {

enum Habit : unsigned {
  kThreads = 1 << 0,
  kForgets = 1 << 1,
  kExplodes = 1 << 2,
  kMarks = 1 << 3,
  kConceals = 1 << 4,
  kMakesUp = 1 << 5,
  kOnePicture = 1 << 6,
  kJumps = 1 << 7,
  kFlagsLie = 1 << 8,
};

struct Row {
  AVCodecID codec;
  unsigned habits;
};

// Not kThreads, though FFmpeg offers frame threads:
// - MPEG-4: they lose the flag that says that a picture was concealed, AV_EF_EXPLODE ends the whole
//   process there (av_assert0(frame->buf[0]) on a truncated packet), and interlaced pictures are a
//   race. RealVideo shares that code.
// - VP3, VP4, Theora: a race between a picture and the one that it refers to; headers in mid-stream
//   (chained Ogg) are refused.
// - VP8: pictures after a lost packet, which nothing reports, differ with the number of threads.
// - APNG, Mimic and what is not known: pictures are drawn over the one before.
// Not kForgets:
// - FFV1, VP8: they keep what a damaged packet did to them.
// - MPEG-1/2: a colour description stays in force until the next, which need not come.
// kExplodes only here: other decoders return an error together with a picture then, which FFmpeg's
// frame threads answer by aborting the process (an assertion in libavcodec/decode.c).
constexpr Row kTable[] = {
    {AV_CODEC_ID_H264,
     kThreads | kForgets | kExplodes | kMarks | kConceals | kOnePicture | kJumps | kFlagsLie},
    {AV_CODEC_ID_HEVC, kThreads | kForgets | kExplodes | kMarks | kConceals | kMakesUp |
                           kOnePicture | kJumps | kFlagsLie},
    {AV_CODEC_ID_AV1, kThreads | kForgets | kOnePicture | kJumps},
    {AV_CODEC_ID_VP9, kThreads | kForgets | kOnePicture | kJumps},
    {AV_CODEC_ID_VP8, kMarks | kOnePicture | kJumps},
    // They have no frame threads, and where they conceal they set the flag that says so; left to
    // themselves they would give out whole slices whose end shows that they are wrong.
    {AV_CODEC_ID_MPEG1VIDEO, kThreads | kMarks | kOnePicture | kJumps},
    {AV_CODEC_ID_MPEG2VIDEO, kThreads | kMarks | kOnePicture | kJumps},
    // Not where it packs two pictures into a packet and carries one over to the next.
    {AV_CODEC_ID_MPEG4, kOnePicture | kJumps | kFlagsLie},
    {AV_CODEC_ID_FFV1, kThreads | kMarks | kConceals | kOnePicture},
    {AV_CODEC_ID_PNG, kThreads | kOnePicture},
    {AV_CODEC_ID_CFHD, kOnePicture},
    {AV_CODEC_ID_MJPEG, kMarks | kConceals | kOnePicture},
    {AV_CODEC_ID_PRORES, kOnePicture},
    {AV_CODEC_ID_DNXHD, kOnePicture},
    {AV_CODEC_ID_HUFFYUV, kOnePicture},
    {AV_CODEC_ID_FFVHUFF, kOnePicture},
    {AV_CODEC_ID_RAWVIDEO, kOnePicture},
    {AV_CODEC_ID_UTVIDEO, kOnePicture},
    {AV_CODEC_ID_JPEG2000, kOnePicture},
    {AV_CODEC_ID_DVVIDEO, kOnePicture},
    // Drawn over the picture before.
    {AV_CODEC_ID_QTRLE, kMarks | kConceals},
    {AV_CODEC_ID_MSRLE, kMarks | kConceals},
    {AV_CODEC_ID_MSVIDEO1, kMarks | kConceals},
    {AV_CODEC_ID_CINEPAK, kMarks | kConceals},
    {AV_CODEC_ID_RPZA, kMarks | kConceals},
    {AV_CODEC_ID_SMC, kMarks | kConceals},
};

}  // namespace

CodecHabits habitsOf(AVCodecID codec) {
  const auto* row = std::find_if(std::begin(kTable), std::end(kTable),
                                 [&](const Row& r) { return r.codec == codec; });
  const unsigned bits = row == std::end(kTable) ? 0 : row->habits;
  const auto has = [&](Habit habit) { return (bits & habit) != 0; };
  const AVCodecDescriptor* descriptor = avcodec_descriptor_get(codec);
  CodecHabits habits;
  habits.intraOnly = descriptor && (descriptor->props & AV_CODEC_PROP_INTRA_ONLY) != 0;
  habits.threads = has(kThreads) || habits.intraOnly;
  habits.forgets = has(kForgets);
  habits.explodes = has(kExplodes);
  habits.marks = has(kMarks);
  habits.concealsOverMarks = has(kConceals);
  habits.makesReferencesUp = has(kMakesUp);
  habits.onePicturePerPacket = has(kOnePicture);
  habits.jumps = has(kJumps) || habits.intraOnly;
  habits.flagsLie = has(kFlagsLie);
  return habits;
}

}  // namespace cps
