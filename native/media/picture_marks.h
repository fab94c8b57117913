#pragma once

#include "ffmpeg/handles.h"

namespace cps {

// Note [Marks]
// Data that ends early does not always end in an error: H.264 then conceals the blocks that are
// missing, HEVC leaves them as the memory was, and both go on. With frame threads FFmpeg
// (before 7.1) also loses the flag that says so. Therefore every new picture of these codecs gets a
// mark in each 16x16 block of its first plane before the decoder writes into it. A mark that is
// still there afterwards is a block that was never decoded. One store per block; chance equality is
// 2^-64.
bool usesMarks(AVCodecID codec);

// Before avcodec_open2: pictures of this decoder are marked.
void markPictures(AVCodecContext& context);

// Whether a block of this decoded picture was never written.
bool hasMark(const AVFrame& frame);

}  // namespace cps
