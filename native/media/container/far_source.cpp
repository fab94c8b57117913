#include "media/container/far_source.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace cps {
namespace {

constexpr int64_t kPiece = 1 << 20;
// Where reading goes on, fewer and larger ones.
constexpr int64_t kLongest = 2 * kPiece;
// Less is not worth a round trip.
constexpr int64_t kLeast = kPiece / 4;
// How soon a waiting thread hears of an abort.
constexpr std::chrono::milliseconds kPatience{10};

}  // namespace

FarSource::FarSource(std::shared_ptr<CallerBytes> bytes)
    : bytes_(std::move(bytes)), size_(bytes_->size()) {
  if (size_ <= 0) {
    throw Error(ErrorCode::NoVideo, Stage::Open, "'" + describe() + "' is empty (0 bytes).");
  }
}

size_t FarSource::readAt(int64_t offset, uint8_t* dst, size_t n) {
  return forCall({})->readAt(offset, dst, n);
}

std::optional<FileIdentity> FarSource::identity() const {
  FileIdentity identity;
  identity.path = "source:" + bytes_->name();
  identity.size = size_;
  identity.version = bytes_->version();
  if (identity.version.empty()) return std::nullopt;
  return identity;
}

std::shared_ptr<FarReading> FarSource::forCall(const CallReading& reading) {
  return std::make_shared<FarReading>(shared_from_this(), reading);
}

FarReading::FarReading(std::shared_ptr<FarSource> source, const CallReading& reading)
    : source_(std::move(source)),
      cancel_(reading.cancel),
      pool_(reading.pool),
      profile_(reading.profile),
      memory_(reading.memory) {
  const std::lock_guard lock(source_->mutex_);
  if (profile_) ++source_->readings_;
}

FarReading::~FarReading() {
  workFor(nullptr, nullptr);
  if (pending_.reply) pending_.reply->giveUp();
}

void FarReading::workFor(Profile* profile, std::shared_ptr<MemoryBudget> memory) {
  const std::lock_guard own(mutex_);
  const std::lock_guard lock(source_->mutex_);
  source_->readings_ += (profile ? 1 : 0) - (profile_ ? 1 : 0);
  profile_ = profile;
  if (memory_) memory_->give(static_cast<double>(counted_));
  counted_ = 0;
  memory_ = std::move(memory);
  if (source_->readings_ == 0) source_->pieces_.settle();
}

void FarReading::expect(std::vector<ByteRange> ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const ByteRange& a, const ByteRange& b) { return a.begin < b.begin; });
  std::vector<ByteRange> joined;
  for (const ByteRange& range : ranges) {
    if (range.begin < 0 || range.begin >= range.end) continue;
    if (!joined.empty() && range.begin - joined.back().end < kLeast) {
      joined.back().end = std::max(joined.back().end, range.end);
    } else {
      joined.push_back(range);
    }
  }
  const std::lock_guard lock(mutex_);
  ranges_ = std::move(joined);
  planned_ = true;
}

const ByteRange* FarReading::rangeOf(int64_t offset) const {
  const auto next = std::upper_bound(ranges_.begin(), ranges_.end(), offset,
                                     [](int64_t at, const ByteRange& r) { return at < r.end; });
  return next == ranges_.end() || offset < next->begin ? nullptr : &*next;
}

// The piece to read for the byte at `offset`, which is not there.
FarReading::Request FarReading::requestFor(int64_t offset) const {
  const std::lock_guard lock(source_->mutex_);
  const FarPieces& pieces = source_->pieces_;
  const ByteRange* range = rangeOf(offset);
  int64_t begin = offset, limit = source_->size();
  Request request;
  if (range) {
    request.use = ahead_ ? PieceUse::Ahead : PieceUse::Packets;
    limit = std::min(limit, range->end);
  }
  int64_t length = kPiece;
  if (const auto before = pieces.endingBy(offset)) {
    // Tables are skipped through: what lies between is asked for soon.
    if (!range && offset - before->end < kPiece) begin = before->end;
    if (begin == before->end) length = std::min(kLongest, 2 * (before->end - before->begin));
  }
  length = std::max(length, kPiece) + (offset - begin);
  if (limit - begin - length < kLeast) length = limit - begin;
  length = std::min(std::max(length, kLeast), source_->size() - begin);
  if (const auto next = pieces.beginAfter(offset)) length = std::min(length, *next - begin);
  request.offset = begin;
  request.bytes = static_cast<size_t>(length);
  return request;
}

std::string FarReading::nameOf(const Request& request) const {
  return "bytes " + std::to_string(request.offset) + " to " +
         std::to_string(request.offset + static_cast<int64_t>(request.bytes)) + " of '" +
         describe() + "'";
}

