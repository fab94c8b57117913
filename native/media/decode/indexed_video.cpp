#include "media/decode/indexed_video.h"

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "media/container/far_source.h"
#include "media/decode/count_pass.h"
#include "media/decode/frame_view_ffmpeg.h"
#include "media/decode/held_video.h"
#include "media/index/index_cache.h"
#include "media/index/index_codec.h"
#include "media/index/index_file.h"

namespace cps {
namespace {

std::string text(int32_t width, int32_t height) {
  return std::to_string(width) + "x" + std::to_string(height);
}

}  // namespace

namespace {

std::shared_ptr<const HeldVideo> heldBy(const VideoInput& input) {
  return std::dynamic_pointer_cast<const HeldVideo>(input.opened);
}

// What is read of a far source meanwhile comes up again.
class LookingAhead {
 public:
  explicit LookingAhead(FarReading* far) : far_(far) {
    if (far_) far_->lookAhead(true);
  }
  ~LookingAhead() {
    if (far_) far_->lookAhead(false);
  }
  LookingAhead(const LookingAhead&) = delete;
  LookingAhead& operator=(const LookingAhead&) = delete;

 private:
  FarReading* far_;
};

}  // namespace

IndexedVideo::IndexedVideo(const VideoInput& input, const CallContext& call,
                           const MediaServices& services)
    : IndexedVideo(input.opened ? heldBy(input)->bytes() : openByteSource(input), heldBy(input),
                   call, services) {}

IndexedVideo::IndexedVideo(std::shared_ptr<ByteSource> bytes, std::shared_ptr<const HeldVideo> held,
                           const CallContext& call, const MediaServices& services)
    : options_(call.options),
      cancel_(call.cancel),
      profile_(call.profile),
      memory_(call.memory),
      indexes_(services.indexes),
      pool_(services.pool),
      source_(std::move(bytes)),
      far_(source_->forCall({call.cancel, &call.profile, services.pool, call.memory})),
      bytes_(far_ ? far_ : source_),
      held_(std::move(held)) {
  const Profile::Scope scope(call.profile, "indexMs");
  if (call.cancel) call.cancel->check(Stage::Open);
  index_ = held_ ? heldIndex(call, services) : getIndex(call, services);
  try {
    checkLimits();
  } catch (const Error&) {
    if (!forgetStoredIndex()) throw;
    index_ = buildFrameIndex(bytes_, call, services);
    if (held_) held_->replaceIndex(index_);
    checkLimits();
  }
  call.notes->add(index_->notes);
}

FrameIndexPtr IndexedVideo::getIndex(const CallContext& call, const MediaServices& services) const {
  const std::optional<FileIdentity> identity = bytes_->identity();
  if (!identity) return buildFrameIndex(bytes_, call, services);
  const auto build = [&] { return buildFrameIndex(bytes_, call, services); };
  const auto busy = call.cancel && call.cancel->restartable() ? IndexCache::Busy::ComeBack
                                                              : IndexCache::Busy::BuildToo;
  if (options_.readerCacheDir.empty() || !call.storedIndexes) {
    const FrameIndexPtr index = indexes_->get(*identity, options_.readerCacheSize, busy, build);
    if (call.storedIndexes || !index->stored) return index;
    indexes_->drop(*identity, index);  // another call has read it from disk meanwhile
    return build();
  }
  IndexFile file(options_.readerCacheDir, *identity);
  bool looked = false, fromDisk = false;
  const FrameIndexPtr index =
      indexes_->get(*identity, options_.readerCacheSize, busy, [&]() -> FrameIndexPtr {
        const FrameIndexPtr stored = loadIndex(file, call);
        call.profile.set("indexFromDisk", stored ? 1 : 0);
        looked = true;
        fromDisk = stored != nullptr;
        return fromDisk ? stored : build();
      });
  // Also one that was in memory before there was a folder to keep it in.
  if ((looked && !fromDisk) || !file.exists()) {
    if (indexes_->isFirstUseOf(file.folder())) file.removeUnfinished();
    file.save(*index, call.cancel);
  }
  if (!file.unusable().empty()) {
    call.notes->add("index-not-kept", "readerCacheDir cannot be used, " + file.unusable() + ".");
  }
  return index;
}

FrameIndexPtr IndexedVideo::heldIndex(const CallContext& call,
                                      const MediaServices& services) const {
  if (bytes_->changed()) {
    throw Error(ErrorCode::Corrupt, Stage::Open,
                "'" + bytes_->describe() + "' was written to since openVideo; open it again.");
  }
  FrameIndexPtr index = held_->index();
  if (call.storedIndexes || !index->stored) return index;
  index = buildFrameIndex(bytes_, call, services);
  held_->replaceIndex(index);
  return index;
}

// nullptr: there is none, or the video itself says otherwise.
FrameIndexPtr IndexedVideo::loadIndex(const IndexFile& file, const CallContext& call) const {
  const FrameIndexPtr stored = file.load(options_.maxMemoryBytes, call.cancel);
  if (!stored) return nullptr;
  int64_t declared = 0;
  const FrameIndexPtr head = readStreamHead(bytes_, call, declared);
  if (!head || !sameHead(*head, *stored)) return nullptr;
  // Fragments come on top of what an MP4 declares at its beginning.
  if (stored->isMp4() && static_cast<int64_t>(stored->packets.size()) < declared) return nullptr;
  return stored;
}

bool IndexedVideo::forgetStoredIndex() const {
  if (!index_->stored) return false;
  const std::optional<FileIdentity> identity = bytes_->identity();
  if (!identity) return false;
  indexes_->drop(*identity, index_);
  if (!options_.readerCacheDir.empty()) IndexFile(options_.readerCacheDir, *identity).remove();
  return true;
}

// An index from the cache was built under another call's limits.
void IndexedVideo::checkLimits() const {
  if (options_.damaged == Damaged::Error) index_->checkWhole();
  const int64_t pixels = int64_t{index_->storedWidth} * index_->storedHeight;
  if (pixels > options_.maxFramePixels) {
    throw Error(ErrorCode::Unsupported, Stage::Index,
                "'" + bytes_->describe() + "' has " + std::to_string(pixels) +
                    " pixels a frame, more than maxFramePixels = " +
                    std::to_string(options_.maxFramePixels) + " allows.");
  }
  if (index_->info.totalFrames > options_.maxFrames) {
    throw Error(ErrorCode::Unsupported, Stage::Index,
                "'" + bytes_->describe() + "' has " + std::to_string(index_->info.totalFrames) +
                    " frames, more than maxFrames = " + std::to_string(options_.maxFrames) +
                    " allows.");
  }
  const int64_t bytes = index_->countedBytes();
  if (bytes > options_.maxMemoryBytes) {
    throw Error(ErrorCode::OutOfMemory, Stage::Index,
                "The frame index of '" + bytes_->describe() + "' takes " + std::to_string(bytes) +
                    " bytes, more than maxMemoryBytes = " +
                    std::to_string(options_.maxMemoryBytes) + " allows.");
  }
}

Timeline IndexedVideo::timeline() const {
  return {index_->info.totalFrames, index_->info.fps, index_->info.durationSec,
          [index = index_](int64_t d) { return index->secondsFromStart(d); },
          [index = index_](int64_t d) {
            const auto ordinal = static_cast<size_t>(index->display[static_cast<size_t>(d)]);
            return index->packets[ordinal].key;
          }};
}

std::unique_ptr<PacketReader> IndexedVideo::openReader() const {
  return std::make_unique<PacketReader>(bytes_, cancel_, *index_);
}

std::unique_ptr<PacketReader> IndexedVideo::openReader(const CancelPtr& cancel,
                                                       std::shared_ptr<FarReading>& far) const {
  far = source_->forCall({cancel, &profile_, pool_, memory_});
  const std::shared_ptr<ByteSource> bytes = far ? far : source_;
  return std::make_unique<PacketReader>(bytes, cancel, *index_);
}

std::string IndexedVideo::nameOf(int64_t displayIndex) const {
  return "Frame " + std::to_string(displayIndex) + " of '" + bytes_->describe() + "'";
}

Error IndexedVideo::errorOf(const SegmentOutcome& outcome) const {
  const PacketEntry& entry = index_->packets[static_cast<size_t>(outcome.ordinal)];
  switch (outcome.kind) {
    case SegmentOutcome::Kind::Lost:
      return changedError();
    case SegmentOutcome::Kind::TooLarge:
      return tooLargeError(entry.displayIndex, outcome.width, outcome.height);
    case SegmentOutcome::Kind::OtherSize:
      return otherSizeError(entry.displayIndex, outcome.width, outcome.height);
    case SegmentOutcome::Kind::Done:
    case SegmentOutcome::Kind::Damaged:
    case SegmentOutcome::Kind::Suspicious:
      break;
  }
  return Error(ErrorCode::Corrupt, Stage::Decode,
               nameOf(entry.displayIndex) + " cannot be decoded: " + outcome.reason +
                   ". The file is damaged there.");
}

Error IndexedVideo::tooLargeError(int64_t displayIndex, int32_t width, int32_t height) const {
  return Error(ErrorCode::Unsupported, Stage::Decode,
               nameOf(displayIndex) + " has " +
                   (width > 0 ? text(width, height) + " pixels, " : "") +
                   "more than maxFramePixels = " + std::to_string(options_.maxFramePixels) +
                   " allows: a change of size in mid-stream.");
}

Error IndexedVideo::otherSizeError(int64_t displayIndex, int32_t width, int32_t height) const {
  return Error(ErrorCode::Unsupported, Stage::Decode,
               nameOf(displayIndex) + " is " + text(width, height) + " while the video is " +
                   text(index_->storedWidth, index_->storedHeight) +
                   ": a change of size in mid-stream. Give width and height to have all in one.");
}

Error IndexedVideo::changedError() const {
  // The next call must not meet it again.
  if (const auto identity = bytes_->identity()) indexes_->drop(*identity, index_);
  return Error(ErrorCode::Corrupt, Stage::Decode,
               "Reading '" + bytes_->describe() +
                   "' again gave other packets than its index: the file changed meanwhile or is "
                   "damaged.");
}

void IndexedVideo::checkUnchanged() const {
  if (!bytes_->changed()) return;
  throw Error(ErrorCode::Corrupt, Stage::Decode,
              "'" + bytes_->describe() +
                  "' was written to while it was read; try again when it is complete.");
}

void IndexedVideo::checkTargets(std::span<const int64_t> displayIndices, size_t keptFrames) const {
  int64_t previous = -1;
  for (const int64_t d : displayIndices) {
    if (d <= previous || d >= index_->info.totalFrames) {
      throw Error(ErrorCode::InvalidArgument, Stage::Decode,
                  "Expected ascending frame indices below " +
                      std::to_string(index_->info.totalFrames) + " but received " +
                      std::to_string(d) + ".");
    }
    previous = d;
  }
  const auto kept =
      static_cast<int64_t>(std::max(keptFrames, std::min<size_t>(1, displayIndices.size())));
  checkMemory(kept, kept * keptPictureBytes(index_->parameters->format, index_->storedWidth,
                                            index_->storedHeight));
}

void IndexedVideo::checkMemory(int64_t kept, int64_t bytes) const {
  const int64_t left = memory_->left() - index_->countedBytes();
  if (bytes > left) {
    throw Error(
        ErrorCode::OutOfMemory, Stage::Decode,
        "Keeping " + std::to_string(kept) + " frames of '" + bytes_->describe() + "' takes " +
            std::to_string(bytes) + " bytes, and maxMemoryBytes leaves " + std::to_string(left) +
            " beside the result and the frame index. Ask for fewer frames or raise the limit.");
  }
}

// Where the packets from `first` to `last` lie in the file.
ByteRange IndexedVideo::bytesOf(int32_t first, int32_t last) const {
  // Parsers read on to where the next packet begins, and containers have bytes of their own.
  constexpr int64_t kReadOver = 64 * 1024;
  ByteRange range{std::numeric_limits<int64_t>::max(), 0};
  for (int32_t i = first; i <= last; ++i) {
    const PacketEntry& packet = index_->packets[static_cast<size_t>(i)];
    if (packet.pos < 0) continue;
    range.begin = std::min(range.begin, packet.pos);
    range.end = std::max(range.end, packet.pos + packet.size);
  }
  if (!index_->plain) range.end += kReadOver;
  return range;
}

// What a far source is asked for beyond its tables.
void IndexedVideo::expect(const DecodePlan& plan) const {
  std::vector<ByteRange> ranges;
  for (const DecodeSegment& segment : plan.segments) {
    ranges.push_back(bytesOf(segment.first, segment.last));
  }
  far_->expect(std::move(ranges));
}

void IndexedVideo::expectFrom(int32_t first, FarReading& far) const {
  far.expect({bytesOf(first, static_cast<int32_t>(index_->packets.size()) - 1)});
}

// Whether every start of the plan is an entry point; learns it from the packets themselves. Where
// this finds flags that lie again and again, it looks at all of them up to the last target, once:
// stepping back from one to the next would read each packet once per target.
IndexedVideo::Starts IndexedVideo::verifyStarts(const DecodePlan& plan,
                                                std::unique_ptr<PacketReader>& reader,
                                                int& lies) const {
  constexpr int kManyLies = 16;
  const LookingAhead ahead(far_.get());
  bool good = true;
  UniqueAVPacket packet;
  for (const DecodeSegment& segment : plan.segments) {
    if (lies >= kManyLies) break;
    if (segment.first == 0 || index_->seeks().startVerified(segment.first)) continue;
    if (!packet) packet = makePacket(Stage::Decode);
    if (!reader) reader = openReader();
    if (!reader->moveTo(segment.first) || reader->read(*packet) == ReadResult::Lost) {
      return Starts::Lost;
    }
    const bool entry =
        isEntryPoint({packet->data, static_cast<size_t>(packet->size)}, index_->bitstream);
    index_->seeks().setStart(segment.first, entry);
    good = good && entry;
    lies += entry ? 0 : 1;
  }
  // Where seeking is broken, decoding begins at the first packet anyway.
  const Starts starts = good ? Starts::Good : Starts::SomeLie;
  if (lies < kManyLies || !index_->seeks().seekable()) return starts;
  if (!packet) packet = makePacket(Stage::Decode);
  reader = openReader();
  while (reader->next() <= plan.segments.back().last) {
    const ReadResult got = reader->read(*packet);
    if (got == ReadResult::Lost) return Starts::Lost;
    if (got == ReadResult::End) break;
    const int32_t ordinal = reader->next() - 1;
    if (!index_->packets[static_cast<size_t>(ordinal)].key) continue;
    index_->seeks().setStart(
        ordinal,
        isEntryPoint({packet->data, static_cast<size_t>(packet->size)}, index_->bitstream));
  }
  reader.reset();
  lies = 0;
  return starts;
}

DecodePlan IndexedVideo::makePlan(std::span<const int64_t> displayIndices,
                                  std::unique_ptr<PacketReader>& reader) const {
  const Profile::Scope scope(profile_, "planMs");
  PlanOptions plan;
  plan.strategy = options_.uniformStrategy;
  plan.autoRatio = options_.uniformAutoRatio;
  plan.cancel = cancel_;
  int lies = 0;
  for (;;) {
    DecodePlan result = planDecode(*index_, displayIndices, plan);
    if (far_) expect(result);
    switch (verifyStarts(result, reader, lies)) {
      case Starts::Good:
        if (!index_->seeks().seekable()) reader.reset();  // it may have read past the plan's start
        return result;
      case Starts::SomeLie:
        break;
      case Starts::Lost:
        if (!result.seekable) throw changedError();
        index_->seeks().setSeekBroken();
        reader.reset();
        break;
    }
  }
}

void IndexedVideo::decodeByPlan(const Targets& targets, const Run& run) const {
  for (;;) {
    std::unique_ptr<PacketReader> reader;
    const DecodePlan plan = makePlan(targets.remaining(), reader);
    const Profile::Scope scope(profile_, "decodeMs");
    if (run(plan, std::move(reader))) return;
    index_->seeks().setSeekBroken();
  }
}

}  // namespace cps
