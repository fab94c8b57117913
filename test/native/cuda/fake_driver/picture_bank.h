#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "ffmpeg/handles.h"

namespace fake {

// The pictures of the packets that a parser was given, as libavcodec decodes them: what surfaces of
// the fake decoder show. A picture goes by the number of its packet (of its first one, where two
// fields come apart). Any thread may ask.
class PictureBank {
 public:
  // `lookAhead`: pictures that may be shown before ones that were decoded before them, where the
  // stream does not say; 0: libavcodec finds out.
  PictureBank(AVCodecID codec, int lookAhead);

  // Gives it the next packet; returns its number.
  int feed(std::string bytes);
  // Nothing more comes.
  void finish();
  // Numbers of pictures in display order that have come out since the last time.
  std::vector<int> takeShown();
  // The picture of this packet, also where it would come out later; null: none ever does.
  const AVFrame* picture(int packet);
  // Whether its decoder found errors in this packet.
  bool isDamaged(int packet);
  // The bytes of the packet.
  const std::string& bytes(int packet) const { return packets_[static_cast<size_t>(packet)]; }
  int packets() const { return static_cast<int>(packets_.size()); }
  // What libavcodec knows of the stream by now: changes with its headers.
  std::vector<int> shape() const;

 private:
  cps::UniqueAVCodecContext open() const;
  static int keepBuffer(AVCodecContext* context, AVFrame* frame, int flags) noexcept;
  void takeOut(const AVFrame& frame);
  // False where the packet, or what it is decoded from, has errors.
  template <typename Take>
  bool decode(AVCodecContext& context, int packet, const Take& take) const;

  const AVCodec* codec_;
  int lookAhead_;
  std::mutex mutex_;
  cps::UniqueAVCodecContext context_;  // one packet after the other
  std::vector<std::string> packets_;
  std::vector<int> shown_;
  std::map<int, cps::UniqueAVFrame> pictures_;
  // As they were decoded: libavcodec holds pictures back longer than a device does. None is ever
  // taken out of these: they are read while others are added.
  std::map<int, cps::UniqueAVFrame> held_;
  const AVFrame* writing_ = nullptr;  // the decoder's own frame, for the packet it is at
  std::set<int> damaged_;
};

}  // namespace fake