void FarReading::ask(Request request) {
  if (cancel_) cancel_->check(Stage::Decode);
  request.reply = std::make_shared<BytesReply>();
  if (profile_) {
    profile_->add("sourceReads", 1);
    profile_->add("sourceBytes", static_cast<double>(request.bytes));
  }
  pending_ = std::move(request);
  source_->bytes_->ask(pending_.offset, pending_.bytes, pending_.reply);
}

// Waits for what was asked for and keeps it.
void FarReading::awaitPending() {
  while (!pending_.reply->waitFor(kPatience)) {
    if (!cancel_) continue;
    if (cancel_->expired() && !cancel_->cancelled()) {
      throw Error(ErrorCode::TimedOut, Stage::Decode,
                  "The call took longer than timeoutMs allows; it was waiting for " +
                      nameOf(pending_) + ", which its source has not given");
    }
    cancel_->check(Stage::Decode);
  }
  const Request request = std::exchange(pending_, {});
  std::string failure;
  std::optional<BytesReply::Bytes> bytes = request.reply->take(failure);
  if (!bytes) {
    throw Error(ErrorCode::Source, Stage::Decode,
                "Reading " + nameOf(request) + " failed: " + failure);
  }
  if (bytes->size() != request.bytes) {
    const bool whole = static_cast<int64_t>(bytes->size()) == size();
    throw Error(ErrorCode::Source, Stage::Decode,
                "Reading " + nameOf(request) + " gave " + std::to_string(bytes->size()) +
                    " bytes where " + std::to_string(request.bytes) + " were asked for. " +
                    (whole ? "That is all of it: the source does not hear offset and length (a "
                             "server that ignores Range headers, say)."
                           : "Either its size is not what it says or the read is incomplete."));
  }
  const std::lock_guard lock(source_->mutex_);
  source_->pieces_.add(request.offset, std::move(*bytes), request.use);
  countKept();
}

// Of all that the source keeps, whoever has read it. The pieces are locked.
void FarReading::countKept() {
  if (!memory_) return;
  FarPieces& pieces = source_->pieces_;
  pieces.keepAll(static_cast<size_t>(counted_ + std::max<int64_t>(0, memory_->left())));
  const auto kept = static_cast<int64_t>(pieces.bytes());
  if (!memory_->take(static_cast<double>(kept - counted_))) {
    throw Error(ErrorCode::OutOfMemory, Stage::Decode,
                "Keeping the last " + std::to_string(kept) + " bytes that were read of '" +
                    describe() + "' takes more than maxMemoryBytes leaves; raise it.");
  }
  counted_ = kept;
}

// What a range goes on with can be on its way while the rest of it is decoded.
void FarReading::askForNext(int64_t end) {
  if (ahead_ || pending_.reply) return;
  const ByteRange* range = rangeOf(end);
  if (!range || range->begin == end) return;
  {
    const std::lock_guard lock(source_->mutex_);
    if (source_->pieces_.has(end)) return;
  }
  ask(requestFor(end));
}

// Whoever comes while another thread of the call waits has to wait for that one.
void FarReading::bring(int64_t offset) {
  const TaskPool::Waiting waiting(pool_.get());
  const std::lock_guard lock(mutex_);
  for (;;) {
    {
      const std::lock_guard pieces(source_->mutex_);
      if (source_->pieces_.has(offset)) return;
    }
    if (!pending_.reply) ask(requestFor(offset));
    const int64_t end = pending_.offset + static_cast<int64_t>(pending_.bytes);
    const bool isIt = pending_.offset <= offset && offset < end;
    awaitPending();
    if (!isIt) continue;
    askForNext(end);
    return;
  }
}

size_t FarReading::readSome(int64_t offset, uint8_t* dst, size_t n) {
  if (offset < 0 || offset >= size() || n == 0) return 0;
  for (;;) {
    {
      const std::lock_guard lock(source_->mutex_);
      const size_t got = source_->pieces_.copy(offset, dst, n, ahead_);
      if (got > 0) return got;
    }
    bring(offset);
  }
}

size_t FarReading::readAt(int64_t offset, uint8_t* dst, size_t n) {
  size_t done = 0;
  while (done < n) {
    const size_t got = readSome(offset + static_cast<int64_t>(done), dst + done, n - done);
    if (got == 0) break;
    done += got;
  }
  return done;
}

std::shared_ptr<ByteSource> openFarSource(std::shared_ptr<CallerBytes> bytes) {
  return std::make_shared<FarSource>(std::move(bytes));
}

}  // namespace cps
