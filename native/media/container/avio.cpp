#include "media/container/avio.h"

#include <algorithm>
#include <cstdio>

namespace cps {
namespace {

constexpr int kBufferBytes = 64 * 1024;

}  // namespace

AvioReader::AvioReader(std::shared_ptr<ByteSource> source, CancelPtr cancel)
    : source_(std::move(source)), cancel_(std::move(cancel)) {
  auto* buffer = static_cast<uint8_t*>(checkAlloc(av_malloc(kBufferBytes), Stage::Open));
  AVIOContext* io =
      avio_alloc_context(buffer, kBufferBytes, 0, this, &AvioReader::readPacket, nullptr, &seek);
  if (!io) {
    av_free(buffer);
    checkAlloc(io, Stage::Open);
  }
  io_.reset(io);
}

void AvioReader::rethrow() {
  if (!failure_) return;
  std::exception_ptr failure = std::move(failure_);
  failure_ = nullptr;
  std::rethrow_exception(failure);
}

int AvioReader::readPacket(void* self, uint8_t* dst, int size) noexcept {
  return static_cast<AvioReader*>(self)->read(dst, size);
}

int AvioReader::read(uint8_t* dst, int size) noexcept {
  try {
    if (cancel_) cancel_->check(Stage::Decode);
    if (size <= 0 || position_ < 0 || position_ >= source_->size()) return AVERROR_EOF;
    int64_t count = std::min<int64_t>(size, source_->size() - position_);
    const auto next = std::upper_bound(payload_.begin(), payload_.end(), position_,
                                       [](int64_t p, const ByteRange& r) { return p < r.end; });
    if (next != payload_.end()) {
      if (position_ >= next->begin) {
        count = std::min(count, next->end - position_);
        position_ += count;
        return static_cast<int>(count);
      }
      count = std::min(count, next->begin - position_);
    }
    const size_t got = source_->readSome(position_, dst, static_cast<size_t>(count));
    if (got == 0) return AVERROR_EOF;  // the file became shorter since it was opened
    position_ += static_cast<int64_t>(got);
    bytesRead_ += static_cast<int64_t>(got);
    return static_cast<int>(got);
  } catch (...) {
    failure_ = std::current_exception();
    failed_ = true;
    return AVERROR_EXIT;
  }
}

int64_t AvioReader::seek(void* self, int64_t offset, int whence) noexcept {
  auto& reader = *static_cast<AvioReader*>(self);
  const int64_t size = reader.source_->size();
  switch (whence & ~AVSEEK_FORCE) {
    case AVSEEK_SIZE:
      return size;
    case SEEK_SET:
      break;
    case SEEK_CUR:
      offset += reader.position_;
      break;
    case SEEK_END:
      offset += size;
      break;
    default:
      return AVERROR(EINVAL);
  }
  if (offset < 0) return AVERROR(EINVAL);
  reader.position_ = offset;
  return offset;
}

}  // namespace cps
