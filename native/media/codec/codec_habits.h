#pragma once

#include <cstdint>

#include "ffmpeg/handles.h"

namespace cps {

// Note [Habits]
// What FFmpeg's decoders do differs from codec to codec, and not all of it is documented. All that
// the rest of the code relies on stands in one table (codec_habits.cpp): a codec that is not in it
// is taken for one of which nothing good is known. Each line was tried with every fixture
// (test/native/media_habits_test.cpp).
struct CodecHabits {
  // Any number of threads in one decoder gives the pictures and the errors that one thread gives.
  bool threads = false;
  // A decoder that was flushed is as good as a new one for the next group of pictures, or for the
  // next video that is opened with the same parameters, as long as it saw no error and no headers
  // other than those it was opened with.
  bool forgets = false;
  // AV_EF_EXPLODE turns what looks wrong into an error and does nothing else.
  bool explodes = false;
  // Note [Marks] in picture_marks.h
  bool marks = false;
  // Concealment writes over the marks and has to be switched off where they count.
  bool concealsOverMarks = false;
  // Note [Made-up references] in picture_buffers.h
  bool makesReferencesUp = false;
  // Every packet is exactly one picture in any container that keeps packets whole (H.264: where
  // there are no field pictures; MPEG-4: where a look at each packet shows it).
  bool onePicturePerPacket = false;
  // Decoding may start at entry points once it is known which packets make pictures.
  bool jumps = false;
  // Entry points are told by the packets (nal.h); containers flag others, and nothing notices.
  bool flagsLie = false;
  bool intraOnly = false;
};

CodecHabits habitsOf(AVCodecID codec);

}  // namespace cps
