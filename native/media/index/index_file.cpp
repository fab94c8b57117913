#include "media/index/index_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <optional>
#include <random>
#include <string_view>
#include <system_error>

#include "core/error.h"
#include "ffmpeg/util.h"
#include "media/index/index_codec.h"

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

constexpr const char* kSuffix = ".cpsindex";
constexpr const char* kUnfinished = ".part";
constexpr size_t kHexDigits = 16;

// NAME.cpsindex.0123456789abcdef.part
bool isUnfinished(std::string_view name) {
  constexpr std::string_view suffix = kSuffix, part = kUnfinished;
  if (!name.ends_with(part)) return false;
  name.remove_suffix(part.size());
  if (name.size() < kHexDigits + 1) return false;
  const std::string_view digits = name.substr(name.size() - kHexDigits);
  if (digits.find_first_not_of("0123456789abcdef") != std::string_view::npos) return false;
  name.remove_suffix(kHexDigits);
  return name.ends_with('.') && name.substr(0, name.size() - 1).ends_with(suffix);
}

constexpr size_t kChunk = 1 << 20;

void check(const CancelPtr& cancel) {
  if (cancel) cancel->check(Stage::Index);
}

bool writeAll(int fd, std::span<const uint8_t> bytes, const CancelPtr& cancel) {
  while (!bytes.empty()) {
    if (cancel && (cancel->cancelled() || cancel->expired())) return false;
    const ssize_t wrote = ::write(fd, bytes.data(), std::min(bytes.size(), kChunk));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(wrote));
  }
  return true;
}

// Whether who could write this file could as well have changed the video (Note [Index files]); of a
// caller's source (empty): whether it belongs to the user or to root.
bool mayBeBelieved(const std::string& path, const std::string& video) {
  struct stat file = {}, of = {};
  if (video.empty()) {
    return ::stat(path.c_str(), &file) == 0 && (file.st_mode & S_IWOTH) == 0 &&
           (file.st_uid == ::geteuid() || file.st_uid == 0);
  }
  if (::stat(path.c_str(), &file) != 0 || ::stat(video.c_str(), &of) != 0) return false;
  if ((file.st_mode & S_IWOTH) != 0 && (of.st_mode & S_IWOTH) == 0) return false;
  return file.st_uid == ::geteuid() || file.st_uid == 0 || file.st_uid == of.st_uid;
}

// None where the system has none to give: a root without /dev, say.
std::optional<uint64_t> randomBits() {
  try {
    std::random_device device;
    return uint64_t{device()} << 32 | device();
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace

IndexFile::IndexFile(const std::string& place, FileIdentity video)
    : video_(std::move(video)), videoPath_(video_.version.empty() ? video_.path : "") {
  namespace fs = std::filesystem;
  const bool isSource = !video_.version.empty();
  if (place == kBesideVideo && isSource) {
    unusable_ = "a source has no folder";
    return;
  }
  if (place == kBesideVideo) {
    path_ = video_.path + kSuffix;
    video_.path.clear();  // a folder of videos may be moved together with its indexes
    return;
  }
  std::error_code error;
  fs::create_directories(place, error);
  if (!error && !fs::is_directory(place, error))
    error = std::make_error_code(std::errc::not_a_directory);
  if (error) unusable_ = "'" + place + "': " + error.message();
  if (isSource) {
    path_ = (fs::path(place) / ("source." + hexOf(hashOf(video_.path)) + kSuffix)).string();
    video_.path += '\n' + video_.version;
    return;
  }
  const fs::path absolute = fs::absolute(video_.path, error).lexically_normal();
  if (!error) video_.path = absolute.string();
  path_ = (fs::path(place) / (absolute.filename().string().substr(0, 100) + "." +
                              hexOf(hashOf(video_.path)) + kSuffix))
              .string();
}

std::string IndexFile::folder() const {
  return std::filesystem::path(path_).parent_path().string();
}

bool IndexFile::exists() const { return ::access(path_.c_str(), F_OK) == 0; }

FrameIndexPtr IndexFile::load(int64_t maxBytes, const CancelPtr& cancel) const {
  std::vector<uint8_t> bytes;
  if (!exists() || !mayBeBelieved(path_, videoPath_)) return nullptr;
  try {
    const std::shared_ptr<ByteSource> file = openFileSource(path_);
    if (file->size() > std::min(kMaxFileBytes, maxBytes)) return nullptr;
    bytes.resize(static_cast<size_t>(file->size()));
    for (size_t at = 0; at < bytes.size();) {
      check(cancel);
      const size_t got = file->readAt(static_cast<int64_t>(at), bytes.data() + at,
                                      std::min(bytes.size() - at, kChunk));
      if (got == 0) return nullptr;
      at += got;
    }
  } catch (const Error& error) {
    if (error.code() == ErrorCode::Aborted || error.code() == ErrorCode::TimedOut) throw;
    return nullptr;  // none that can be read
  }
  return decodeIndex(bytes, video_, maxBytes, cancel);
}

bool IndexFile::save(const FrameIndex& index, const CancelPtr& cancel) {
  if (!unusable_.empty()) return false;
  const std::optional<uint64_t> bits = randomBits();
  if (!bits) {
    unusable_ = "'" + path_ + "': this system gives no random numbers (/dev/urandom)";
    return false;
  }
  const std::string unfinished = path_ + "." + hexOf(*bits) + kUnfinished;
  const int fd = ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) {
    unusable_ = "'" + unfinished + "': " + std::generic_category().message(errno);
    return false;
  }
  const std::vector<uint8_t> bytes = encodeIndex(index, video_);
  bool good = !bytes.empty() && writeAll(fd, bytes, cancel);
  if (!good && !bytes.empty()) {
    unusable_ = "'" + path_ + "': " + std::generic_category().message(errno);
  }
  good = ::close(fd) == 0 && good;
  good = good && ::rename(unfinished.c_str(), path_.c_str()) == 0;
  if (!good) ::unlink(unfinished.c_str());
  check(cancel);
  return good;
}

void IndexFile::remove() const { ::unlink(path_.c_str()); }

void IndexFile::removeUnfinished() const {
  namespace fs = std::filesystem;
  std::error_code error;
  const auto old = fs::file_time_type::clock::now() - std::chrono::hours(1);
  for (fs::directory_iterator at(folder(), error), end; !error && at != end; at.increment(error)) {
    if (!isUnfinished(at->path().filename().string())) continue;
    std::error_code ignored;
    const auto written = at->last_write_time(ignored);
    if (!ignored && written < old) fs::remove(at->path(), ignored);
  }
}

}  // namespace cps
