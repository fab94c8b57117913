#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/caller_bytes.h"
#include "core/cancel.h"
#include "core/memory_budget.h"
#include "core/profile.h"
#include "core/task_pool.h"
#include "media/container/byte_source.h"
#include "media/container/far_pieces.h"

namespace cps {

// Note [Far sources]
// Bytes that a caller's own function reads, each read a round trip: to an object store, a server,
// or only to the thread that runs JavaScript. What is read is kept in pieces for a while
// (FarPieces), so that opening the container again costs nothing; pieces are a MiB or more, two
// where reading goes on, and end where the plan's byte ranges end. A call has one read outstanding
// at a time; the next piece of a range is asked for while the last one is decoded.
// The thread that waits for a read is a worker of the pool, never the one that runs JavaScript. It
// hears abort and time limit, and its place in the pool is free meanwhile (TaskPool::Waiting).
// What is kept counts against maxMemoryBytes of each call that reads; where little is left of that,
// less is kept. Where the caller gives no version nothing is known of the bytes but their number:
// an index is for one call then, or for the video that is held (HeldVideo).

// What a call's reads hear, and tell. Any may be null.
struct CallReading {
  CancelPtr cancel;
  Profile* profile = nullptr;
  std::shared_ptr<TaskPool> pool;
  std::shared_ptr<MemoryBudget> memory = {};
};

// What all calls on one source share.
class FarSource final : public ByteSource, public std::enable_shared_from_this<FarSource> {
 public:
  explicit FarSource(std::shared_ptr<CallerBytes> bytes);
  int64_t size() const override { return size_; }
  std::string describe() const override { return bytes_->name(); }
  size_t readAt(int64_t offset, uint8_t* dst, size_t n) override;
  bool isFar() const override { return true; }
  std::optional<FileIdentity> identity() const override;
  std::shared_ptr<FarReading> forCall(const CallReading& reading) override;

 private:
  friend class FarReading;

  const std::shared_ptr<CallerBytes> bytes_;
  const int64_t size_;
  std::mutex mutex_;
  FarPieces pieces_;
  int readings_ = 0;  // that work for a call
};

// The source as one call reads it, or one run over windows. Thread-safe.
class FarReading final : public ByteSource {
 public:
  FarReading(std::shared_ptr<FarSource> source, const CallReading& reading);
  ~FarReading() override;

  int64_t size() const override { return source_->size(); }
  std::string describe() const override { return source_->describe(); }
  std::optional<FileIdentity> identity() const override { return source_->identity(); }
  // Throws Error(Source) where the caller's function fails or gives other bytes than were asked
  // for, Error(Aborted), Error(TimedOut), and Error(OutOfMemory) where what was read has no place
  // in the call's maxMemoryBytes.
  size_t readAt(int64_t offset, uint8_t* dst, size_t n) override;
  size_t readSome(int64_t offset, uint8_t* dst, size_t n) override;
  bool isFar() const override { return true; }

  // What is read next, in any order; from now on the rest is tables.
  void expect(std::vector<ByteRange> ranges);
  // While it holds, what is read will be read once more when its turn has come.
  void lookAhead(bool ahead) { ahead_ = ahead; }
  // The call that it reads for now, as long as that runs; null: none.
  void workFor(Profile* profile, std::shared_ptr<MemoryBudget> memory);

 private:
  struct Request {
    int64_t offset = 0;
    size_t bytes = 0;
    PieceUse use = PieceUse::Tables;
    std::shared_ptr<BytesReply> reply;
  };
  const ByteRange* rangeOf(int64_t offset) const;
  Request requestFor(int64_t offset) const;
  void ask(Request request);
  void askForNext(int64_t end);
  void bring(int64_t offset);
  void awaitPending();
  void countKept();
  std::string nameOf(const Request& request) const;

  const std::shared_ptr<FarSource> source_;
  const CancelPtr cancel_;
  const std::shared_ptr<TaskPool> pool_;
  std::mutex mutex_;  // held by whoever waits for a read
  Profile* profile_;
  std::shared_ptr<MemoryBudget> memory_;
  int64_t counted_ = 0;            // bytes of it, for what the source keeps
  std::vector<ByteRange> ranges_;  // ascending, disjoint
  bool planned_ = false;
  std::atomic<bool> ahead_ = false;
  Request pending_;  // without a reply: none
};

// Throws Error(NoVideo) where there are no bytes.
std::shared_ptr<ByteSource> openFarSource(std::shared_ptr<CallerBytes> bytes);

}  // namespace cps
