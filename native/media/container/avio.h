#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <vector>

#include "core/cancel.h"
#include "ffmpeg/handles.h"
#include "media/container/byte_source.h"

namespace cps {

// FFmpeg's view of a ByteSource. Cancellation and read errors surface in rethrow(), which every
// caller of an FFmpeg function that may read calls afterwards (exceptions cannot cross C).
class AvioReader {
 public:
  AvioReader(std::shared_ptr<ByteSource> source, CancelPtr cancel);
  AVIOContext* get() const { return io_.get(); }
  // Throws what stopped the last read, if anything.
  void rethrow();
  // Whether a read ever failed: what could be read then says nothing of what the file holds.
  bool failed() const { return failed_; }

  // Note [Payload]
  // While the frame index is made, nobody looks at what is inside a packet, and MP4 says beforehand
  // where its packets lie. Reads inside these ranges (sorted, disjoint) leave the destination as it
  // is and never touch the file, so that indexing costs the tables only, whatever the file's size.
  void skipPayload(std::vector<ByteRange> ranges) { payload_ = std::move(ranges); }
  int64_t bytesRead() const { return bytesRead_; }

 private:
  static int readPacket(void* self, uint8_t* dst, int size) noexcept;
  static int64_t seek(void* self, int64_t offset, int whence) noexcept;
  int read(uint8_t* dst, int size) noexcept;

  std::shared_ptr<ByteSource> source_;
  CancelPtr cancel_;
  int64_t position_ = 0;
  int64_t bytesRead_ = 0;
  std::vector<ByteRange> payload_;
  std::exception_ptr failure_;
  bool failed_ = false;
  UniqueAVIOContext io_;
};

}  // namespace cps
