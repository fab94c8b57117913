#include "media/decode/in_sequence.h"

#include <algorithm>

#include "core/error.h"
#include "ffmpeg/util.h"
#include "media/codec/codec_rules.h"
#include "media/decode/harmless_errors.h"
#include "media/decode/packet_decoder.h"

namespace cps {

void decodeInSequence(const IndexedVideo& video, const SourceOptions& options, Targets& targets,
                      Profile& profile, const GiveInSequence& give) {
  const Profile::Scope scope(profile, "decodeMs");
  const FrameIndex& index = video.index();
  const CodecRules& rules = *index.bitstream.rules;
  DecoderConfig config;
  config.reorderDepth = index.reorderDepth;
  config.maxPixels = options.maxFramePixels;
  config.x264Build = index.x264Build;
  PacketDecoder decoder(*index.parameters, config);
  const std::unique_ptr<PacketReader> opened = video.openReader();
  PacketReader& reader = *opened;
  const std::span<const int64_t> displayIndices = targets.all();
  int64_t count = 0;
  size_t next = 0;
  bool failed = false, tooLarge = false;
  int64_t decoded = 0;
  const auto lose = [&](int64_t d) {
    if (tooLarge) return targets.lose(d, video.tooLargeError(d, 0, 0));
    if (decoder.ranShort()) throw outOfMemory(Stage::Decode, "Decoding " + video.nameOf(d));
    targets.lose(
        d, Error(ErrorCode::Corrupt, Stage::Decode,
                 video.nameOf(d) + " cannot be decoded: it or a picture before it is damaged."));
  };
  BitstreamFormat bitstream = index.bitstream;
  H264PictureNumbers numbers;
  HarmlessErrors harmless;
  std::vector<bool> isEntry(index.packets.size(), false);  // of those read: their flags may lie
  const PacketDecoder::Output output = [&](AVFrame* frame, int) {
    for (const int64_t number : decoder.takeUnreferenced()) {
      failed = failed || !isEntry[static_cast<size_t>(number)];
    }
    // Errors before the first picture are of packets that show nothing.
    if (!frame) {
      failed = (!harmless.take() && count > 0) || failed;
      tooLarge = decoder.refusesSize();
      const bool counted = tooLarge && count < index.info.totalFrames &&
                           index.display[static_cast<size_t>(count)] == reader.next() - 1;
      if (!counted) return true;
      const int64_t d = count++;
      if (next == displayIndices.size() || displayIndices[next] != d) return true;
      ++next;
      lose(d);
      return true;
    }
    const int64_t d = count++;
    const auto ordinal = static_cast<size_t>(
        index.display[static_cast<size_t>(std::min<int64_t>(d, index.info.totalFrames - 1))]);
    failed = (failed && !isEntry[ordinal]) || isDamaged(*frame);
    tooLarge = tooLarge && failed;
    if (next == displayIndices.size() || displayIndices[next] != d) return true;
    ++next;
    if (failed) {
      lose(d);
      return true;
    }
    if (int64_t{frame->width} * frame->height > options.maxFramePixels) {
      targets.lose(d, video.tooLargeError(d, frame->width, frame->height));
      return true;
    }
    if (!targets.takesAnySize() && !hasSizeOf(index, *frame)) {
      throw video.otherSizeError(d, frame->width, frame->height);
    }
    give(static_cast<int32_t>(ordinal), d, *frame);
    return true;
  };
  UniqueAVPacket packet = makePacket(Stage::Decode);
  while (next < displayIndices.size()) {
    const ReadResult got = reader.read(*packet);
    if (got == ReadResult::Lost) throw video.changedError();
    if (got == ReadResult::End) break;
    ++decoded;
    const std::span<const uint8_t> bytes(packet->data, static_cast<size_t>(packet->size));
    followHeaders(bytes, bitstream);
    const auto ordinal = static_cast<size_t>(reader.next() - 1);
    isEntry[ordinal] = index.packets[ordinal].key && isEntryPoint(bytes, bitstream);
    if (rules.numbersReferences && !numbers.follows(bytes, bitstream.lengthBytes, bitstream.h264)) {
      failed = failed || !isEntry[ordinal];
    }
    harmless.begin(bytes, bitstream);
    decoder.decode(*packet, reader.next() - 1, output);
  }
  if (next < displayIndices.size()) decoder.drain(output);
  for (; next < displayIndices.size(); ++next) lose(displayIndices[next]);
  profile.set("packetsRead", static_cast<double>(reader.packetsRead()));
  profile.set("packetsDecoded", static_cast<double>(decoded));
}

}  // namespace cps
