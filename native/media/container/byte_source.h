#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/options.h"

namespace cps {

// A half-open range of file offsets.
struct ByteRange {
  int64_t begin = 0;
  int64_t end = 0;
};

struct CallReading;
class FarReading;

// What makes a file the same file as before: cached indexes are valid only for an equal identity.
struct FileIdentity {
  std::string path;
  int64_t size = 0;
  int64_t mtimeNs = 0;
  uint64_t inode = 0;
  uint64_t deviceId = 0;
  std::string version = {};  // of a caller's source, which has nothing of the above but its size
  bool operator==(const FileIdentity&) const = default;
};

// Random access to the bytes of one video. All reading goes through here: FFmpeg never sees a name
// it could open. Thread-safe: several demuxers read the same source at once.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual int64_t size() const = 0;
  // Reads at most n bytes at `offset` and returns how many; 0 only at the end. Throws
  // Error(Corrupt) when reading fails.
  virtual size_t readAt(int64_t offset, uint8_t* dst, size_t n) = 0;
  // The same, but may stop where going on would mean another read of a far source.
  virtual size_t readSome(int64_t offset, uint8_t* dst, size_t n) { return readAt(offset, dst, n); }
  // For messages: the path, or "<memory, N bytes>".
  virtual std::string describe() const = 0;
  // Empty when the bytes have no identity that lasts (memory).
  virtual std::optional<FileIdentity> identity() const { return std::nullopt; }
  // Whether the bytes were written to since the source was opened.
  virtual bool changed() const { return false; }
  // Whether each read is a round trip (Note [Far sources] in far_source.h).
  virtual bool isFar() const { return false; }
  // Of a far source: the view of it that one call reads by; null: all read this one.
  virtual std::shared_ptr<FarReading> forCall(const CallReading& /*reading*/) { return nullptr; }
};

// A regular file. Throws Error(NotFound) for a missing one, Error(InvalidArgument) for directories,
// pipes, devices and files without read permission, Error(NoVideo) for an empty one.
std::shared_ptr<ByteSource> openFileSource(const std::string& path);
std::shared_ptr<ByteSource> openMemorySource(std::shared_ptr<const std::vector<uint8_t>> bytes);
std::shared_ptr<ByteSource> openByteSource(const VideoInput& input);

}  // namespace cps
