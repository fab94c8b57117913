#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "ffmpeg/handles.h"
#include "media/codec/picture_order.h"
#include "media/codec/picture_references.h"

namespace cps {

struct BitstreamFormat;
using PacketBytes = std::span<const uint8_t>;

struct PictureSize {
  int width = 0, height = 0;
};

// Codecs whose packets consist of NAL units; `header` is a unit's first byte.
struct NalRules {
  bool (*isSlice)(uint8_t header);
  bool (*isParameterSet)(uint8_t header);
  // Messages, parameter sets, delimiters, ends of sequence and stream, filler: no picture.
  bool (*isAside)(uint8_t header);
  // The units in the container's record (avcC, hvcC) or in Annex B extradata.
  void (*visitExtradata)(PacketBytes extradata, const std::function<bool(PacketBytes)>& visit);
};

// Note [Codec rules]
// What codecs and FFmpeg's decoders do differs from codec to codec, and not all of it is
// documented. All that the rest of the code relies on stands in one row for each codec, in that
// codec's own file; codec_rules.cpp lists them. What a row does not state is what holds for a codec
// of which nothing good is known. Each was tried with every fixture (media_codec_test and
// media_rules_test).
struct CodecRules {
  // Streams

  // Every picture stands for itself.
  bool intraOnly = false;
  // Pictures may be shown in another order than they are decoded in.
  bool reorders = true;
  // Every packet is exactly one picture in any container that keeps packets whole, but for what
  // `wholeFrames` and `packsPictures` say.
  bool onePicturePerPacket = false;
  // Containers may put two pictures into a packet, and a decoder carries one over to the next; a
  // look at each packet shows it (holdsSeveral).
  bool packsPictures = false;
  // A table of packets does not tell which show a picture: each is looked into.
  bool hidesPictures = false;
  // Hidden pictures share a packet with one that is shown; some muxers do not know that.
  bool mayHidePictures = false;
  // Container flags tell entry points; else only the packets do (isEntry), for what is flagged is
  // not always one, and nothing notices.
  bool trustsKeyFlags = true;
  // Note [Picture numbers] in h264.h
  bool numbersReferences = false;

  // FFmpeg's decoder

  // Any number of frame threads gives the pictures and the errors that one thread gives.
  bool frameThreads = false;
  // A decoder that was flushed is as good as a new one for the next group of pictures, or for the
  // next video that is opened with the same parameters, as long as it saw no error and no headers
  // other than those it was opened with.
  bool flushForgets = false;
  // AV_EF_EXPLODE turns what looks wrong into an error and does nothing else. Decoders that return
  // a picture together with an error then make FFmpeg's frame threads abort the process (an
  // assertion in libavcodec/decode.c).
  bool explodes = false;
  // Decoding may start at entry points once it is known which packets make pictures.
  bool mayJump = false;
  // Pictures that are shown before the entry point do not come out, and when the decoder is
  // emptied, one of them may stand for the last: there it has to be fed on.
  bool dropsLeading = false;
  // Note [Marks] in picture_marks.h
  bool marks = false;
  // Concealment writes over the marks and has to be switched off where they count.
  bool concealsOverMarks = false;
  // Note [Made-up references] in picture_buffers.h
  bool makesReferencesUp = false;
  bool makesThemUpAgain = false;  // for every picture that refers to them
  // Headers in mid-stream come in packets of their own, which only the decoder understands that was
  // given all of them.
  bool headersApart = false;
  // A picture that comes out because the decoder is emptied has no motion vectors. Without delay
  // (AV_CODEC_FLAG_LOW_DELAY, or what the stream says) none is held back.
  bool emptiesWithoutVectors = false;
  // The picture that is held back when the size changes never comes out.
  bool losesHeldAtChange = false;

  // Packets: bitstream.h has them by their names. `const BitstreamFormat&`: the stream's headers as
  // far as they are known.

  // Whether a decoder that starts at this packet decodes every later picture in display order
  // right.
  bool (*isEntry)(PacketBytes, const BitstreamFormat&) = [](PacketBytes, const BitstreamFormat&) {
    return true;  // the container's key flag says it
  };
  // Whether no other picture refers to this one, so that leaving the packet out changes nothing but
  // this picture. False when in doubt.
  bool (*isDroppable)(PacketBytes, const BitstreamFormat&) =
      [](PacketBytes, const BitstreamFormat&) { return false; };
  // Leading pictures that are only shown where decoding did not begin at the entry point before
  // them.
  bool (*isSkippedLeading)(PacketBytes, const BitstreamFormat&) =
      [](PacketBytes, const BitstreamFormat&) { return false; };
  // Whether the packet itself says that it is damaged, whatever a decoder makes of it.
  bool (*isBroken)(PacketBytes) = [](PacketBytes) { return false; };
  // False where a packet makes no picture, and that there is none is no damage.
  bool (*holdsPicture)(PacketBytes, const BitstreamFormat&) =
      [](PacketBytes, const BitstreamFormat&) { return true; };
  // Parts of a packet that make no picture and fail in the decoder, which is no damage either.
  int (*emptyParts)(PacketBytes, const BitstreamFormat&) = [](PacketBytes, const BitstreamFormat&) {
    return 0;
  };
  bool (*holdsSeveral)(PacketBytes) = [](PacketBytes) { return false; };
  // Pictures that a packet, or the first bytes of one, shows where its headers tell. Not of an
  // empty one.
  int (*shownPictures)(PacketBytes, const BitstreamFormat&) =
      [](PacketBytes, const BitstreamFormat&) { return 1; };
  // Note [One reference]
  PictureReferences (*references)(PacketBytes, const BitstreamFormat&) =
      [](PacketBytes, const BitstreamFormat&) { return PictureReferences(); };
  // The build of the encoder that a packet names, where decoders need it (x264); or -1.
  int (*encoderBuild)(PacketBytes, const BitstreamFormat&) =
      [](PacketBytes, const BitstreamFormat&) { return -1; };

  // Headers

  void (*readExtradata)(PacketBytes, BitstreamFormat&) = [](PacketBytes, BitstreamFormat&) {};
  // Takes note of headers in the stream, for this packet and those after it.
  void (*followHeaders)(PacketBytes, BitstreamFormat&) = [](PacketBytes, BitstreamFormat&) {};
  // Whether every picture is a whole frame, none a field.
  bool (*wholeFrames)(const BitstreamFormat&) = [](const BitstreamFormat&) { return true; };
  // The size in which pictures come out of a decoder, from that of the headers and the container's.
  PictureSize (*decodedSize)(const BitstreamFormat&, PictureSize ofHeaders,
                             PictureSize ofContainer) =
      [](const BitstreamFormat&, PictureSize ofHeaders, PictureSize) { return ofHeaders; };
  // What of the extradata a decoder has to read before the first packet, as it would stand in the
  // stream; empty where key frames carry it.
  PacketBytes (*streamHeaders)(PacketBytes extradata) = [](PacketBytes) { return PacketBytes(); };
  // FFmpeg's bitstream filter that makes what parsers of elementary streams read (start codes,
  // pictures one by one) of a container's packets; null: they are that.
  const char* elementaryFilter = nullptr;
  const NalRules* nal = nullptr;  // null: no NAL units
  // Null where packets do not tell the order (Note [Picture order]).
  std::unique_ptr<PictureOrder> (*pictureOrder)(const AVCodecParameters&) =
      [](const AVCodecParameters&) { return std::unique_ptr<PictureOrder>(); };
};

const CodecRules& rulesOf(AVCodecID codec);

}  // namespace cps
