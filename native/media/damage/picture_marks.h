#pragma once

#include "ffmpeg/handles.h"

namespace cps {

// Note [Marks]
// Data that ends early does not always end in an error: H.264 then conceals the blocks that are
// missing, HEVC, MPEG-1/2 on several threads, MJPEG, FFV1 and decoders that draw over the picture
// before (QuickTime Animation and its like) leave them as the memory was, and all go on. With frame
// threads FFmpeg (before 7.1) also loses the flag that says so. Therefore every new picture of
// these codecs gets marks in its first plane before the decoder writes into it: in each row of
// 16x16 blocks one in the last block and one every 64 samples. A mark that is still there
// afterwards is a block that was never decoded; chance equality is 2^-64. What is missing is the
// rest of a slice in raster order, so what can go unnoticed is a gap of less than four blocks
// inside one row, before a slice that begins in mid-row. (A mark in every block would show that
// too, but costs decoding time.)
// Marks a picture that no decoder has written into yet.
void setMarks(AVFrame& frame);

// Whether a block of this decoded picture was never written.
bool hasMark(const AVFrame& frame);

}  // namespace cps
