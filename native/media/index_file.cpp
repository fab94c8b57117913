#include "media/index_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <random>
#include <system_error>

#include "core/error.h"
#include "ffmpeg/util.h"
#include "media/index_codec.h"

namespace cps {
namespace {

constexpr int64_t kMaxFileBytes = int64_t{1} << 30;

std::string hexOf(uint64_t value) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text(16, '0');
  for (size_t i = 0; i < 16; ++i) text[15 - i] = kDigits[value >> (4 * i) & 15];
  return text;
}

// FNV-1a. Two paths with the same value only overwrite each other's file: the path is inside too.
uint64_t hashOf(const std::string& text) {
  uint64_t hash = 14695981039346656037ull;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211ull;
  return hash;
}

bool writeAll(int fd, const uint8_t* data, size_t n) {
  while (n > 0) {
    const ssize_t wrote = ::write(fd, data, n);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    data += wrote;
    n -= static_cast<size_t>(wrote);
  }
  return true;
}

}  // namespace

IndexFile::IndexFile(const std::string& place, FileIdentity video) : video_(std::move(video)) {
  namespace fs = std::filesystem;
  if (place == kBesideVideo) {
    path_ = video_.path + ".cpsindex";
    video_.path.clear();  // a folder of videos may be moved together with its indexes
    return;
  }
  std::error_code error;
  fs::create_directories(place, error);
  if (!error && !fs::is_directory(place, error))
    error = std::make_error_code(std::errc::not_a_directory);
  if (error) {
    throw Error(ErrorCode::InvalidArgument, Stage::Index,
                "Expected a directory for readerCacheDir but received '" + place +
                    "': " + error.message() + ".");
  }
  const fs::path absolute = fs::absolute(video_.path, error).lexically_normal();
  if (!error) video_.path = absolute.string();
  path_ = (fs::path(place) / (absolute.filename().string().substr(0, 100) + "." +
                              hexOf(hashOf(video_.path)) + ".cpsindex"))
              .string();
}

FrameIndexPtr IndexFile::load() const {
  std::vector<uint8_t> bytes;
  try {
    const std::shared_ptr<ByteSource> file = openFileSource(path_);
    if (file->size() > kMaxFileBytes) return nullptr;
    bytes.resize(static_cast<size_t>(file->size()));
    if (file->readAt(0, bytes.data(), bytes.size()) != bytes.size()) return nullptr;
  } catch (const Error&) {
    return nullptr;  // none there, or none that can be read
  }
  return decodeIndex(bytes, video_);
}

bool IndexFile::save(const FrameIndex& index) const {
  const std::vector<uint8_t> bytes = encodeIndex(index, video_);
  if (bytes.empty()) return false;
  std::random_device random;
  const std::string unfinished = path_ + "." + hexOf(uint64_t{random()} << 32 | random()) + ".part";
  const int fd = ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return false;
  bool good = writeAll(fd, bytes.data(), bytes.size());
  good = ::close(fd) == 0 && good;
  good = good && ::rename(unfinished.c_str(), path_.c_str()) == 0;
  if (!good) ::unlink(unfinished.c_str());
  return good;
}

}  // namespace cps
