#include "media/container/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/error.h"
#include "ffmpeg/util.h"
#include "media/container/far_source.h"

namespace cps {
namespace {

[[noreturn]] void fail(ErrorCode code, const std::string& message) {
  throw Error(code, Stage::Open, message);
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

[[noreturn]] void failToOpen(const std::string& path, int error) {
  const std::string quoted = "'" + path + "'";
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      fail(ErrorCode::NotFound, "Video file not found: " + quoted + ". Check the path.");
    case EACCES:
    case EPERM:
      fail(ErrorCode::InvalidArgument, "No permission to read the video file " + quoted + ".");
    case ELOOP:
      fail(ErrorCode::InvalidArgument,
           "The path " + quoted + " leads through a loop of symbolic links.");
    case ENAMETOOLONG:
      fail(ErrorCode::InvalidArgument, "The path of the video file is too long: " + quoted + ".");
    case ENXIO:
      fail(ErrorCode::InvalidArgument, quoted + " is a pipe, socket or device, not a video file.");
    default:
      throw avError(AVERROR(error), ErrorCode::InvalidArgument, Stage::Open,
                    "Cannot open the video file " + quoted);
  }
}

// O_NONBLOCK: opening a pipe that nobody writes to must fail later, not wait here.
int openForReading(const std::string& path) {
  for (;;) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 || errno != EINTR) return fd;
  }
}

class FileSource final : public ByteSource {
 public:
  explicit FileSource(const std::string& path) : path_(path), fd_(openForReading(path)) {
    if (fd_.get() < 0) failToOpen(path, errno);
    struct stat info = {};
    if (::fstat(fd_.get(), &info) != 0) failToOpen(path, errno);
    const std::string quoted = "'" + path + "'";
    if (S_ISDIR(info.st_mode)) {
      fail(ErrorCode::InvalidArgument, quoted + " is a directory; pass the path of a video file.");
    }
    if (!S_ISREG(info.st_mode)) {
      fail(ErrorCode::InvalidArgument,
           quoted + " is a pipe, socket or device; pass the path of a regular video file.");
    }
    if (info.st_size == 0) {
      fail(ErrorCode::NoVideo, "The file " + quoted + " is empty (0 bytes).");
    }
    identity_.path = path;
    identity_.size = info.st_size;
    identity_.mtimeNs = modified(info);
    identity_.inode = info.st_ino;
    identity_.deviceId = info.st_dev;
  }

  int64_t size() const override { return identity_.size; }
  std::string describe() const override { return path_; }
  std::optional<FileIdentity> identity() const override { return identity_; }

  bool changed() const override {
    struct stat info = {};
    return ::fstat(fd_.get(), &info) != 0 || info.st_size != identity_.size ||
           modified(info) != identity_.mtimeNs;
  }

  size_t readAt(int64_t offset, uint8_t* dst, size_t n) override {
    for (;;) {
      const ssize_t got = ::pread(fd_.get(), dst, n, offset);
      if (got >= 0) return static_cast<size_t>(got);
      if (errno == EINTR) continue;
      throw avError(AVERROR(errno), ErrorCode::Corrupt, Stage::Decode,
                    "Reading '" + path_ + "' failed at byte " + std::to_string(offset));
    }
  }

 private:
  static int64_t modified(const struct stat& info) {
#if defined(__APPLE__)
    const timespec& time = info.st_mtimespec;
#else
    const timespec& time = info.st_mtim;
#endif
    return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
  }

  std::string path_;
  FileDescriptor fd_;
  FileIdentity identity_;
};

class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(std::shared_ptr<const std::vector<uint8_t>> bytes)
      : bytes_(std::move(bytes)) {
    if (!bytes_ || bytes_->empty()) {
      fail(ErrorCode::NoVideo, "The video buffer is empty (<memory, 0 bytes>).");
    }
  }
  int64_t size() const override { return static_cast<int64_t>(bytes_->size()); }
  std::string describe() const override {
    return "<memory, " + std::to_string(bytes_->size()) + " bytes>";
  }
  size_t readAt(int64_t offset, uint8_t* dst, size_t n) override {
    if (offset < 0 || offset >= size()) return 0;
    const size_t count = std::min(n, bytes_->size() - static_cast<size_t>(offset));
    std::memcpy(dst, bytes_->data() + offset, count);
    return count;
  }

 private:
  std::shared_ptr<const std::vector<uint8_t>> bytes_;
};

}  // namespace

std::shared_ptr<ByteSource> openFileSource(const std::string& path) {
  return std::make_shared<FileSource>(path);
}

std::shared_ptr<ByteSource> openMemorySource(std::shared_ptr<const std::vector<uint8_t>> bytes) {
  return std::make_shared<MemorySource>(std::move(bytes));
}

std::shared_ptr<ByteSource> openByteSource(const VideoInput& input) {
  if (input.source) return openFarSource(input.source);
  return input.bytes ? openMemorySource(input.bytes) : openFileSource(input.path);
}

}  // namespace cps
