#pragma once

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <type_traits>

#include "ffmpeg/handles.h"

namespace cps {

// FFmpeg's words for an error number.
std::string avErrorText(int error);

// Note [Errors of the machine]
// ENOMEM, EAGAIN (no more threads), EMFILE, ENFILE and EINTR say something of the process or the
// machine and nothing of the file: they have codes of their own (OutOfMemory, Limit), and no
// message with them says "damaged". This is the one place that translates error numbers, FFmpeg's
// and errno (as AVERROR(errno)).
std::optional<ErrorCode> machineCode(int error);

// The error for `status`: "DOING: what FFmpeg or the system says. ADVICE". `code` and `advice` are
// for what is not of the machine.
Error avError(int status, ErrorCode code, Stage stage, const std::string& doing,
              const std::string& advice = "");

// What to say of a file that could not be read while memory ran short.
Error outOfMemory(Stage stage, const std::string& doing);

// Whether an error of this code says that something is wrong with the file.
bool blamesFile(ErrorCode code);

// Note [Swallowed ENOMEM]
// FFmpeg's demuxers and decoders often turn an allocation that failed into something else: "invalid
// data", a packet or picture that is missing, a hole in one. malloc and posix_memalign leave ENOMEM
// in errno, though, which is the thread's own. Runs one call of FFmpeg and sets `ranShort` when an
// allocation failed in it on this thread. That is no error yet (malloc may have found other
// memory): it decides what is to blame when there is one.
template <typename Call>
int watchingMemory(bool& ranShort, const Call& call) {
  errno = 0;
  const int status = call();
  if (errno == ENOMEM || status == AVERROR(ENOMEM)) ranShort = true;
  return status;
}

// Note [Sizes that FFmpeg refuses]
// FFmpeg gives ENOMEM also for a size that it takes from nobody (2 GiB and more in one piece), and
// asks for no memory then: errno stays as it was. In a demuxer that size is a count in the file
// that lies, which is damage. As watchingMemory, for calls that do all their work on this thread.
template <typename Call>
int watchingDemuxer(bool& ranShort, const Call& call) {
  bool shortNow = false;
  const int status = watchingMemory(shortNow, call);
  if (status == AVERROR(ENOMEM) && errno == 0) return AVERROR_INVALIDDATA;
  ranShort = ranShort || shortNow;
  return status;
}

// FFmpeg's own messages never reach stderr: what matters comes back as an Error.
void silenceFfmpegLog();

// A codec's name as FFmpeg's tools print it.
std::string codecName(AVCodecID id);

// The 3x3 display matrix of a stream (nine 16.16 numbers), or null. The only place that knows
// where this FFmpeg version keeps stream side data.
const int32_t* streamDisplayMatrix(const AVStream& stream);

// The number in an enumeration that FFmpeg may have filled straight from a file (Matroska's
// colours): reading one that names nothing as the enumeration is undefined.
template <typename E>
int64_t enumNumber(const E& value) {
  std::underlying_type_t<E> number;
  std::memcpy(&number, &value, sizeof(number));
  return static_cast<int64_t>(number);
}

UniqueAVCodecParameters copyParameters(const AVCodecParameters& from, Stage stage);

// Whether the decoder says that a picture consists of two fields.
bool isInterlaced(const AVFrame& frame);

}  // namespace cps
